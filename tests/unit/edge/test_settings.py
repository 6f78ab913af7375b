"""Each mistake in the edge's settings is one sentence that names the variable and no value."""

import json

import pytest

from chassis.settings import load
from edge.settings import EdgeSettings

KEY = {"key_id": "k1", "sha256": "a" * 64, "tenant_id": "acme", "scopes": ["models:read"]}


def _mistakes(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    mistakes: list[str] = []
    settings = load(EdgeSettings, mistakes)
    assert (settings is None) == bool(mistakes)
    return mistakes


def test_no_setting_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _mistakes(monkeypatch) == []


def test_addresses_shared_with_other_processes_have_no_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTATE_INGRESS_URL", "http://restate:8080")
    monkeypatch.setenv("HANDLERS_URL", "http://handlers:9080")
    monkeypatch.setenv("BUS_PATH", "/run/bus")
    settings = load(EdgeSettings, [])
    assert settings is not None
    assert str(settings.restate_ingress_url) == "http://restate:8080/"
    assert settings.handlers_url is not None
    assert settings.handlers_url.host == "handlers"
    assert settings.bus_path == "/run/bus"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RESTATE_INGRESS_URL", "nowhere-secret"),
        ("EDGE_SECRET_KEYS", "not json secret"),
        ("EDGE_SECRET_KEYS", json.dumps([{**KEY, "sha256": "secret"}])),
        ("EDGE_SECRET_KEYS", json.dumps([{**KEY, "scopes": ["secret"]}])),
        ("EDGE_SECRET_KEYS", json.dumps([{**KEY, "key": "secret"}])),
        ("EDGE_SECRET_KEYS", json.dumps([{**KEY, "requests_per_minute": 0}])),
        ("EDGE_SECRET_KEYS", json.dumps([KEY, KEY])),
        ("EDGE_PRIVATE_PORT", "70000"),
        ("EDGE_JWT_LEEWAY_SECONDS", "3600"),
        ("EDGE_TRUSTED_PROXIES", '["secret"]'),
        ("EDGE_BODY_SECONDS", "0"),
        ("LOG_LEVEL", "secret"),
        ("EDGE_JWT_ISSUER", "https://secret.example"),
    ],
)
def test_a_mistake_names_its_variable_and_keeps_its_value_to_itself(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    mistakes = _mistakes(monkeypatch, **{variable: value})
    assert mistakes
    for mistake in mistakes:
        assert mistake.startswith(variable)
        assert mistake.endswith(".")
        assert "secret" not in mistake


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes = _mistakes(monkeypatch, EDGE_BODY_SECONDS="0", EDGE_PRIVATE_PORT="-1")
    assert len(mistakes) == 2


def test_a_server_for_rates_is_named_by_a_url_that_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (mistake,) = _mistakes(monkeypatch, EDGE_RATES_URL="http://:hunter2@valkey")
    assert "redis://" in mistake
    assert "hunter2" not in mistake
    monkeypatch.setenv("EDGE_RATES_URL", "rediss://:hunter2@valkey/0")
    settings = load(EdgeSettings, [])
    assert settings is not None
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["http://:hunter2@valkey", "valkey://:hunter2@", "valkey://:hunter2@valkey/zero"]
)
def test_a_bus_between_hosts_is_named_by_a_url_that_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    (mistake,) = _mistakes(monkeypatch, BUS_URL=url)
    assert mistake.startswith("BUS_URL")
    assert "hunter2" not in mistake
    monkeypatch.setenv("BUS_URL", "valkeys://edge:hunter2@valkey:6380/1")
    settings = load(EdgeSettings, [])
    assert settings is not None
    assert "hunter2" not in repr(settings)

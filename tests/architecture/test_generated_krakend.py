"""KrakenD's file: accepted by its schema, and by the rules that its schema does not know."""

import copy
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.components import build
from app.generate.krakend import MARGIN, PASSED_HEADERS
from app.settings import HandlersConfig
from chassis.identity import IDENTITY_HEADERS, REQUEST_ID, TRACEPARENT, TRACESTATE
from edge.credentials import fetching, verdicts
from edge.settings import EdgeSettings
from errors.wire import from_envelope
from tests.support.json_schema import mistakes
from tests.support.krakend import ENTERPRISE, ENTERPRISE_SETTINGS, problems
from tests.support.repository import ROOT

CONFIG: dict[str, Any] = json.loads((ROOT / "krakend/krakend.json").read_text())
ENDPOINTS: dict[str, Any] = {each["endpoint"]: each for each in CONFIG["endpoints"]}
ROUTES = build(HandlersConfig.read()).registry.routes()


@pytest.fixture
def config() -> dict[str, Any]:
    """The configuration, to be changed."""
    return copy.deepcopy(CONFIG)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """KrakenD's published schema, which is not ours to copy."""
    path = os.environ.get("KRAKEND_SCHEMA")
    if not path:
        pytest.skip("KRAKEND_SCHEMA does not name KrakenD's schema (krakend-v2.13.json)")
    return json.loads(Path(path).read_text())


def test_krakends_schema_accepts_the_file(schema: dict[str, Any]) -> None:
    assert mistakes(schema, CONFIG) == []


def test_krakends_schema_refuses_a_wrong_file(
    schema: dict[str, Any], config: dict[str, Any]
) -> None:
    config["endpoints"][0]["timeout"] = "soon"
    config["extra_config"]["router"]["eror_body"] = {}
    assert len(mistakes(schema, config)) == 2


def test_the_rules_accept_the_file() -> None:
    assert problems(CONFIG) == []


@pytest.mark.parametrize("name", ENTERPRISE)
def test_a_namespace_of_the_enterprise_edition_is_refused(
    name: str, config: dict[str, Any]
) -> None:
    config["extra_config"][name] = {}
    assert problems(config) == [f"{name} is for the Enterprise edition only."]
    config["extra_config"].pop(name)
    config["endpoints"][0]["extra_config"] = {name: {}}
    assert problems(config) == [f"{name} is for the Enterprise edition only."]


@pytest.mark.parametrize("name", sorted(ENTERPRISE_SETTINGS))
def test_a_setting_of_the_enterprise_edition_is_refused(name: str, config: dict[str, Any]) -> None:
    config["extra_config"]["router"][name] = 1
    assert problems(config) == [f"{name} is for the Enterprise edition only."]


def test_krakends_schema_would_accept_names_of_the_enterprise_edition(
    schema: dict[str, Any], config: dict[str, Any]
) -> None:
    config["extra_config"]["router"]["max_payload"] = 1
    assert mistakes(schema, config) == []
    assert problems(config) == ["max_payload is for the Enterprise edition only."]


def unlisted(config: dict[str, Any]) -> None:
    """Use a namespace of the Community edition that we do not want."""
    config["endpoints"][0]["extra_config"] = {"modifier/lua-proxy": {}}


def twice(config: dict[str, Any]) -> None:
    """Declare an endpoint again."""
    config["endpoints"].append(copy.deepcopy(config["endpoints"][0]))


def without_slash(config: dict[str, Any]) -> None:
    """Forget the leading slash."""
    config["endpoints"][0]["backend"][0]["url_pattern"] = "LLMGateway/CancelRun"


def undefined_placeholder(config: dict[str, Any]) -> None:
    """Use a part of the path that the path does not have."""
    config["endpoints"][0]["backend"][0]["url_pattern"] = "/LLMGateway/{method}"


def without_timeout(config: dict[str, Any]) -> None:
    """Leave the timeout to KrakenD."""
    del config["endpoints"][0]["timeout"]


def parsed(config: dict[str, Any]) -> None:
    """Let KrakenD parse answers."""
    config["endpoints"][0]["output_encoding"] = "json"


def all_headers(config: dict[str, Any]) -> None:
    """Let every header through."""
    config["endpoints"][0]["input_headers"] = ["*"]


@pytest.mark.parametrize(
    ("spoil", "count"),
    [
        (unlisted, 1),
        (twice, 2),
        (without_slash, 1),
        (undefined_placeholder, 1),
        (without_timeout, 1),
        (parsed, 1),
        (all_headers, 1),
    ],
)
def test_the_rules_refuse_a_file_that_was_spoilt(
    spoil: Callable[[dict[str, Any]], None], count: int, config: dict[str, Any]
) -> None:
    spoil(config)
    assert len(problems(config)) == count


def test_every_public_method_that_is_no_stream_has_one_endpoint_and_nothing_else_has() -> None:
    expected = {rpc.route.path: rpc.target for rpc in ROUTES if rpc.route and not rpc.route.stream}
    found = {path: each["backend"][0]["url_pattern"] for path, each in ENDPOINTS.items()}
    assert found == {path: f"/{target}" for path, target in expected.items()}


def test_the_edge_always_answers_before_krakend_gives_up() -> None:
    settings = EdgeSettings()
    verifying = verdicts.LOOKUP_SECONDS + 2 * fetching.FETCH_SECONDS
    before_the_deadline = settings.body_seconds + verifying
    assert timedelta(seconds=before_the_deadline) < MARGIN
    for rpc in ROUTES:
        if rpc.route is not None and not rpc.route.stream:
            timeout = int(ENDPOINTS[rpc.route.path]["timeout"].removesuffix("s"))
            assert timedelta(seconds=timeout) >= rpc.route.deadline + MARGIN


def test_no_identity_header_of_a_client_passes() -> None:
    passed = {header.lower() for header in PASSED_HEADERS}
    harmless = {REQUEST_ID, TRACEPARENT, TRACESTATE}
    assert passed & set(IDENTITY_HEADERS) == harmless


@pytest.mark.parametrize("status", ["404", "405"])
def test_krakends_own_errors_are_in_the_envelope(status: str) -> None:
    error = CONFIG["extra_config"]["router"]["error_body"][status]
    assert error["content_type"] == "application/json"
    assert from_envelope(json.loads(error["body"])).code.http_status == int(status)

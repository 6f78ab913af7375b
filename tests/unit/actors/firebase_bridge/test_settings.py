"""A mistake in Firebase's settings is one sentence that names the variable and shows no secret."""

from pathlib import Path

import pytest

from actors.firebase_bridge.settings import FirebaseSettings
from chassis.settings import load


def test_nothing_is_required() -> None:
    mistakes: list[str] = []
    settings = load(FirebaseSettings, mistakes)
    assert settings is not None
    assert settings.service_account_file is None
    assert settings.identity_url == "https://identitytoolkit.googleapis.com"


@pytest.mark.parametrize("content", [None, b"secret-marker", b"\xff\xfe"])
def test_a_file_that_is_no_key_file_is_named_by_its_variable_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("FIREBASE_SERVICE_ACCOUNT_FILE", str(path))
    mistakes: list[str] = []
    assert load(FirebaseSettings, mistakes) is None
    assert mistakes == ["FIREBASE_SERVICE_ACCOUNT_FILE: not the key file of a service account."]

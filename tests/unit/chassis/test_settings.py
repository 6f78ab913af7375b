"""Mistakes in the environment are told at once, a sentence each, and never with the value."""

import pytest
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import Section, SettingsError, load

VALUE = "tops3cret-value"


class Vendor(Section):
    """A section of every kind of field."""

    model_config = SettingsConfigDict(
        env_prefix="VENDOR_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    api_key: SecretStr
    timeout_seconds: float = Field(default=5, gt=0)
    places: list[int] = []
    first: int = 1
    last: int = 2
    home: str = Field(default="", validation_alias="HOMEPAGE")

    @model_validator(mode="after")
    def _in_order(self) -> "Vendor":
        if self.first > self.last:
            raise ValueError("VENDOR_FIRST must not be greater than VENDOR_LAST")
        return self


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own."""
    for name in ("API_KEY", "TIMEOUT_SECONDS", "PLACES", "FIRST", "LAST"):
        monkeypatch.delenv(f"VENDOR_{name}", raising=False)
    monkeypatch.delenv("HOMEPAGE", raising=False)


def mistakes_with(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    """What is told of an environment with these variables."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    mistakes: list[str] = []
    assert (load(Vendor, mistakes) is None) == bool(mistakes)
    return mistakes


def test_a_section_is_read_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", VALUE)
    monkeypatch.setenv("VENDOR_PLACES", "[1, 2]")
    monkeypatch.setenv("HOMEPAGE", "here")
    mistakes: list[str] = []
    vendor = load(Vendor, mistakes)
    assert vendor is not None
    assert mistakes == []
    assert vendor.api_key.get_secret_value() == VALUE
    assert (vendor.places, vendor.home, vendor.timeout_seconds) == ([1, 2], "here", 5)
    assert VALUE not in repr(vendor)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, ["VENDOR_API_KEY: "]),
        ({"VENDOR_TIMEOUT_SECONDS": VALUE}, ["VENDOR_API_KEY: ", "VENDOR_TIMEOUT_SECONDS: "]),
        ({"VENDOR_API_KEY": "k", "VENDOR_TIMEOUT_SECONDS": "-1"}, ["VENDOR_TIMEOUT_SECONDS: "]),
        ({"VENDOR_API_KEY": "k", "VENDOR_PLACES": VALUE}, ["VENDOR_PLACES: "]),
        ({"VENDOR_API_KEY": "k", "VENDOR_PLACES": f'[1, "{VALUE}"]'}, ["VENDOR_PLACES[1]: "]),
        ({"VENDOR_API_KEY": "k", "VENDOR_FIRST": "9"}, ["VENDOR_FIRST must"]),
    ],
)
def test_every_mistake_names_its_variable_in_a_sentence_without_the_value(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], named: list[str]
) -> None:
    mistakes = mistakes_with(monkeypatch, **values)
    assert [m[: len(name)] for m, name in zip(mistakes, named, strict=True)] == named
    for mistake in mistakes:
        assert mistake.endswith(".")
        assert VALUE not in mistake
        assert "\n" not in mistake


def test_mistakes_of_several_sections_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes = mistakes_with(monkeypatch)
    load(Vendor, mistakes)
    assert len(mistakes) == 2
    assert SettingsError(mistakes).mistakes == mistakes

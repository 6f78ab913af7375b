"""Configuration sections, read from the environment once, at start, by `app`.

Each owner declares its own `Section` with a prefix (`OPENROUTER_`), units in the names and
secrets as `SecretStr` without defaults. All mistakes of all sections are told at once, a
sentence each, and never with the value.
"""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """The settings of one owner. Subclasses set `env_prefix` in their own `model_config`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class SettingsError(Exception):
    """The environment does not make a valid configuration; `mistakes` has a sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


S = TypeVar("S", bound=Section)


def load(section: type[S], mistakes: list[str]) -> S | None:
    """Read one section; what is wrong with it is added to `mistakes`."""
    try:
        return section()
    except ValidationError as invalid:
        prefix = section.model_config.get("env_prefix", "")
        for error in invalid.errors(include_url=False, include_input=False, include_context=False):
            name = f"{prefix}{error['loc'][0]}".upper() if error["loc"] else prefix
            mistakes.append(f"{name}: {_sentence(error['type'], error['msg'])}")
        return None


def _sentence(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required and not set."
    return f"{message[0].lower()}{message[1:].removeprefix('alue error, ')}."

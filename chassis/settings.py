"""Configuration sections, read from the environment once, at start, by `app`.

Each owner declares its own `Section` with a prefix (`OPENROUTER_`), units in the names and
secrets as `SecretStr` without defaults. All mistakes of all sections are told at once, a
sentence each, and never with the value.
"""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError


class Section(BaseSettings):
    """The settings of one owner. Subclasses set `env_prefix` in their own `model_config`.

    An empty variable counts as one that is not set: compose files cannot leave one out.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )


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
        for error in invalid.errors(include_url=False, include_input=False, include_context=False):
            where = _name(section, error["loc"])
            mistakes.append(f"{where}{_sentence(error['type'], error['msg'])}")
    except SourceError as unreadable:  # a list or an object that is not JSON
        field = str(unreadable).partition('"')[2].partition('"')[0]
        mistakes.append(f"{_name(section, (field,))}is not valid JSON.")
    return None


def _name(section: type[Section], location: tuple[str | int, ...]) -> str:
    """The variable's name and the place in it, with what separates it from the sentence."""
    if not location:
        return ""  # a rule over several variables names them itself
    field, *inside = location
    prefix = section.model_config.get("env_prefix", "")
    aliases = [info.validation_alias for info in section.model_fields.values()]
    name = str(field) if field in aliases else f"{prefix}{field}".upper()
    return f"{name}{''.join(f'[{part}]' for part in inside)}: "


def _sentence(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required and not set."
    sentence = message.removeprefix("Value error, ")
    if kind == "value_error":  # written by us, with names of variables at its start
        return f"{sentence}."
    return f"{sentence[0].lower()}{sentence[1:]}."

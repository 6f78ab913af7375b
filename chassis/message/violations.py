"""What is wrong with a request, in our words: paths, sentences, and the one error that holds all.

Pydantic's text never leaves: it names library pages and quotes what was sent. Each of its error
types has a sentence here that states the limit; a type without one gets `is not valid`. A
validator of ours states its own sentence by raising `violation("must ...")`.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails as PydanticError
from pydantic_core import PydanticCustomError

from chassis.message.shape import Loc, shape_of
from errors import Code, ErrorDetails, FieldViolation, Reason, RpcError

REQUEST_INVALID = Reason(
    "request.invalid",
    Code.INVALID_ARGUMENT,
    "The request has fields that are not valid; `fieldViolations` lists all of them.",
)
REQUEST_MALFORMED = Reason(
    "request.malformed",
    Code.INVALID_ARGUMENT,
    "The request body is not valid JSON; `fieldViolations` says where.",
)

MOST_VIOLATIONS = 100
"""An answer lists no more than this, so that a hostile body cannot make a huge one."""

VIOLATION = "violation"
"""The pydantic error type whose context holds a sentence of ours."""
_LONGEST_KEY = 64


class Problem(NamedTuple):
    """One thing wrong, at the place where the reader met it (keys as sent)."""

    loc: Loc
    sentence: str


def violation(sentence: str) -> PydanticCustomError:
    """What a validator raises: `sentence` reaches the client, so it never holds the value."""
    return PydanticCustomError(VIOLATION, "{sentence}", {"sentence": sentence})


def malformed(sentence: str) -> RpcError:
    """The error for a body that cannot be read as JSON at all."""
    details = ErrorDetails(field_violations=(FieldViolation(field="", description=sentence),))
    return REQUEST_MALFORMED.error(details=details)


def invalid(message: type[BaseModel], problems: Iterable[Problem]) -> RpcError:
    """The error that lists `problems` by path, the first one for each path."""
    by_path: dict[str, str] = {}
    for problem in problems:
        by_path.setdefault(path_of(message, problem.loc), problem.sentence)
        if len(by_path) == MOST_VIOLATIONS:
            break
    found = tuple(FieldViolation(field=p, description=s) for p, s in by_path.items())
    return REQUEST_INVALID.error(details=ErrorDetails(field_violations=found))


def from_pydantic(message: type[BaseModel], errors: Iterable[PydanticError]) -> Iterable[Problem]:
    """Pydantic's errors as problems, in our words."""
    for error in errors:
        loc, kind = error["loc"], error["type"]
        if kind == "extra_forbidden":
            yield Problem(loc, _extra_sentence(message, loc))
        elif len(loc) > 1 and loc[-1] == "[key]":
            yield Problem(loc[:-1], f"has a key that {_sentence(error)}")
        else:
            yield Problem(loc, _sentence(error))


def path_of(message: type[BaseModel], loc: Loc) -> str:
    """`loc` as clients know it: `userMessage.parts[0].text`, `metadata["k"]`."""
    path = ""
    within: type[BaseModel] | None = message
    keyed = False
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif keyed or within is None:
            path += f"[{_shown(step, quoted=True)}]"
            keyed = False
        else:
            field = shape_of(within).fields.get(step)
            name = field.json_name if field else _shown(step, quoted=False)
            path += f".{name}" if path and not name.startswith("[") else name
            within = field.message if field else None
            keyed = field is not None and field.keyed
    return path


def _shown(key: str, *, quoted: bool) -> str:
    """A key that the client chose; one that may be content rather than a name is not echoed."""
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        return "?"
    if quoted:
        return json.dumps(key)
    return key if key.isidentifier() else f"[{json.dumps(key)}]"


def _extra_sentence(message: type[BaseModel], loc: Loc) -> str:
    within: type[BaseModel] | None = message
    field = None
    for step in loc:
        if isinstance(step, str) and within is not None:
            if field is not None and field.keyed:
                field = None
                continue
            field = shape_of(within).fields.get(step)
            within = field.message if field else None
    return "is given twice, once in each spelling" if field else "is not a known field"


def _sentence(error: PydanticError) -> str:
    context = error.get("ctx", {})
    sentence = _SENTENCES.get(error["type"])
    if sentence is None:
        return "is not valid"
    return sentence if isinstance(sentence, str) else sentence(context)


def _limit(words: str, key: str) -> Callable[[dict[str, Any]], str]:
    return lambda context: f"must be {words} {context[key]}"


def _count(words: str, key: str, one: str, many: str) -> Callable[[dict[str, Any]], str]:
    def sentence(context: dict[str, Any]) -> str:
        number = context[key]
        return f"must have {words} {number} {one if number == 1 else many}"

    return sentence


def _too_short(one: str, many: str) -> Callable[[dict[str, Any]], str]:
    sentence = _count("at least", "min_length", one, many)
    return lambda context: "is required" if context["min_length"] == 1 else sentence(context)


_SENTENCES: dict[str, str | Callable[[dict[str, Any]], str]] = {
    VIOLATION: lambda context: str(context["sentence"]),
    "missing": "is required",
    "string_type": "must be text",
    "string_too_short": _too_short("character", "characters"),
    "string_too_long": _count("at most", "max_length", "character", "characters"),
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "bool_type": "must be true or false",
    "bytes_type": "must be base64 text",
    "bytes_too_short": _too_short("byte", "bytes"),
    "bytes_too_long": _count("at most", "max_length", "byte", "bytes"),
    "list_type": "must be a list",
    "too_short": _count("at least", "min_length", "entry", "entries"),
    "too_long": _count("at most", "max_length", "entry", "entries"),
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "datetime_type": "must be a time as in RFC 3339",
    "timezone_aware": "must be a time with an offset from UTC",
    "time_delta_type": 'must be a duration in seconds, as in "3.5s"',
    "greater_than": _limit("greater than", "gt"),
    "greater_than_equal": _limit("at least", "ge"),
    "less_than": _limit("less than", "lt"),
    "less_than_equal": _limit("at most", "le"),
    "multiple_of": _limit("a multiple of", "multiple_of"),
    "literal_error": _limit("one of", "expected"),
}

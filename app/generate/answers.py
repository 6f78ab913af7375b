"""Error answers in OpenAPI: one envelope, and for each status the reasons that bring it."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from app.checks import COMMON_REASONS
from chassis.rpc import Effect, Mode, Route, Rpc
from edge import reasons as edge_reasons
from errors import Code, ErrorDetails, FieldViolation, Outcome, Reason, RetryInfo
from errors.wire import to_envelope

Schema = dict[str, Any]

_EXAMPLE_REQUEST_ID = "req_18f2c1a9d4b07e35a1c40c9b5e2f7d80"

# They are about other paths and methods than the ones that OpenAPI lists.
_ELSEWHERE = (edge_reasons.ROUTE_NOT_FOUND, edge_reasons.METHOD_NOT_ALLOWED)
_OF_COMMANDS = (edge_reasons.IDEMPOTENCY_KEY_INVALID, edge_reasons.IDEMPOTENCY_CONFLICT)
_OF_TOKENS = (edge_reasons.TOKEN_EXPIRED, edge_reasons.ISSUER_UNAVAILABLE)


def error_schemas() -> dict[str, Schema]:
    """The envelope that every error answer, error event and failed run has."""
    text = {"type": "string"}
    return {
        "ErrorResponse": _object(
            "The one form of every error.", {"error": {"$ref": "#/components/schemas/Error"}},
            "error",
        ),
        "Error": _object(
            "What went wrong. `message` may be shown to anyone; switch on `code` or on "
            "`details.reason`.",
            {
                "code": {"$ref": "#/components/schemas/ErrorCode"},
                "message": text,
                "isTerminal": {
                    "type": "boolean",
                    "description": "False: the same request may succeed later.",
                },
                "details": {"$ref": "#/components/schemas/ErrorDetails"},
            },
            "code", "message", "isTerminal", "details",
        ),
        "ErrorCode": {
            "type": "string",
            "description": "See docs/errors.md for what each means.",
            "enum": [code.value for code in Code],
        },
        "ErrorDetails": _object("The structured part of an error.", _details(), "reason"),
    }  # fmt: skip


def _details() -> dict[str, Schema]:
    text, count = {"type": "string"}, {"type": "integer"}
    violation = _object("", {"field": text, "description": text}, "field", "description")
    return {
        "reason": {"type": "string", "description": "A stable word, `noun.condition`."},
        "requestId": {"type": "string", "description": "Name it when you ask for help."},
        "outcome": {
            "type": "string",
            "enum": [outcome.value for outcome in Outcome],
            "description": "Whether the work may have happened.",
        },
        "fieldViolations": {
            "type": "array",
            "items": violation,
            "description": "Every problem of the request at once; `field` is a path.",
        },
        "retryInfo": _object("", {"retryAfter": text, "attempts": count}),
        "upstreamError": _object("", {"service": text, "statusCode": count, "body": text}),
        "modelError": _object(
            "",
            {
                "model": text,
                "provider": text,
                "finishReason": text,
                "limits": {"type": "object", "additionalProperties": count},
            },
        ),
        "helpLink": _object("", {"url": text}, "url"),
    }


def _object(description: str, properties: dict[str, Schema], *required: str) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = list(required)
    return {"description": description, **made} if description else made


def reasons_of(rpc: Rpc[Any, Any], route: Route) -> list[Reason]:
    """Every reason that a call of this method may meet."""
    left_out = set(_ELSEWHERE)
    if route.effect is not Effect.COMMAND:
        left_out |= set(_OF_COMMANDS)
    if not route.modes & {Mode.FIREBASE, Mode.PUBLISHABLE_KEY}:
        left_out |= set(_OF_TOKENS)
    common = [reason for reason in COMMON_REASONS if reason not in left_out]
    return list(dict.fromkeys([*common, *rpc.errors]))


class Answers:
    """The error answers of methods; those that many methods share stand in `shared` once."""

    def __init__(self) -> None:
        self.shared: dict[str, Schema] = {}

    def of(self, rpc: Rpc[Any, Any], route: Route) -> dict[str, Schema]:
        """The error answers of a method by status."""
        own = {reason.code.http_status for reason in rpc.errors}
        answers: dict[str, Schema] = {}
        for status, reasons in sorted(_by_status(reasons_of(rpc, route)).items()):
            answer = _answer(reasons)
            answers[str(status)] = answer if status in own else self._share(status, reasons, answer)
        return answers

    def _share(self, status: int, reasons: list[Reason], answer: Schema) -> Schema:
        """A reference to the answer, or the answer itself where it is not the usual one."""
        of_command = not set(_OF_COMMANDS).isdisjoint(reasons)
        name = f"Error{status}Command" if of_command else f"Error{status}"
        usual = self.shared.setdefault(name, answer) == answer
        return {"$ref": f"#/components/responses/{name}"} if usual else answer


def _by_status(reasons: Iterable[Reason]) -> dict[int, list[Reason]]:
    found: dict[int, list[Reason]] = {}
    for reason in reasons:
        found.setdefault(reason.code.http_status, []).append(reason)
    return found


def _answer(reasons: list[Reason]) -> Schema:
    return {
        "description": "\n".join(f"- `{each.word}`: {each.message}" for each in reasons),
        "headers": _headers(reasons[0].code),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "examples": {
                    each.word: {"$ref": f"#/components/examples/{each.word}"} for each in reasons
                },
            }
        },
    }


def _headers(code: Code) -> Schema:
    names = ["x-request-id", "traceparent"]
    if code is Code.UNAUTHENTICATED:
        names.append("WWW-Authenticate")
    else:
        names += ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    if code.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        names.append("Retry-After")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def examples(reasons: Iterable[Reason]) -> dict[str, Schema]:
    """An example envelope for each reason, by its word."""
    made = {each.word: {"summary": each.message, "value": _envelope(each)} for each in reasons}
    return dict(sorted(made.items()))


def _envelope(reason: Reason) -> Schema:
    details = ErrorDetails(
        field_violations=(FieldViolation(field="conversationKey", description="is required"),)
        if reason.word.startswith("request.invalid")
        else (),
        retry_info=RetryInfo(retry_after=timedelta(seconds=7))
        if reason.code is Code.RATE_LIMITED
        else None,
    )
    return to_envelope(
        reason.error(details=details),
        request_id=_EXAMPLE_REQUEST_ID,
        outcome=Outcome.UNKNOWN if reason.code.http_status >= 499 else Outcome.NOT_STARTED,
    )

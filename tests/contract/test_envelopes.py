"""The judge of error answers: it must find what it is there to find."""

import json
from typing import Any

import pytest

from edge.reasons import ROUTE_NOT_FOUND
from edge.responses import error_response
from tests.support.envelopes import envelope_faults

GOOD = error_response(ROUTE_NOT_FOUND.error(), "req_1")
HEADERS = {"content-type": "application/json", "x-request-id": "req_1"}


def spoilt(**error: Any) -> bytes:
    """The good envelope with some fields of the error replaced."""
    envelope = json.loads(GOOD.body)
    envelope["error"] |= error
    return json.dumps(envelope).encode()


def test_a_good_envelope_has_no_fault() -> None:
    assert envelope_faults(GOOD.status, HEADERS, GOOD.body) == []


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, HEADERS, GOOD.body),
        (404, {**HEADERS, "content-type": "text/html"}, GOOD.body),
        (404, {**HEADERS, "x-request-id": "req_2"}, GOOD.body),
        (404, HEADERS, spoilt(code="NO_SUCH_CODE")),
        (404, HEADERS, spoilt(stacktrace=[])),
        (404, HEADERS, spoilt(extra=1)),
        (404, HEADERS, spoilt(isTerminal="yes")),
        (404, HEADERS, spoilt(details={"reason": "route.not_found", "requestId": "req_1"})),
        (404, HEADERS, b'{"detail": "Not Found"}'),
    ],
)
def test_an_answer_that_is_no_envelope_of_its_status_is_found(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    assert envelope_faults(status, headers, body)


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last)",
        "ValueError: nope",
        'File "app.py", line 3, in main',
        "see /usr/lib/python3/dist-packages",
        "pydantic_core says no",
        "Restate is down",
        "connect to 127.0.0.1:8080",
        "the key sk_live_abc is wrong",
    ],
)
def test_an_answer_that_tells_of_the_inside_is_found(text: str) -> None:
    assert envelope_faults(404, HEADERS, spoilt(message=text))

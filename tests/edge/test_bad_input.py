"""Every kind of bad input against the running edge: refused by name, in the envelope, unechoed.

The same requests go through a real KrakenD where there is one (`fronts.py`).
"""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from chassis.message import REQUEST_INVALID, REQUEST_MALFORMED
from edge import reasons
from errors import Reason
from tests.support.envelopes import envelope_faults
from tests.support.fronts import Front

pytestmark = pytest.mark.anyio

CREATE = "/api/v1/llm/gateway/create-thread"
SEND = "/api/v1/llm/gateway/send-message"
FORM = "application/x-www-form-urlencoded"
# Stands in every body, so that an echo of what was sent is seen.
MARK = "wombat"


@dataclass(frozen=True)
class Bad:
    """A request that must be refused, and the refusal."""

    body: bytes
    reason: Reason
    path: str = CREATE
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    fields: frozenset[str] = frozenset()
    by_front: bool = False
    """KrakenD answers itself, without a request id."""


def named(body: str | bytes, *fields: str, path: str = CREATE) -> Bad:
    """A body with invalid fields."""
    raw = body.encode() if isinstance(body, str) else body
    return Bad(raw, REQUEST_INVALID, path=path, fields=frozenset(fields))


def malformed(body: str | bytes) -> Bad:
    """A body that is no JSON object."""
    return Bad(body.encode() if isinstance(body, str) else body, REQUEST_MALFORMED)


def elsewhere(path: str, method: str = "POST") -> Bad:
    """A good body at a wrong place."""
    wrong_method = method != "POST"
    reason = reasons.METHOD_NOT_ALLOWED if wrong_method else reasons.ROUTE_NOT_FOUND
    return Bad(b"{}", reason, path=path, method=method, by_front=True)


BAD: dict[str, Bad] = {
    "malformed JSON": malformed('{"name": wombat}'),
    "truncated JSON": malformed('{"name": "wombat'),
    "trailing comma": malformed('{"name": "wombat",}'),
    "wrong type": named('{"name": ["wombat"]}', "name"),
    "unknown field": named('{"wombats": "wombat"}', "wombats"),
    "missing field": named('{"userMessage": {"content": "wombat"}}', "conversationKey", path=SEND),
    "bad enum": named(
        '{"conversationKey": "k", "userMessage": {"content": "x", "role": "wombat"}}',
        "userMessage.role",
        path=SEND,
    ),
    "out of range": named('{"settings": {"keepLast": 1001}}', "settings.keepLast"),
    "too long": named('{"name": "%s"}' % (MARK * 40), "name"),
    "several at once": named(
        '{"name": 1, "wombat": 2, "settings": {"keepLast": -1}}',
        "name", "wombat", "settings.keepLast",
    ),
    "nesting of 1,000": malformed('{"metadata":' + "[" * 1000 + "]" * 1000 + "}"),
    "invalid UTF-8": malformed(b'{"name": "wombat\xff"}'),
    "lone surrogate": malformed('{"name": "wombat\\ud800"}'),
    "duplicate key": named('{"name": "wombat", "name": "b"}', "name"),
    "both spellings": named('{"conversationKey": "wombat", "conversation_key": "b"}',
                            "conversationKey"),
    "NaN": malformed('{"generationConfig": {"temperature": NaN}}'),
    "Infinity": malformed('{"generationConfig": {"temperature": Infinity}}'),
    "-Infinity": malformed('{"generationConfig": {"temperature": -Infinity}}'),
    "number of 10,000 digits": malformed('{"settings": {"keepLast": %s}}' % ("7" * 10_000)),
    "NUL in text": named('{"name": "wombat\\u0000"}', "name"),
    "control character in a key": named('{"conversationKey": "wombat\\n"}', "conversationKey"),
    "null body": named("null", ""),
    "array body": named('["wombat"]', ""),
    "text body": named('"wombat"', ""),
    "byte order mark": malformed(b'\xef\xbb\xbf{"name": "wombat"}'),
    "UTF-16": malformed('{"name": "wombat"}'.encode("utf-16")),
    "form body": Bad(b"name=wombat", reasons.MEDIA_TYPE, headers={"content-type": FORM}),
    "text/plain": Bad(b'{"name": "wombat"}', reasons.MEDIA_TYPE,
                      headers={"content-type": "text/plain"}),
    "gzip body": Bad(gzip.compress(b'{"name": "wombat"}'), reasons.MEDIA_TYPE,
                     headers={"content-encoding": "gzip"}),
    "gzip body that does not say so": malformed(gzip.compress(b'{"name": "wombat"}')),
    "2 MiB": Bad(b'{"name": "%s"}' % (b"wombat" * 350_000), reasons.BODY_TOO_LARGE),
    "unknown path": elsewhere("/api/v1/llm/gateway/wombat"),
    "no path": elsewhere("/"),
    "trailing slash": elsewhere(CREATE + "/"),
    "upper-case path": elsewhere("/API/V1/LLM/GATEWAY/CREATE-THREAD"),
    "encoded path": elsewhere(CREATE.replace("-", "%2D")),
    "doubled slash": elsewhere(CREATE.replace("/llm/", "//llm/")),
    "method GET": elsewhere(CREATE, "GET"),
    "method PUT": elsewhere(CREATE, "PUT"),
    "method DELETE": elsewhere(CREATE, "DELETE"),
    "method PATCH": elsewhere(CREATE, "PATCH"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_refused_in_the_envelope_and_never_echoed(
    front: Front, name: str
) -> None:
    bad = BAD[name]
    answer = await send(front, bad.path, bad.body, bad.headers, bad.method)
    error = answer.json()["error"]
    assert (error["code"], error["details"]["reason"]) == (bad.reason.code, bad.reason.word)
    assert MARK not in without_paths(error)
    assert MARK not in str(answer.headers)
    assert "granian" not in str(answer.headers)
    if bad.by_front and not front.is_edge:
        assert answer.status_code == bad.reason.code.http_status
        return
    assert envelope_faults(answer.status_code, answer.headers, answer.content) == []
    violations = error["details"].get("fieldViolations", [])
    if bad.reason is REQUEST_INVALID:
        assert {violation["field"] for violation in violations} == bad.fields


async def test_an_empty_body_means_an_empty_object(front: Front) -> None:
    for body, headers in ((b"", {}), (b"", {"content-type": "application/json"}), (b"{}", {})):
        answer = await send(front, "/api/v1/llm/gateway/list-models", body, headers)
        assert answer.status_code == 200
        assert answer.json()["models"]


async def test_an_empty_body_lacks_what_is_required(front: Front) -> None:
    answer = await send(front, SEND, b"", {})
    violations = answer.json()["error"]["details"]["fieldViolations"]
    assert {violation["field"] for violation in violations} == {"conversationKey", "userMessage"}


def without_paths(error: dict[str, Any]) -> str:
    """An error as text, but for the paths of its fields, which name what was sent."""
    details = error["details"]
    told = [violation | {"field": ""} for violation in details.get("fieldViolations", [])]
    return json.dumps(error | {"details": details | {"fieldViolations": told}})


async def send(
    front: Front, path: str, body: bytes, headers: dict[str, str], method: str = "POST"
) -> httpx.Response:
    """Send these bytes as Dave."""
    sent = {"content-type": "application/json", "x-api-key": front.key} | headers
    async with httpx.AsyncClient(
        base_url=front.url, timeout=60, trust_env=False, verify=False
    ) as client:
        return await client.request(method, path, content=body, headers=sent)

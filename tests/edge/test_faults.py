"""Whatever the ingress does, the client gets the envelope, soon, with nothing of the inside."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from edge import reasons
from errors import Code
from tests.support.edges import EdgeUnderTest, error_of, outcome_of, running_edge
from tests.support.ingress import FakeIngress, Seen, response

pytestmark = pytest.mark.anyio

ECHO, ADD, HURRY = "/api/v1/probe/echo", "/api/v1/probe/add", "/api/v1/probe/hurry"


@pytest.fixture
async def edge(ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    async with running_edge(ingress) as edge:
        yield edge


@pytest.mark.parametrize("path", [ECHO, ADD])
async def test_restate_down_is_told_within_two_seconds_and_nothing_was_started(
    edge: EdgeUnderTest, ingress: FakeIngress, path: str
) -> None:
    await ingress.stop()
    started = time.monotonic()
    answer = await edge.post(path)
    assert time.monotonic() - started < 2
    error = error_of(answer)
    assert error.reason == reasons.PLATFORM_UNAVAILABLE.word
    assert not error.is_terminal
    assert outcome_of(answer) == "NOT_STARTED"


async def test_after_restate_is_back_everything_works_by_itself(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    assert (await edge.post(ADD)).status_code == 200
    await ingress.stop()
    assert (await edge.post(ADD)).status_code == 503
    await ingress.start()
    assert (await edge.post(ADD)).status_code == 200


async def test_a_restart_of_restate_is_waited_for(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    await ingress.stop()
    call = asyncio.create_task(edge.post(ADD))
    await asyncio.sleep(0.3)
    await ingress.start()
    assert (await call).status_code == 200


async def test_a_connection_that_breaks_is_tried_again_with_the_same_key(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    ingress.answers(None, None, response())
    assert (await edge.post(ADD)).status_code == 200
    keys = [seen.headers["idempotency-key"] for seen in ingress.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_stale_pooled_connection_is_replaced_unseen(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    assert (await edge.post(ADD)).status_code == 200
    await ingress.stop()
    await ingress.start()
    answers = await asyncio.gather(*(edge.post(ADD) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_restate_that_always_breaks_off_leaves_the_outcome_unknown(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    ingress.answers(None)
    started = time.monotonic()
    answer = await edge.post(ADD)
    assert time.monotonic() - started < 2
    assert error_of(answer).code is Code.UNAVAILABLE
    assert outcome_of(answer) == "UNKNOWN"


async def test_a_slow_answer_ends_at_the_deadline_of_the_route(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    never = asyncio.Event()

    async def silent(_: Seen) -> bytes | None:
        await never.wait()
        return None

    ingress.behaviour = silent
    started = time.monotonic()
    answer = await edge.post(HURRY)
    never.set()
    assert time.monotonic() - started < 1.5
    error = error_of(answer)
    assert error.reason == reasons.DEADLINE_EXCEEDED.word
    assert not error.is_terminal
    assert outcome_of(answer) == "UNKNOWN"
    assert len(ingress.seen) == 1


async def test_an_overloaded_ingress_is_tried_again(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    busy = response(503, b'{"message":"busy"}', source="ingress")
    ingress.answers(busy, response(429, b"{}", source="ingress"), response())
    assert (await edge.post(ADD)).status_code == 200
    assert len(ingress.seen) == 3


STACK_TRACE = json.dumps(
    {
        "code": 500,
        "message": "ValueError('secret of the inside')",
        "stacktrace": "Traceback: /app/secret of the inside",
        "source": "invocation",
    }
).encode()

GARBAGE = {
    "stack_trace": (response(500, STACK_TRACE, source="invocation"), Code.INTERNAL, "UNKNOWN"),
    "plain_text": (
        response(500, b"secret of the inside", source="invocation"), Code.INTERNAL, "UNKNOWN",
    ),
    "metadata_of_the_wrong_type": (
        response(500, b'{"message":"secret of the inside","metadata":[1]}', source="invocation"),
        Code.INTERNAL, "UNKNOWN",
    ),
    "details_that_cannot_be_read": (
        response(
            404,
            b'{"message":"secret of the inside","metadata":{"code":"NOT_FOUND","details":"{"}}',
            source="invocation",
        ),
        Code.INTERNAL, "UNKNOWN",
    ),
    "message_that_is_no_text": (
        response(500, b'{"message":{"secret of the inside":1}}', source="invocation"),
        Code.INTERNAL, "UNKNOWN",
    ),
    "list_instead_of_object": (
        response(500, b'["secret of the inside"]', source="invocation"), Code.INTERNAL, "UNKNOWN",
    ),
    "killed": (
        response(409, b'{"code":409,"message":"killed"}', source="invocation"),
        Code.CANCELLED, "UNKNOWN",
    ),
    "cancelled": (
        response(409, b'{"code":409,"message":"cancelled"}', source="invocation"),
        Code.CANCELLED, "UNKNOWN",
    ),
    "unknown_handler": (
        response(404, b'{"message":"secret of the inside"}', source="ingress"),
        Code.UNAVAILABLE, "NOT_STARTED",
    ),
    "refused_by_the_ingress": (
        response(400, b"secret of the inside", source="ingress"), Code.INTERNAL, "NOT_STARTED",
    ),
    "success_that_is_no_json": (
        response(200, b"<html>secret of the inside</html>"), Code.INTERNAL, "COMPLETED",
    ),
    "success_cut_short": (response(200, b'{"text":"secret of the inside'), Code.INTERNAL,
                          "COMPLETED"),
    "success_without_content": (response(200, b""), Code.INTERNAL, "COMPLETED"),
    "success_of_another_server": (
        b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"secret":1}',
        Code.INTERNAL, "UNKNOWN",
    ),
    "redirect": (
        b"HTTP/1.1 302 X\r\nlocation: http://secret.example/\r\ncontent-length: 0\r\n\r\n",
        Code.INTERNAL, "UNKNOWN",
    ),
    "error_of_another_server": (
        b"HTTP/1.1 500 X\r\ncontent-length: 20\r\n\r\nsecret of the inside",
        Code.UNAVAILABLE, "UNKNOWN",
    ),
    "no_http_at_all": (b"\x15\x03\x01\x00\x02\x02\x50 secret\r\n\r\n", Code.UNAVAILABLE,
                       "UNKNOWN"),
    "half_an_answer": (None, Code.UNAVAILABLE, "UNKNOWN"),
}  # fmt: skip


@pytest.mark.parametrize("case", GARBAGE)
async def test_garbage_is_masked(edge: EdgeUnderTest, ingress: FakeIngress, case: str) -> None:
    raw, code, outcome = GARBAGE[case]
    ingress.answers(raw)
    started = time.monotonic()
    answer = await edge.post(ADD)
    assert time.monotonic() - started < 2
    assert error_of(answer).code is code
    assert outcome_of(answer) == outcome
    assert "secret" not in f"{answer.text}{answer.headers}"


async def test_headers_of_restate_do_not_reach_the_client(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    ingress.answers(response(headers={"x-secret": "1", "set-cookie": "a=b", "server": "restate"}))
    answer = await edge.post(ECHO)
    assert answer.status_code == 200
    assert not {"x-secret", "set-cookie", "x-restate-id"} & set(answer.headers)
    # The edge names itself in place of its server's program, and nobody else.
    assert "restate" not in answer.headers.get("server", "")


async def test_large_bodies_are_forwarded_whole(ingress: FakeIngress) -> None:
    async with running_edge(ingress) as edge:
        body = b'{"text":"' + b"x" * 1_000_000 + b'"}'
        assert (await edge.post(ECHO, body)).status_code == 200
        assert ingress.seen[0].body == body


async def test_bytes_arrive_as_they_were_sent(edge: EdgeUnderTest, ingress: FakeIngress) -> None:
    body = b' { "wait_milliseconds" : "0",\n"text":"\\u00e4\xc3\xa4" } '
    assert (await edge.post(ECHO, body)).status_code == 200
    assert ingress.seen[0].body == body
    ingress.answers(response(200, b'{ "text" :  "as made" }'))
    assert (await edge.post(ECHO)).content == b'{ "text" :  "as made" }'


async def test_an_empty_body_becomes_an_empty_object(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    answer = await edge.http.post(ECHO, headers={"x-api-key": edge.alice.key})
    assert answer.status_code == 200
    assert ingress.seen[0].body == b"{}"


async def test_a_read_carries_no_idempotency_key_and_a_command_always_does(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    await edge.post(ECHO, headers={"idempotency-key": "mine"})
    await edge.post(ADD)
    await edge.post(ADD)
    read, one, two = (seen.headers for seen in ingress.seen)
    assert "idempotency-key" not in read
    assert one["idempotency-key"] != two["idempotency-key"]
    assert "x-idem-hash" not in one

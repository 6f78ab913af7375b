"""The double behaves like the vendor, obeys its script, and tells what it really did."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from devstack.openrouter.app import OpenRouterDouble
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, rate_limited
from devstack.processes import free_port
from devstack.serving import serving

pytestmark = pytest.mark.anyio

CHAT = "/api/v1/chat/completions"


class Stand:
    """A double in this process, a client of it, and its control."""

    def __init__(self, address: str) -> None:
        headers = {"authorization": "Bearer k"}
        self.http = httpx.AsyncClient(base_url=address, headers=headers, verify=False)
        self.control = OpenRouterControl(address)

    async def ask(self, text: str = "hello", **fields: Any) -> httpx.Response:
        return await self.http.post(CHAT, json=body(text, **fields))


def body(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """A request of the vendor's API."""
    message = {"role": "user", "content": text}
    return {"model": "double/echo", "messages": [message], **fields}


@asynccontextmanager
async def standing() -> AsyncGenerator[Stand]:
    async with serving(OpenRouterDouble(), free_port()) as address:
        stand = Stand(address)
        async with stand.http:
            yield stand
        await stand.control.aclose()


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


async def test_without_a_script_the_answer_is_made_from_the_question(stand: Stand) -> None:
    answer = (await stand.ask("one two")).json()
    again = (await stand.ask("one two")).json()
    assert answer["choices"] == again["choices"]
    assert answer["choices"][0]["message"]["content"] == "You said: one two"
    assert answer["usage"]["completion_tokens"] == 4


async def test_the_user_may_ask_for_tools_that_are_offered(stand: Stand) -> None:
    offered = [{"type": "function", "function": {"name": "box__add"}}]
    asked = 'Do this:\ncall box__add {"a": 1}\ncall box__none {}\ncall box__add {"a": 2}'
    message = (await stand.ask(asked, tools=offered)).json()["choices"][0]["message"]
    calls = [call["function"] for call in message["tool_calls"]]
    assert message["content"] == ""
    assert calls == [
        {"name": "box__add", "arguments": '{"a": 1}'},
        {"name": "box__add", "arguments": '{"a": 2}'},
    ]
    result = {"role": "tool", "tool_call_id": "call_0", "content": "3"}
    said = [{"role": "user", "content": asked}, message, result]
    again = await stand.ask(messages=said, tools=offered)
    assert again.json()["choices"][0]["message"] == {
        "role": "assistant",
        "content": f"You said: {asked}",
    }
    echo = (await stand.ask(asked)).json()["choices"][0]["message"]
    assert echo["content"] == f"You said: {asked}"


async def test_a_call_without_a_key_is_refused_and_not_recorded(stand: Stand) -> None:
    del stand.http.headers["authorization"]
    assert (await stand.ask()).status_code == 401
    assert (await stand.http.get("/api/v1/models")).status_code == 401
    assert await stand.control.calls() == []


async def test_answers_are_used_in_order_and_then_the_default_returns(stand: Stand) -> None:
    await stand.control.script(Answer(text="first"), rate_limited("3"))
    assert "first" in (await stand.ask()).text
    limited = await stand.ask()
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
    assert "You said" in (await stand.ask()).text


async def test_a_rule_speaks_only_to_those_that_match(stand: Stand) -> None:
    await stand.control.script(Answer(text="mini"), model="double/echo-mini")
    await stand.control.script(Answer(text="cat"), contains="cat", repeat_last=True)
    assert "You said" in (await stand.ask("dog")).text
    assert "mini" in (await stand.ask("dog", model="double/echo-mini")).text
    assert "cat" in (await stand.ask("a cat")).text
    assert '"cat"' in (await stand.ask("the cat")).text


async def test_a_fallback_answers_when_the_first_model_cannot(stand: Stand) -> None:
    answer = await stand.ask(model="nobody", models=["nobody", "double/fallback"])
    assert answer.json()["model"] == "double/fallback"
    [call] = await stand.control.calls()
    assert call.tried == ["nobody", "double/fallback"]


async def test_a_gate_holds_the_stream_where_the_script_says(stand: Stand) -> None:
    await stand.control.script(Answer(text="one two three", gate="g", hold_after=2))
    asking = asyncio.create_task(stand.ask(stream=True))
    [call] = await stand.control.wait(call=0, tokens_sent=2, waiting=True)
    assert (call.text_sent, call.finished, call.closed_at) == ("one two ", False, None)
    assert not asking.done()
    await stand.control.release("g")
    assert "three" in (await asking).text
    [call] = await stand.control.wait(closed=1)
    assert (call.text_sent, call.finished, call.closed_by_client) == ("one two three", True, False)


async def test_a_client_that_leaves_is_noticed_at_once(stand: Stand) -> None:
    await stand.control.script(Answer(text="one two", stall_after=1))
    async with stand.http.stream("POST", CHAT, json=body(stream=True)):
        await stand.control.wait(waiting=True)
    [call] = await stand.control.wait(call=0, call_closed=True, timeout_seconds=2)
    assert call.closed_by_client
    assert call.closed_at is not None


async def test_a_cut_breaks_the_connection_and_is_not_the_clients_doing(stand: Stand) -> None:
    await stand.control.script(Answer(text="one two", cut_after=1))
    with pytest.raises(httpx.RemoteProtocolError):
        await stand.ask(stream=True)
    [call] = await stand.control.wait(closed=1)
    assert (call.text_sent, call.finished, call.closed_by_client) == ("one ", False, False)


async def test_a_condition_that_does_not_come_true_is_told(stand: Stand) -> None:
    with pytest.raises(TimeoutError):
        await stand.control.wait(calls=1, timeout_seconds=0.05)


async def test_a_script_with_a_typo_is_refused(stand: Stand) -> None:
    answer = await stand.http.post("/control/script", json={"answers": [{"txt": "x"}]})
    assert answer.status_code == 400


async def test_a_reset_forgets_scripts_and_calls_and_lets_go_whoever_waits(stand: Stand) -> None:
    await stand.control.script(Answer(text="one", gate="g", hold_after=0), Answer(text="two"))
    asking = asyncio.create_task(stand.ask(stream=True))
    await stand.control.wait(waiting=True)
    await stand.control.reset()
    assert "one" in (await asking).text
    assert "You said" in (await stand.ask()).text
    assert len(await stand.control.calls()) == 1


async def test_the_model_list_can_be_replaced_and_counts_its_readers(stand: Stand) -> None:
    await stand.control.set_models([{"id": "only/one"}])
    assert (await stand.http.get("/api/v1/models")).json() == {"data": [{"id": "only/one"}]}
    assert (await stand.ask()).status_code == 400
    assert await stand.control.model_lists() == 1


async def test_an_unknown_path_is_not_found(stand: Stand) -> None:
    assert (await stand.http.get("/api/v1/other")).status_code == 404


async def test_the_server_ends_while_a_stream_stalls() -> None:
    with anyio.fail_after(10):
        async with standing() as stand:
            await stand.control.script(Answer(text="one", stall_after=0))
            asking = asyncio.create_task(stand.ask(stream=True))
            await stand.control.wait(waiting=True)
        with pytest.raises((httpx.HTTPError, RuntimeError)):
            await asking

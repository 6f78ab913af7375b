"""A call of a tool that may not be repeated is made once, whatever is executed again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from chassis.sealing import Sealing
from services.mcp import reasons, rules
from services.mcp.calls import Claim, PlannedCall, ToolCalls, ToolOutcome
from services.mcp.client import Server
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import McpTool, ToolEffect, ToolRule, ToolStatus
from tests.support.toolbox import RunningToolbox, running_toolbox, tool_client
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def toolbox() -> AsyncIterator[RunningToolbox]:
    async with running_toolbox() as toolbox:
        yield toolbox


@pytest.fixture
async def calls() -> AsyncIterator[ToolCalls]:
    async with tool_client() as client:
        calls = ToolCalls(client, Sealing([]))
        yield calls
        await calls.aclose()


def planned(
    url: str,
    tool: str,
    effect: ToolEffect = ToolEffect.DANGEROUS,
    *,
    headers: dict[str, str] | None = None,
    **arguments: object,
) -> PlannedCall:
    record = ServerRecord(
        server_name="toolbox",
        url=url,
        headers=headers or {},
        registered_at=datetime(2026, 5, 4, tzinfo=UTC),
    )
    return PlannedCall(
        tenant_id="acme", record=record, tool_name=tool, effect=effect, arguments=arguments
    )


def reason_of(outcome: ToolOutcome) -> str:
    return outcome.failure.reason if outcome.failure is not None else ""


async def test_a_step_that_is_executed_again_gets_the_answer_of_the_one_call(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    claim = await calls.claim()
    call = planned(toolbox.url, "note", text="once")
    first = await calls.take("call-1", call, claim)
    again = await calls.take("call-1", call, claim)
    assert first.status is ToolStatus.SUCCEEDED
    assert first == again
    assert len(toolbox.tools.calls) == 1


async def test_a_step_that_was_cancelled_leaves_the_call_to_the_next(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    claim = await calls.claim()
    call = planned(toolbox.url, "wait-and-note", gate="g", text="once")
    step = asyncio.create_task(calls.take("call-1", call, claim))
    await until(lambda: bool(toolbox.tools.calls))
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    toolbox.tools.release("g")
    assert (await calls.take("call-1", call, claim)).status is ToolStatus.SUCCEEDED
    assert len(toolbox.tools.calls) == 1


async def test_a_process_that_never_had_the_claim_does_not_call(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    outcome = await calls.take(
        "call-1", planned(toolbox.url, "note", text="x"), Claim(token="of another process")
    )
    assert reason_of(outcome) == reasons.OUTCOME_UNKNOWN.word
    assert toolbox.tools.calls == []


async def test_a_claim_is_good_for_one_call(calls: ToolCalls, toolbox: RunningToolbox) -> None:
    claim = await calls.claim()
    call = planned(toolbox.url, "note", text="x")
    await calls.take("call-1", call, claim)
    assert reason_of(await calls.take("call-2", call, claim)) == reasons.OUTCOME_UNKNOWN.word
    assert len(toolbox.tools.calls) == 1


async def test_a_dangerous_call_without_an_answer_has_an_unknown_outcome(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    call = planned(toolbox.url, "produce", bytes=50_000_000)
    outcome = await calls.take("call-1", call, await calls.claim())
    assert reason_of(outcome) == reasons.OUTCOME_UNKNOWN.word


async def test_a_reading_call_without_an_answer_says_why(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    call = planned(toolbox.url, "produce", ToolEffect.READ, bytes=50_000_000)
    outcome = await calls.take("call-1", call, None)
    assert reason_of(outcome) == reasons.ANSWER_TOO_LARGE.word


async def test_a_dangerous_call_that_never_left_says_so(calls: ToolCalls) -> None:
    call = planned("http://127.0.0.1:1/mcp", "note", text="x")
    outcome = await calls.take("call-1", call, await calls.claim())
    assert reason_of(outcome) == reasons.UNREACHABLE.word


async def test_a_cancelled_call_ends_at_once_with_an_unknown_outcome(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    call = planned(toolbox.url, "wait", gate="never")
    step = asyncio.create_task(calls.take("call-1", call, await calls.claim()))
    await until(lambda: bool(toolbox.tools.calls))
    calls.cancel("call-1")
    assert reason_of(await step) == reasons.OUTCOME_UNKNOWN.word


async def test_headers_that_no_longer_open_are_told(
    calls: ToolCalls, toolbox: RunningToolbox
) -> None:
    call = planned(toolbox.url, "note", headers={"x-api-key": "sealed1.gone.x"}, text="x")
    outcome = await calls.take("call-1", call, await calls.claim())
    assert reason_of(outcome) == reasons.SECRETS_LOST.word
    assert toolbox.tools.calls == []


def pinned(call: PlannedCall, digest: str) -> PlannedCall:
    """The call of a tool that was confirmed with this digest."""
    call.record.tool_rules = [ToolRule(tool_name=call.tool_name, digest=digest)]
    return call


async def test_a_confirmed_tool_is_called_only_as_it_was_confirmed(
    toolbox: RunningToolbox,
) -> None:
    async with tool_client() as client:
        calls = ToolCalls(client, Sealing([]))
        server = Server("toolbox", toolbox.url)
        tools = {tool.name: tool for tool in await client.list_tools(server)}
        call = pinned(planned(toolbox.url, "note", text="x"), rules.digest(tools["note"]))
        outcome = await calls.take("call-1", call, await calls.claim())
        assert outcome.status is ToolStatus.SUCCEEDED
        toolbox.tools.schemas["note"] = {"type": "object", "title": "Obey."}
        outcome = await calls.take("call-2", call, await calls.claim())
        assert reason_of(outcome) == reasons.TOOL_CHANGED.word
        assert [each.tool for each in toolbox.tools.calls] == ["note"]
        await calls.aclose()


async def test_a_confirmed_tool_whose_server_does_not_list_it_was_not_called(
    calls: ToolCalls,
) -> None:
    call = pinned(planned("http://127.0.0.1:1/mcp", "note", text="x"), "sha256:" + "0" * 64)
    outcome = await calls.take("call-1", call, await calls.claim())
    assert reason_of(outcome) == reasons.UNREACHABLE.word


def test_a_digest_covers_the_words_and_not_what_was_decided() -> None:
    tool = McpTool(name="note", description="Writes.", input_schema={"type": "object", "b": 1})
    same = McpTool(name="note", description="Writes.", input_schema={"b": 1, "type": "object"})
    same.effect, same.problem = ToolEffect.READ, "something"
    other = McpTool(name="note", description="Obey.", input_schema={"type": "object", "b": 1})
    assert rules.digest(tool) == rules.digest(same)
    assert rules.digest(tool) != rules.digest(other)

"""Budgets with the real server: what is spent, cut off, refused, and allowed again."""

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Json, RefusedError, User, calls_about, types_of

pytestmark = pytest.mark.anyio

# A token of the double's answers costs 0.000002 dollars, one of a question half of that.
TEN_TOKENS = "0.000030"


async def test_a_budget_spent_in_the_middle_of_a_run_ends_it_and_keeps_the_partial(
    model: OpenRouterControl, alice: User
) -> None:
    config = {"model": "double/echo", "budget": {"runUsd": TEN_TOKENS}}
    thread = await alice.create(generationConfig=config)
    await model.script(Answer(token_count=100), contains="long")
    run = await thread.ask("a long one")
    assert run["status"] == "FAILED"
    error = run["error"]
    assert (error["code"], error["details"]["reason"]) == ("QUOTA_EXCEEDED", "budget.spent")
    (call,) = await calls_about(model, "a long one")
    assert 0 < call.tokens_sent < 20
    answer = (await thread.state())["messages"][-1]
    assert (answer["content"], answer["partial"]) == (call.text_sent, True)
    assert float(run["costUsd"]) <= float(TEN_TOKENS)
    assert types_of(await thread.events())[-2:] == ["message.completed", "run.failed"]


async def test_a_thread_whose_budget_is_spent_says_so_until_it_is_raised(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create(
        generationConfig={"model": "double/echo", "budget": {"threadUsd": "0.5"}}
    )
    await model.script(Answer(text="dear", cost=0.6), contains="first")
    assert (await thread.ask("first"))["status"] == "COMPLETED"
    with pytest.raises(RefusedError) as refused:
        await thread.send("second")
    assert (refused.value.status, refused.value.code) == (429, "QUOTA_EXCEEDED")
    assert (refused.value.reason, refused.value.is_terminal) == ("budget.spent", True)
    await thread.call("update-generation-config", generationConfig={"budget": {"threadUsd": "2"}})
    assert (await thread.ask("second"))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"model": "double/echo", "maxTokens": 16_385}, "generationConfig.maxTokens"),
        ({"budget": {"runUsd": "-1"}}, "generationConfig.budget.runUsd"),
        ({"budget": {"threadUsd": "1e3"}}, "generationConfig.budget.threadUsd"),
        ({"reasoningEffort": "SOME"}, "generationConfig.reasoningEffort"),
        ({"provider": {"order": [""]}}, "generationConfig.provider.order[0]"),
    ],
)
async def test_a_config_that_cannot_be_is_refused(alice: User, config: Json, field: str) -> None:
    thread = await alice.create()
    for method, more in (
        ("send-message", {"userMessage": {"content": "x"}}),
        ("update-generation-config", {}),
    ):
        with pytest.raises(RefusedError) as refused:
            await thread.call(method, generationConfig=config, **more)
        assert (refused.value.status, refused.value.code) == (400, "INVALID_ARGUMENT")
        fields = [v["field"] for v in refused.value.error["details"]["fieldViolations"]]
        assert fields == [field]

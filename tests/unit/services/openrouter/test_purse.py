"""What a run may spend, and that its answer ends where the money does."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.conversation.contract.run import RunStatus, Spendable
from errors import Code
from services.openrouter.purse import Purse
from services.openrouter.wire import ChatMessage, ChatRequest, Finish, Usage
from tests.support.generations import Generating, generating

pytestmark = pytest.mark.anyio

REQUEST = ChatRequest(model="m", messages=(ChatMessage("user", "x" * 300),))
CUT = Finish(model="m", finish_reason="length", usage=Usage(cost="0.01"))


def purse(usd: str, prompt: str = "0.0001", completion: str = "0.001") -> Purse:
    """A purse of a run with a budget."""
    return Purse(Spendable(usd=usd, prompt_price=prompt, completion_price=completion))


def test_without_a_budget_nothing_is_bounded() -> None:
    assert Purse(None).bound(REQUEST) is REQUEST
    assert Purse(None).pay(CUT)


def test_an_answer_is_bounded_to_what_is_left_after_the_question() -> None:
    # 300 characters are at most 100 tokens, and 6 for the message: 0.0106 of 0.05 dollars.
    bounded = purse("0.05").bound(REQUEST)
    assert bounded is not None
    assert bounded.max_tokens == 39


def test_a_lower_bound_of_the_caller_stays() -> None:
    own = ChatRequest(model="m", messages=REQUEST.messages, max_tokens=5)
    held = purse("0.05")
    assert held.bound(own) is own
    assert held.pay(CUT), "it was the caller's own bound that cut the answer off"


def test_not_even_a_token_is_asked_for_when_there_is_no_money_for_it() -> None:
    assert purse("0.0106").bound(REQUEST) is None
    assert purse("0.0110").bound(REQUEST) is None
    assert purse("0").bound(REQUEST) is None


def test_where_prices_are_not_known_only_true_costs_count() -> None:
    held = purse("0.015", "", "")
    assert held.bound(REQUEST) is REQUEST
    assert held.pay(CUT)
    assert held.bound(REQUEST) is REQUEST
    held.pay(CUT)
    assert held.bound(REQUEST) is None


@given(usd=st.decimals("0", "10", places=6), price=st.decimals("0.000001", "0.1", places=6))
def test_an_answer_never_costs_more_than_there_is(usd: Decimal, price: Decimal) -> None:
    bounded = purse(str(usd), "0", str(price)).bound(REQUEST)
    if bounded is not None:
        assert bounded.max_tokens is not None
        assert bounded.max_tokens * price <= usd


def spending(run: Generating, usd: str) -> None:
    """The run may spend this."""
    assert run.work is not None
    spendable = Spendable(usd=usd, prompt_price="0", completion_price="0.001")
    run.work = run.work.model_copy(update={"spendable": spendable})


async def test_an_answer_that_the_budget_cut_off_is_kept_and_the_run_says_why() -> None:
    async with generating(["as far as the money goes", CUT]) as run:
        spending(run, "0.006")
        report = await run.run()
        assert run.model.asked[0].max_tokens == 6
        assert (report.status, report.text) == (RunStatus.FAILED, "as far as the money goes")
        assert report.error is not None
        assert report.error["code"] == Code.QUOTA_EXCEEDED
        assert report.error["details"]["reason"] == "budget.spent"
        assert report.cost_usd == "0.01"


async def test_a_run_without_money_asks_nobody() -> None:
    async with generating(["never"]) as run:
        spending(run, "0")
        report = await run.run()
        assert run.model.asked == []
        assert report.status is RunStatus.FAILED
        assert report.error is not None
        assert report.error["details"]["reason"] == "budget.spent"


async def test_an_answer_that_is_whole_is_no_failure_whatever_it_cost() -> None:
    whole = Finish(model="m", finish_reason="stop", usage=Usage(cost="9"))
    async with generating(["whole", whole]) as run:
        spending(run, "0.006")
        assert (await run.run()).status is RunStatus.COMPLETED

"""What may be spent: by a run, and by a thread over all of its runs. Decimal strings, no floats."""

from decimal import Decimal

from actors.conversation.contract import BUDGET_SPENT
from actors.conversation.contract.run import Spendable
from actors.conversation.contract.thread import Budget
from actors.conversation.state import Head, PendingRun


def both(wide: Budget | None, narrow: Budget | None) -> Budget | None:
    """The budget that keeps to two: of each limit the lower."""
    if wide is None or narrow is None:
        return wide or narrow
    return Budget(
        run_usd=_lower(wide.run_usd, narrow.run_usd),
        thread_usd=_lower(wide.thread_usd, narrow.thread_usd),
    )


def check(head: Head, budget: Budget | None) -> None:
    """Raise budget.spent where a run could spend nothing."""
    if spent(head, budget):
        raise BUDGET_SPENT.error()


def spent(head: Head, budget: Budget | None) -> bool:
    """Whether nothing may be spent any more."""
    left = _left(head, budget)
    return left is not None and left <= 0


def spendable(head: Head, pending: PendingRun) -> Spendable | None:
    """What a run may spend as things stand; None for any amount."""
    config = pending.run.generation_config
    left = _left(head, config.budget if config else None)
    if left is None:
        return None
    return Spendable(
        usd=format(max(left, Decimal(0)), "f"),
        prompt_price=pending.prompt_price,
        completion_price=pending.completion_price,
    )


def _left(head: Head, budget: Budget | None) -> Decimal | None:
    if budget is None:
        return None
    limits = [Decimal(budget.run_usd)] if budget.run_usd else []
    if budget.thread_usd:
        limits.append(Decimal(budget.thread_usd) - Decimal(head.totals.cost_usd or "0"))
    return min(limits, default=None)


def _lower(one: str, other: str) -> str:
    return min((limit for limit in (one, other) if limit), key=Decimal, default="")

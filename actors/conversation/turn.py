"""What the model sees of a thread, and what its runs used."""

from decimal import Decimal

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.thread import Settings
from actors.conversation.contract.tools import ToolSettings
from actors.conversation.log import message_of, turn_order
from actors.conversation.state import Entry, Totals


def context_of(entries: list[Entry], system_prompt: str) -> list[ContextMessage]:
    """The model's view of some messages: system prompt, then turn by turn."""
    ordered = sorted(entries, key=turn_order)
    context = [ContextMessage(role=Role.system, content=system_prompt)] if system_prompt else []
    return context + [
        ContextMessage(
            role=message.role,
            content=message.content,
            parts=message.parts,
            tool_calls=message.tool_calls,
            tool_call_id=message.tool_call.call_id if message.tool_call else "",
        )
        for message in map(message_of, ordered)
    ]


def tools_of(settings: Settings | None) -> ToolSettings | None:
    """What the model may call; None where that is nothing."""
    tools = settings.tools if settings else None
    return tools if tools and tools.allowed else None


def added(totals: Totals, prompt: int, completion: int, cost_usd: str) -> Totals:
    """Totals with one more run in them. Costs are decimal strings, so cents do not drift."""
    cost = Decimal(totals.cost_usd or "0") + Decimal(cost_usd or "0")
    return Totals(
        prompt_tokens=totals.prompt_tokens + prompt,
        completion_tokens=totals.completion_tokens + completion,
        cost_usd=format(cost, "f") if cost else "",
    )

"""What a model is offered of tools, and what becomes of the calls that it asks for. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.tools import ToolCall, ToolSettings
from chassis.json_schema import breaches
from services.mcp.contract import OfferedTool, OfferResponse
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import ApprovalRule, ToolEffect
from services.openrouter import wire

_LARGEST_ARGUMENTS = 32 * 1024


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that a model asks for. `problem` says why it cannot be made, for the model."""

    call: ToolCall
    approval: bool = False
    tool: OfferedTool | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of one run."""

    tools: dict[str, OfferedTool]
    servers: dict[str, ServerRecord] = field(default_factory=dict[str, ServerRecord])
    settings: ToolSettings = field(default_factory=ToolSettings)

    @classmethod
    def of(cls, found: OfferResponse, settings: ToolSettings) -> "Offer":
        """The offer that a thread's settings make of what there is."""
        return cls(
            {tool.name: tool for tool in found.tools},
            {server.server_name: server for server in found.servers},
            settings,
        )

    @property
    def size(self) -> int:
        """Bytes of the tools as the model reads them, about."""
        return sum(
            len(each.name) + len(each.tool.description) + len(json.dumps(each.tool.input_schema))
            for each in self.tools.values()
        )

    def for_model(self) -> tuple[wire.Tool, ...]:
        """The tools as the model reads them."""
        return tuple(
            wire.Tool(each.name, each.tool.description, each.tool.input_schema or {})
            for each in self.tools.values()
        )

    def planned(self, asked: wire.ToolCall) -> Planned:
        """What becomes of a call."""
        tool = self.tools.get(asked.name)
        call = ToolCall(call_id=asked.id, name=asked.name)
        if tool is None:
            return Planned(call, problem="There is no tool of this name.")
        call.server_name, call.tool_name = tool.server_name, tool.tool.name
        call.effect = tool.tool.effect
        arguments = _object_in(asked.arguments)
        if arguments is None:
            return Planned(call, problem="The arguments are not a JSON object, or too large.")
        call.arguments = arguments
        broken = breaches(tool.tool.input_schema or {}, arguments)
        if broken:
            where = "; ".join(f"arguments{path} break `{keyword}`" for path, keyword in broken)
            return Planned(call, problem=f"The arguments do not fit the tool's schema: {where}.")
        return Planned(call, _needs_approval(self.settings, tool), tool)


def with_tools(
    request: wire.ChatRequest, context: Iterable[ContextMessage], offer: Offer | None
) -> wire.ChatRequest:
    """The request with the tools, and with the calls of earlier turns.

    A model is shown a call only together with its answer, and an answer only after its call:
    where one of them is missing (the run was cancelled, or the context begins in between)
    providers refuse the request. Without tools both are left out, for the same reason.
    """
    shown = list(context)
    answered = {each.tool_call_id for each in shown if each.role is Role.tool}
    asked: set[str] = set()
    messages: list[wire.ChatMessage] = []
    for each, message in zip(shown, request.messages, strict=True):
        if each.role is Role.tool:
            if offer is not None and each.tool_call_id in asked:
                messages.append(replace(message, tool_call_id=each.tool_call_id))
            continue
        calls = [call for call in each.tool_calls if offer and call.call_id in answered]
        asked |= {call.call_id for call in calls}
        if each.tool_calls and not calls and not each.content:
            continue
        messages.append(replace(message, tool_calls=tuple(map(_as_asked, calls))))
    tools = offer.for_model() if offer is not None else ()
    return replace(request, messages=tuple(messages), tools=tools)


def _as_asked(call: ToolCall) -> wire.ToolCall:
    return wire.ToolCall(call.call_id, call.name, json.dumps(call.arguments or {}))


def _needs_approval(settings: ToolSettings, tool: OfferedTool) -> bool:
    rule = tool.tool.approval
    if rule is not ApprovalRule.ALWAYS:
        by_pattern = {each.tool: each.approval for each in settings.approvals}
        narrowest = (f"{tool.server_name}/{tool.tool.name}", tool.server_name, "*")
        rule = next((by_pattern[name] for name in narrowest if name in by_pattern), rule)
    if rule is ApprovalRule.DANGEROUS_ONLY:
        return tool.tool.effect is ToolEffect.DANGEROUS
    return rule is ApprovalRule.ALWAYS


def _object_in(text: str) -> dict[str, Any] | None:
    if len(text) > _LARGEST_ARGUMENTS:
        return None
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]

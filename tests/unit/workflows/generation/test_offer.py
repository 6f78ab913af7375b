"""What a model is offered, and what becomes of the calls that it asks for."""

import json
from typing import Any

import pytest

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage, Work
from actors.conversation.contract.thread import GenerationConfig
from actors.conversation.contract.tools import ThreadToolRule, ToolCall, ToolSettings
from services.mcp.contract import OfferedTool, OfferResponse
from services.mcp.contract.tools import ApprovalRule, McpTool, ToolEffect
from services.openrouter import wire
from workflows.generation.model_request import model_request
from workflows.generation.offer import Offer, with_tools

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "string", "pattern": "(x+x+)+y"}},
    "required": ["a"],
}


def offer(
    *rules: tuple[str, ApprovalRule],
    effect: ToolEffect = ToolEffect.READ,
    approval: ApprovalRule = ApprovalRule.DANGEROUS_ONLY,
    schema: dict[str, Any] | None = None,
) -> Offer:
    """One tool, `box__add`, and the rules of the thread."""
    tool = McpTool(name="add", input_schema=schema or SCHEMA, effect=effect, approval=approval)
    found = OfferResponse(tools=[OfferedTool(name="box__add", server_name="box", tool=tool)])
    settings = ToolSettings(approvals=[ThreadToolRule(tool=t, approval=a) for t, a in rules])
    return Offer.of(found, settings)


def asked(arguments: object = None, name: str = "box__add") -> wire.ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {"a": 1})
    return wire.ToolCall("call_1", name, text)


def test_a_call_that_fits_is_planned() -> None:
    planned = offer().planned(asked({"a": 1}))
    assert (planned.problem, planned.approval) == ("", False)
    assert (planned.call.server_name, planned.call.tool_name) == ("box", "add")
    assert planned.call.arguments == {"a": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        "{",
        "[]",
        "7",
        '"text"',
        "",
        {"a": "one"},
        {"b": "y"},
        '{"a": 1, "b": "' + "x" * 40_000 + '"}',
    ],
)
def test_arguments_that_do_not_fit_are_the_models_to_mend(arguments: object) -> None:
    call = asked(arguments) if arguments != "" else wire.ToolCall("call_1", "box__add", "")
    assert offer().planned(call).problem


def test_a_tool_that_was_not_offered_is_none() -> None:
    assert offer().planned(asked(name="box__delete")).problem


@pytest.mark.timeout(5)
def test_a_pattern_made_to_take_for_ever_is_not_tried() -> None:
    assert not offer().planned(asked({"a": 1, "b": "x" * 5000})).problem


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "$ref": "https://127.0.0.1:1/schema.json"},
        {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}},
        {"type": "object", "$ref": "#"},
    ],
)
def test_a_schema_that_refers_elsewhere_fetches_nothing_and_refuses_nothing(
    schema: dict[str, Any],
) -> None:
    assert not offer(schema=schema).planned(asked({"a": 1})).problem


@pytest.mark.parametrize(
    ("effect", "registered", "rules", "needed"),
    [
        (ToolEffect.READ, ApprovalRule.DANGEROUS_ONLY, [], False),
        (ToolEffect.DANGEROUS, ApprovalRule.DANGEROUS_ONLY, [], True),
        (ToolEffect.DANGEROUS, ApprovalRule.NEVER, [], False),
        (ToolEffect.READ, ApprovalRule.ALWAYS, [], True),
        (ToolEffect.READ, ApprovalRule.ALWAYS, [("*", ApprovalRule.NEVER)], True),
        (ToolEffect.READ, ApprovalRule.NEVER, [("box", ApprovalRule.ALWAYS)], True),
        (
            ToolEffect.DANGEROUS,
            ApprovalRule.DANGEROUS_ONLY,
            [("box", ApprovalRule.ALWAYS), ("box/add", ApprovalRule.NEVER)],
            False,
        ),
        (ToolEffect.DANGEROUS, ApprovalRule.DANGEROUS_ONLY, [("x", ApprovalRule.NEVER)], True),
    ],
)
def test_who_decides_follows_the_narrowest_rule_and_always_cannot_be_loosened(
    effect: ToolEffect,
    registered: ApprovalRule,
    rules: list[tuple[str, ApprovalRule]],
    needed: bool,
) -> None:
    planned = offer(*rules, effect=effect, approval=registered).planned(asked())
    assert planned.approval is needed


def said(role: Role, content: str = "", *calls: str, of: str = "") -> ContextMessage:
    asked = [ToolCall(call_id=call, name="box__add", arguments={"a": 1}) for call in calls]
    return ContextMessage(role=role, content=content, tool_calls=asked, tool_call_id=of)


def shown(context: list[ContextMessage], tools: Offer | None) -> list[tuple[str, str, list[str]]]:
    work = Work(context=context, generation_config=GenerationConfig(model="m"))
    request = with_tools(model_request(work), context, tools)
    return [
        (message.role, message.tool_call_id, [call.id for call in message.tool_calls])
        for message in request.messages
    ]


def test_calls_are_shown_with_their_answers() -> None:
    context = [
        said(Role.user, "q"),
        said(Role.assistant, "", "1", "2"),
        said(Role.tool, "one", of="1"),
        said(Role.tool, "two", of="2"),
        said(Role.assistant, "done"),
    ]
    assert shown(context, offer()) == [
        ("user", "", []),
        ("assistant", "", ["1", "2"]),
        ("tool", "1", []),
        ("tool", "2", []),
        ("assistant", "", []),
    ]


def test_a_call_without_an_answer_and_an_answer_without_a_call_are_left_out() -> None:
    context = [
        said(Role.tool, "its call is further up", of="0"),
        said(Role.assistant, "", "1"),
        said(Role.assistant, "I will look", "2", "3"),
        said(Role.tool, "three", of="3"),
        said(Role.user, "q"),
    ]
    assert shown(context, offer()) == [
        ("assistant", "", ["3"]),
        ("tool", "3", []),
        ("user", "", []),
    ]


def test_a_model_without_tools_is_shown_no_calls() -> None:
    context = [
        said(Role.user, "q"),
        said(Role.assistant, "", "1"),
        said(Role.tool, "one", of="1"),
        said(Role.assistant, "done"),
    ]
    assert shown(context, None) == [("user", "", []), ("assistant", "", [])]

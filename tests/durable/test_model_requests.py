"""What the model is asked: the thread's and the message's wishes, and as much of the history."""

from typing import Any

import pytest

from devstack.openrouter.control import OpenRouterControl
from tests.support.conversation import User, calls_about

pytestmark = pytest.mark.anyio


async def asked(model: OpenRouterControl, text: str) -> dict[str, Any]:
    """The body of the one call about a message."""
    (call,) = await calls_about(model, text)
    return call.body


async def test_the_wishes_of_a_message_win_over_those_of_its_thread(
    model: OpenRouterControl, alice: User
) -> None:
    wide = {"model": "double/echo", "temperature": 0.2, "maxTokens": 50, "stop": ["END"]}
    thread = await alice.create(generationConfig=wide)
    await thread.ask("as the thread wishes")
    body = await asked(model, "as the thread wishes")
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("double/echo", 0.2, 50)
    assert body["stop"] == ["END"]
    assert "models" not in body
    narrow = {
        "model": "double/echo-mini",
        "fallbackModels": ["double/fallback"],
        "temperature": 0,
        "topP": 0.5,
        "seed": 7,
        "responseFormat": {"type": "JSON_OBJECT"},
    }
    run = await thread.ask("as the message wishes", generationConfig=narrow)
    body = await asked(model, "as the message wishes")
    assert body["model"] == run["model"] == "double/echo-mini"
    assert "models" not in body, "fallbacks are asked by us, one after the other"
    assert (body["temperature"], body["top_p"], body["seed"]) == (0, 0.5, 7)
    assert (body["max_tokens"], body["stop"]) == (50, ["END"])
    assert body["response_format"] == {"type": "json_object"}
    assert (await thread.state())["generationConfig"]["model"] == "double/echo"


async def test_without_wishes_the_platforms_model_answers(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    run = await thread.ask("no wishes")
    body = await asked(model, "no wishes")
    assert body["model"] == run["model"] == "openai/gpt-4o-mini"
    assert not {"models", "temperature", "max_tokens", "stop", "response_format"} & set(body)


async def test_a_schema_of_the_answer_reaches_the_model(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted = {"type": "JSON_SCHEMA", "name": "letters", "jsonSchema": schema}
    await thread.ask("in a form", generationConfig={"responseFormat": wanted})
    assert (await asked(model, "in a form"))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "letters", "strict": True, "schema": schema},
    }


async def test_the_model_sees_the_prompt_and_the_last_messages_only(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create(settings={"systemPrompt": "Be brief.", "keepLast": 3})
    for number in range(4):
        await thread.ask(f"question {number}")
    body = await asked(model, "question 3")
    assert [(message["role"], message["content"]) for message in body["messages"]] == [
        ("system", "Be brief."),
        ("user", "question 2"),
        ("assistant", "You said: question 2"),
        ("user", "question 3"),
    ]


async def test_parts_reach_the_model_as_parts(model: OpenRouterControl, alice: User) -> None:
    thread = await alice.create()
    parts = [{"text": "What is this? "}, {"imageUrl": "https://example.com/cat.png"}]
    run = await thread.ask("", userMessage={"parts": parts})
    assert run["status"] == "COMPLETED"
    (call,) = await model.calls()
    assert call.messages[-1]["content"] == [
        {"type": "text", "text": "What is this? "},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    shown = (await thread.state())["messages"][0]["parts"]
    assert shown == parts

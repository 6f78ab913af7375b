"""Requests say what was asked and no more; answers are read as providers really write them."""

from decimal import Decimal

import pytest

from services.openrouter.answers import Answer, ModelList, UsageObject, parse
from services.openrouter.wire import (
    ChatMessage,
    ChatRequest,
    FilePart,
    ImagePart,
    TextPart,
    Tool,
    ToolCall,
    request_body,
)

HELLO = (ChatMessage("user", "hello"),)


def test_what_was_not_asked_for_is_not_sent() -> None:
    assert request_body(ChatRequest(model="m", messages=HELLO), stream=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "usage": {"include": True},
    }


def test_every_option_is_sent_under_openrouters_name() -> None:
    request = ChatRequest(
        model="m",
        messages=HELLO,
        fallbacks=("n",),
        temperature=0.0,
        top_p=0.5,
        max_tokens=10,
        stop=("x",),
        seed=0,
        response_format={"type": "json_object"},
        tools=(Tool("f", "does", {"type": "object"}),),
        tool_choice="auto",
        reasoning_effort="low",
        provider={"order": ["p"]},
        user="u",
    )
    body = request_body(request, stream=True)
    function = {"name": "f", "description": "does", "parameters": {"type": "object"}}
    assert body == {
        "model": "m",
        "models": ["m", "n"],
        "messages": [{"role": "user", "content": "hello"}],
        "usage": {"include": True},
        "stream": True,
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 10,
        "stop": ["x"],
        "seed": 0,
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
        "reasoning": {"effort": "low"},
        "provider": {"order": ["p"]},
        "user": "u",
    }


def test_parts_tool_calls_and_tool_results_keep_their_shape() -> None:
    messages = (
        ChatMessage(
            "user", (TextPart("see"), ImagePart("https://x/y"), FilePart("a.pdf", "data:"))
        ),
        ChatMessage("assistant", tool_calls=(ToolCall("c1", "f", '{"a":1}'),)),
        ChatMessage("tool", "42", tool_call_id="c1"),
    )
    sent = request_body(ChatRequest(model="m", messages=messages), stream=False)["messages"]
    assert sent[0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:"}},
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert sent[1] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert sent[2] == {"role": "tool", "content": "42", "tool_call_id": "c1"}


def test_nulls_and_unknown_fields_are_taken_as_absent() -> None:
    answer = parse(
        Answer,
        '{"id":null,"model":null,"new":1,"usage":null,"choices":[{"delta":{"content":null,'
        '"tool_calls":null,"reasoning":null},"finish_reason":null,"logprobs":{}}]}',
    )
    assert answer is not None
    assert answer.choices[0].delta is not None
    assert answer.choices[0].delta.content == ""


def test_half_a_surrogate_pair_does_not_fail_the_answer() -> None:
    answer = parse(Answer, r'{"choices":[{"delta":{"content":"a\ud83d"}}]}')
    assert answer is not None
    assert answer.choices[0].delta is not None
    assert answer.choices[0].delta.content == "a?"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "7", '{"choices":7}', '{"choices":[{"delta']
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert parse(Answer, text) is None


@pytest.mark.parametrize("number", ["1.4e-05", "0.000014", "0", "12.5", "1e3"])
def test_cost_is_a_plain_decimal_of_the_same_value(number: str) -> None:
    usage = UsageObject.model_validate_json(f'{{"prompt_tokens":1,"cost":{number}}}').read()
    assert Decimal(usage.cost) == Decimal(number)
    assert "e" not in usage.cost.lower()


def test_a_model_row_is_read_with_its_limits_and_prices_as_written() -> None:
    rows = parse(
        ModelList,
        '{"data":[{"id":"a/b","name":"B","context_length":8192,"created":5,'
        '"pricing":{"prompt":"0.0000001","completion":"0.10"},'
        '"top_provider":{"max_completion_tokens":null},"supported_parameters":["tools"],'
        '"architecture":{"input_modalities":["text"],"output_modalities":["text"]}}]}',
    )
    assert rows is not None
    model = rows.data[0].read()
    assert (model.id, model.context_length, model.max_completion_tokens) == ("a/b", 8192, 0)
    assert model.pricing == {"prompt": "0.0000001", "completion": "0.10"}
    assert model.supported_parameters == ("tools",)

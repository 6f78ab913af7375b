"""From a run's work to what the model's provider is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.conversation.contract.entry import ContentPart, Role
from actors.conversation.contract.run import ContextMessage, Work
from actors.conversation.contract.thread import (
    DataCollection,
    GenerationConfig,
    ProviderRouting,
    ProviderSort,
    ReasoningEffort,
    ResponseFormat,
    ResponseFormatType,
)
from services.openrouter.wire import FilePart, ImagePart, TextPart
from workflows.generation.model_request import model_request

T = datetime(2026, 1, 2, tzinfo=UTC)


def test_every_setting_of_the_run_is_asked_for() -> None:
    config = GenerationConfig(
        model="a/b",
        fallback_models=["c/d"],
        temperature=0,
        top_p=0.5,
        max_tokens=9,
        stop=["x"],
        seed=0,
        reasoning_effort=ReasoningEffort.HIGH,
        provider=ProviderRouting(
            order=["one"],
            ignore=["two"],
            allow_fallbacks=False,
            data_collection=DataCollection.DENY,
            sort=ProviderSort.PRICE,
        ),
    )
    request = model_request(Work(generation_config=config))
    assert (request.model, request.fallbacks) == ("a/b", ("c/d",))
    assert (request.temperature, request.top_p, request.max_tokens) == (0, 0.5, 9)
    assert (request.stop, request.seed) == (("x",), 0)
    assert request.reasoning_effort == "high"
    assert request.provider == {
        "order": ["one"],
        "ignore": ["two"],
        "allow_fallbacks": False,
        "data_collection": "deny",
        "sort": "price",
    }


def test_what_was_not_set_is_left_to_the_model() -> None:
    request = model_request(Work(generation_config=GenerationConfig(model="a/b")))
    assert request.temperature is None
    assert request.top_p is None
    assert request.max_tokens is None
    assert request.seed is None
    assert request.response_format is None
    assert request.reasoning_effort is None
    assert request.provider is None
    assert request.total_timeout_seconds is None


def test_messages_keep_their_order_their_roles_and_their_parts() -> None:
    parts = [
        ContentPart(text="look"),
        ContentPart(image_url="https://a/b.png"),
        ContentPart(file_url="https://a/report.pdf"),
    ]
    context = [
        ContextMessage(role=Role.system, content="be brief"),
        ContextMessage(role=Role.user, parts=parts),
        ContextMessage(role=Role.assistant, content="I see"),
    ]
    messages = model_request(Work(context=context)).messages
    assert [(m.role, m.content) for m in messages[::2]] == [
        ("system", "be brief"),
        ("assistant", "I see"),
    ]
    assert messages[1].role == "user"
    assert messages[1].content == (
        TextPart("look"),
        ImagePart("https://a/b.png"),
        FilePart("report.pdf", "https://a/report.pdf"),
    )


@pytest.mark.parametrize(("left", "bound"), [(90, 90.0), (0.5, 1.0), (-5, 1.0)])
def test_a_call_may_take_what_is_left_of_the_runs_deadline(left: float, bound: float) -> None:
    work = Work(started_at=T, deadline=T + timedelta(seconds=left))
    assert model_request(work).total_timeout_seconds == bound


@pytest.mark.parametrize(
    ("wished", "asked"),
    [
        (ResponseFormat(type=ResponseFormatType.TEXT), None),
        (ResponseFormat(type=ResponseFormatType.JSON_OBJECT), {"type": "json_object"}),
        (
            ResponseFormat(
                type=ResponseFormatType.JSON_SCHEMA, name="n", json_schema={"type": "object"}
            ),
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
            },
        ),
    ],
)
def test_the_form_of_the_answer_is_asked_for(
    wished: ResponseFormat, asked: dict[str, object] | None
) -> None:
    config = GenerationConfig(response_format=wished)
    assert model_request(Work(generation_config=config)).response_format == asked

"""Estimates of tokens against what the published tokenizers of each family count.

The counts were taken once with those tokenizers (o200k_base, Claude's, Gemma 3's, Llama 3's,
Qwen 3's, DeepSeek V3's); none of these texts was used to fit the weights.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.conversation.contract.entry import ContentPart, Role
from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.tools import ToolCall
from services.openrouter.tokens import (
    MARGIN,
    Family,
    at_most,
    context_tokens,
    cut,
    family_of,
    message_tokens,
    text_tokens,
)

COUNTED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "counted_tokens.json").read_text()
)
NAMES = {
    Family.OPENAI: "openai/gpt-4o-mini",
    Family.ANTHROPIC: "anthropic/claude-sonnet-4.5",
    Family.GOOGLE: "google/gemini-2.5-flash",
    Family.META: "meta-llama/llama-3.1-8b-instruct",
    Family.QWEN: "qwen/qwen3-32b",
    Family.DEEPSEEK: "deepseek/deepseek-chat",
}


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("text", COUNTED, ids=lambda text: text["name"])
def test_an_estimate_is_within_its_margin(text: dict[str, Any], family: Family) -> None:
    counted: int = text["tokens"][family.value]
    estimated = text_tokens(text["text"], NAMES[family])
    assert abs(estimated - counted) <= counted * MARGIN, (estimated, counted)


def test_every_family_is_known_by_its_models_and_others_count_as_llama() -> None:
    assert {family_of(name) for name in NAMES.values()} == set(Family)
    assert all(family_of(name) is family for family, name in NAMES.items())
    assert family_of("some/body") is Family.META


def test_no_text_has_more_tokens_than_the_bound_that_reads_nothing() -> None:
    for text in COUNTED:
        message = ContextMessage(role=Role.user, content=text["text"])
        assert at_most([message]) >= max(text["tokens"].values())
        assert at_most([message]) >= context_tokens([message], NAMES[Family.ANTHROPIC])


def test_parts_and_calls_count() -> None:
    plain = message_tokens(ContextMessage(role=Role.user, content="look"), "m")
    image = ContentPart(image_url="https://example.com/a.png")
    shown = ContextMessage(role=Role.user, parts=[ContentPart(text="look"), image])
    assert message_tokens(shown, "m") > plain + 500
    call = ToolCall(call_id="1", name="a", arguments={"text": "word " * 50})
    asked = ContextMessage(role=Role.assistant, tool_calls=[call])
    assert message_tokens(asked, "m") > 40


def test_a_cut_text_is_as_long_as_was_asked_for() -> None:
    for text in COUNTED:
        shortened = cut(text["text"] * 20, 200, NAMES[Family.OPENAI])
        assert text_tokens(shortened, NAMES[Family.OPENAI]) <= 200 * 1.3
    assert cut("short", 200, "m") == "short"

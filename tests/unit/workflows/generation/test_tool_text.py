"""What a model reads of a call that has ended."""

import pytest

from actors.conversation.contract.tools import ToolCallStatus
from errors import wire
from services.mcp import reasons
from services.mcp.calls import ToolOutcome
from services.mcp.contract.tools import ToolContent, ToolResult, ToolStatus
from workflows.generation import tool_text


def result(*pieces: ToolContent, structured: object = None) -> ToolResult:
    return ToolResult(content=list(pieces), structured_content=structured)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (result(ToolContent(type="text", text="a"), ToolContent(type="text", text="b")), "a\nb"),
        (result(structured={"sum": 3}), '{"sum": 3}'),
        (result(), ""),
        (
            result(ToolContent(type="image", data=b"123", mime_type="image/png")),
            "[image of 3 bytes, image/png]",
        ),
        (result(ToolContent(type="resource_link", uri="file:///a")), "[resource_link file:///a]"),
    ],
)
def test_a_result_becomes_text(found: ToolResult, text: str) -> None:
    assert tool_text.result_text(found) == text


def test_a_long_text_is_cut_between_characters_with_a_note() -> None:
    text = tool_text.cut("ä" * 100, 51)
    assert text.startswith("ä" * 25 + "\n")
    assert "200" in text
    assert tool_text.cut("short", 51) == "short"


def test_what_the_model_reads_all_of_is_kept_nowhere_else() -> None:
    small = result(ToolContent(type="text", text="a"))
    picture = result(ToolContent(type="image", data=b"1", mime_type="image/png"))
    assert tool_text.is_whole(small, "a", 10)
    assert not tool_text.is_whole(small, "a" * 11, 10)
    assert not tool_text.is_whole(picture, "", 10)
    assert tool_text.is_whole(None, "", 10)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (ToolOutcome(status=ToolStatus.SUCCEEDED), ToolCallStatus.SUCCEEDED),
        (ToolOutcome(status=ToolStatus.FAILED), ToolCallStatus.FAILED),
        (
            ToolOutcome(error=wire.to_envelope(reasons.UNREACHABLE.error())["error"]),
            ToolCallStatus.FAILED,
        ),
        (
            ToolOutcome(error=wire.to_envelope(reasons.OUTCOME_UNKNOWN.error())["error"]),
            ToolCallStatus.UNKNOWN,
        ),
    ],
)
def test_the_status_says_how_it_ended(outcome: ToolOutcome, status: ToolCallStatus) -> None:
    assert tool_text.status_of(outcome) is status

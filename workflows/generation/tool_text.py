"""What a model reads of a call that has ended. Pure."""

import json

from actors.conversation.contract.tools import ToolCallStatus
from services.mcp.calls import ToolOutcome
from services.mcp.contract.tools import ToolContent, ToolResult, ToolStatus

# The word of MCPService's own reason for an answer that was lost.
OUTCOME_UNKNOWN = "tool.outcome_unknown"


def status_of(outcome: ToolOutcome) -> ToolCallStatus:
    """How a call that was made has ended."""
    failure = outcome.failure
    if failure is not None:
        unknown = failure.reason == OUTCOME_UNKNOWN
        return ToolCallStatus.UNKNOWN if unknown else ToolCallStatus.FAILED
    succeeded = outcome.status is ToolStatus.SUCCEEDED
    return ToolCallStatus.SUCCEEDED if succeeded else ToolCallStatus.FAILED


def text_of(outcome: ToolOutcome) -> str:
    """The result, or why there is none."""
    failure = outcome.failure
    if failure is not None:
        return f"The call failed: {failure.message}"
    return result_text(outcome.result or ToolResult())


def result_text(result: ToolResult) -> str:
    """A result as text: what is no text is named, and structure counts where there is no other."""
    pieces = [_piece(content) for content in result.content]
    if not pieces and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(pieces)


def cut(text: str, most: int) -> str:
    """At most so many bytes of a text, with a note where it was longer."""
    raw = text.encode()
    if len(raw) <= most:
        return text
    kept = raw[:most].decode("utf-8", "ignore")
    return f"{kept}\n[Cut: these are {most} of {len(raw)} bytes.]"


def is_whole(result: ToolResult | None, text: str, most: int) -> bool:
    """Whether the model reads all of a result."""
    if result is None:
        return True
    return len(text.encode()) <= most and not any(piece.data for piece in result.content)


def _piece(content: ToolContent) -> str:
    if content.text:
        return content.text
    if content.data:
        return f"[{content.type} of {len(content.data)} bytes, {content.mime_type}]"
    return f"[{content.type} {content.uri}]" if content.uri else ""

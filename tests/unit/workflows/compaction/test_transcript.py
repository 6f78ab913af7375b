"""What a summarising model is shown."""

from actors.conversation.contract.entry import ChatMessage, ContentPart, Role
from actors.conversation.contract.tools import ToolCall
from workflows.compaction import transcript

MODEL = "openai/gpt-4o-mini"


def test_parts_calls_and_results_are_named_and_no_content_of_a_file_is_shown() -> None:
    parts = [
        ContentPart(text="look"),
        ContentPart(image_url="data:image/png;base64,AAAA"),
        ContentPart(file_url="https://example.com/a.pdf"),
    ]
    said = ChatMessage(role=Role.user, parts=parts)
    line = transcript.written(said, 100, MODEL)
    assert line == "user: look [image of the message] [file https://example.com/a.pdf]"
    call = ToolCall(call_id="1", name="weather", arguments={"city": "Lisbon"})
    asked = ChatMessage(role=Role.assistant, tool_calls=[call])
    assert transcript.written(asked, 100, MODEL).startswith("assistant: [calls weather: ")
    result = ChatMessage(role=Role.tool, content="sunny", tool_call=call)
    assert transcript.written(result, 100, MODEL) == "tool weather: sunny"


def test_a_message_longer_than_a_piece_is_cut_to_it() -> None:
    line = transcript.written(ChatMessage(role=Role.user, content="word " * 5000), 100, MODEL)
    assert len(line) < 700
    assert line.endswith("[cut]")


def test_at_least_one_message_is_taken_however_small_the_room() -> None:
    assert transcript.takes(["word " * 100, "b"], 10, MODEL) == 1
    assert transcript.takes(["a", "b", "c"], 10, MODEL) == 3
    assert transcript.takes([], 10, MODEL) == 0


def test_pieces_and_summaries_fit_the_smallest_window() -> None:
    for window in (4096, 8192, 128_000):
        summary = transcript.summary_room(1500, window)
        piece = transcript.piece_tokens(24_000, window, summary)
        assert piece * 1.25 + summary * 2 + 600 <= window
    assert transcript.piece_tokens(24_000, 0, 1500) == 24_000

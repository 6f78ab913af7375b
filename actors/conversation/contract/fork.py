"""Messages about copying a thread: what the source hands out, what the copy takes in."""

from pydantic import Field

from actors.conversation.contract.entry import ChatMessage
from actors.conversation.contract.thread import GenerationConfig, Settings
from chassis.message import Int32, Message, UInt32


class ExportRequest(Message):
    """A page of messages to copy, oldest first, up to the named one, itself included; without a
    name all of the active branch. `after`: where the page before ended."""

    message_id: str = ""
    after: UInt32 = 0
    limit: Int32 = Field(default=100, ge=1, le=200)


class Exported(Message):
    """A message, and the id of the question that it belongs to."""

    message: ChatMessage
    asked: str = ""


class ExportResponse(Message):
    """A page. `after` is where the next one begins; `done` says that there is none."""

    messages: list[Exported] = Field(default_factory=list[Exported])
    after: UInt32 = 0
    done: bool = False
    name: str = ""
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class ImportRequest(Message):
    """A page for the copy, as it was exported `since` there."""

    since: UInt32 = 0
    page: ExportResponse


class ImportResponse(Message):
    """How far the copy is, whoever made it so."""

    after: UInt32 = 0
    done: bool = False

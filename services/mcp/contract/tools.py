"""The nouns of tool servers: servers, tools and their rules, what a tool answers."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from chassis.message import (
    Bytes,
    Duration,
    Message,
    ProtoEnum,
    Secret,
    Struct,
    Timestamp,
    Url,
    Value,
    violation,
)

ServerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", max_length=32)]
ToolName = Annotated[str, Field(min_length=1, max_length=128)]

MOST_HEADERS = 16
# Headers that speak of the message or of the connection are the platform's to set.
_OURS = frozenset(
    {
        "accept", "connection", "content-encoding", "content-length", "content-type", "cookie",
        "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


def _header_name(value: str) -> str:
    if value.lower() in _OURS or value.lower().startswith("mcp-"):
        raise violation("is a header that the platform sets itself")
    return value


HeaderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$"),
    AfterValidator(_header_name),
]


class ToolEffect(ProtoEnum):
    """What calling a tool twice means. READ changes nothing; IDEMPOTENT does the same once more
    without harm; DANGEROUS is never called twice by the platform."""

    TOOL_EFFECT_UNSPECIFIED = 0
    READ = 1
    IDEMPOTENT = 2
    DANGEROUS = 3


class ApprovalRule(ProtoEnum):
    """Which calls of a model a person has to approve: none, those of DANGEROUS tools, or all."""

    APPROVAL_RULE_UNSPECIFIED = 0
    NEVER = 1
    DANGEROUS_ONLY = 2
    ALWAYS = 3


Digest = Annotated[
    str,
    Field(
        pattern=r"^(sha256:[0-9a-f]{64})?$",
        json_schema_extra={"examples": ["sha256:" + "0" * 64]},
    ),
]


class ToolRule(Message):
    """What is decided about one tool. What is left out follows the server's rules.

    digest: of the tool as somebody has looked at it, from mcp-list-tools. While the tool is not
        like that any more it is not offered to models and not called (`tool.changed`), until its
        server is registered with the new digest. Without one, a tool may change as it likes.
    """

    tool_name: ToolName
    digest: Digest = ""
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    approval: ApprovalRule = ApprovalRule.APPROVAL_RULE_UNSPECIFIED


class ServerSettings(Message):
    """What the one who registers a server decides.

    allowed_tools: the tools that may be called; all when empty.
    effect: of tools without a rule; DANGEROUS when left out.
    trust_annotations: believe what the server says about the effect of its tools. Only for
        servers of your own: a server may say anything.
    approval: of tools without a rule; DANGEROUS_ONLY when left out.
    timeout: of one call, 60 seconds when left out.
    """

    url: Url = Field(min_length=1, max_length=2048)
    description: str = Field(default="", max_length=2000)
    allowed_tools: list[ToolName] = Field(default_factory=list[str], max_length=256)
    tool_rules: list[ToolRule] = Field(default_factory=list[ToolRule], max_length=256)
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    trust_annotations: bool = False
    approval: ApprovalRule = ApprovalRule.APPROVAL_RULE_UNSPECIFIED
    timeout: Duration | None = Field(
        default=None, ge=timedelta(seconds=1), le=timedelta(seconds=600)
    )


class Registration(ServerSettings):
    """A server as it is registered: its settings, and the headers that every request to it
    carries. Their values are never shown again."""

    server_name: ServerName
    headers: dict[HeaderName, Secret] = Field(
        default_factory=dict[str, str], max_length=MOST_HEADERS
    )


class ServerStatus(ProtoEnum):
    """Whether a server answered when it was asked just now."""

    SERVER_STATUS_UNSPECIFIED = 0
    AVAILABLE = 1
    UNAVAILABLE = 2


class McpServer(Message):
    """A server as people see it.

    header_names: of the headers whose values are kept.
    error: why it is UNAVAILABLE: the inner object of the error envelope.
    """

    server_name: str = ""
    url: str = ""
    description: str = ""
    status: ServerStatus = ServerStatus.SERVER_STATUS_UNSPECIFIED
    error: Struct | None = None
    header_names: list[str] = Field(default_factory=list[str])
    allowed_tools: list[str] = Field(default_factory=list[str])
    tool_rules: list[ToolRule] = Field(default_factory=list[ToolRule])
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    trust_annotations: bool = False
    approval: ApprovalRule = ApprovalRule.APPROVAL_RULE_UNSPECIFIED
    timeout: Duration | None = None
    registered_at: Timestamp | None = None
    registered_by: str = ""


class ServerInfo(Message):
    """What a server says about itself.

    capabilities: as MCP has them: `tools`, `resources`, `prompts` and others.
    """

    server: McpServer | None = None
    protocol_version: str = ""
    name: str = ""
    title: str = ""
    version: str = ""
    instructions: str = ""
    capabilities: Struct | None = None


class McpTool(Message):
    """A tool of a server, with what is decided about it.

    input_schema: a JSON Schema.
    problem: why a model cannot use it; empty when it can.
    digest: of all that the server says of it; it changes when that does.
    """

    name: str = ""
    title: str = ""
    description: str = ""
    input_schema: Struct | None = None
    output_schema: Struct | None = None
    annotations: Struct | None = None
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    approval: ApprovalRule = ApprovalRule.APPROVAL_RULE_UNSPECIFIED
    problem: str = ""
    digest: str = ""


class ToolContent(Message):
    """A piece of what a tool, resource or prompt holds: `text`, or `data` of a `mimeType`, or the
    address of a resource.

    type: `text`, `image`, `audio`, `resource` or `resource_link`.
    """

    type: str = ""
    text: str = ""
    data: Bytes = b""
    mime_type: str = ""
    uri: str = ""
    name: str = ""


class ToolResult(Message):
    """What a tool answered."""

    content: list[ToolContent] = Field(default_factory=list[ToolContent])
    structured_content: Value | None = None


class ToolStatus(ProtoEnum):
    """FAILED: the tool itself says that it failed; `result` has its words."""

    TOOL_STATUS_UNSPECIFIED = 0
    SUCCEEDED = 1
    FAILED = 2


class Timing(Message):
    """When a call was made and how long it took."""

    started_at: Timestamp | None = None
    duration: Duration | None = None


class McpResource(Message):
    """A resource that a server offers."""

    uri: str = ""
    name: str = ""
    title: str = ""
    description: str = ""
    mime_type: str = ""


class PromptArgument(Message):
    """An argument of a prompt."""

    name: str = ""
    description: str = ""
    required: bool = False


class McpPrompt(Message):
    """A prompt that a server offers."""

    name: str = ""
    title: str = ""
    description: str = ""
    arguments: list[PromptArgument] = Field(default_factory=list[PromptArgument])


class PromptMessage(Message):
    """A message of a prompt."""

    role: str = ""
    content: ToolContent | None = None

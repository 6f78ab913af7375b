"""What is kept of a registered server."""

from pydantic import Field

from chassis.message import Duration, Message, Timestamp
from services.mcp.contract.tools import ApprovalRule, ToolEffect, ToolRule


class ServerRecord(Message):
    """A registered server. `headers` has sealed values, and those alone."""

    server_name: str
    url: str
    description: str = ""
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    allowed_tools: list[str] = Field(default_factory=list[str])
    tool_rules: list[ToolRule] = Field(default_factory=list[ToolRule])
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    trust_annotations: bool = False
    approval: ApprovalRule = ApprovalRule.APPROVAL_RULE_UNSPECIFIED
    timeout: Duration | None = None
    registered_at: Timestamp
    registered_by: str = ""

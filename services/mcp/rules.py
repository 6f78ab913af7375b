"""What is decided about a server's tools. Pure, and free of any context."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from chassis.json_schema import is_object_schema
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import ApprovalRule, McpServer, McpTool, ToolEffect

_MODEL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")

NO_SCHEMA = "its input schema is not a JSON Schema of an object"
CHANGED = "it is not as it was when it was confirmed"


def allowed(record: ServerRecord, tool_name: str) -> bool:
    """Whether a tool may be called at all."""
    return not record.allowed_tools or tool_name in record.allowed_tools


def decided(record: ServerRecord, tool: McpTool) -> McpTool:
    """The tool with its effect, its approval rule, and its problem if it has one."""
    rule = next((rule for rule in record.tool_rules if rule.tool_name == tool.name), None)
    effect = (rule and rule.effect) or ToolEffect.TOOL_EFFECT_UNSPECIFIED
    if effect is ToolEffect.TOOL_EFFECT_UNSPECIFIED and record.trust_annotations:
        effect = _claimed(tool.annotations or {})
    if effect is ToolEffect.TOOL_EFFECT_UNSPECIFIED:
        effect = record.effect
    approval = (rule and rule.approval) or ApprovalRule.APPROVAL_RULE_UNSPECIFIED
    if approval is ApprovalRule.APPROVAL_RULE_UNSPECIFIED:
        approval = record.approval
    tool.effect = effect_or_default(effect)
    tool.approval = approval_or_default(approval)
    tool.problem = "" if is_object_schema(tool.input_schema or {}) else NO_SCHEMA
    tool.digest = digest(tool)
    if rule is not None and rule.digest not in ("", tool.digest):
        tool.problem = CHANGED
    return tool


def digest(tool: McpTool) -> str:
    """A digest of all that a server says of a tool, its words too: a model obeys them."""
    said = [tool.name, tool.title, tool.description]
    free = [tool.input_schema, tool.output_schema, tool.annotations]
    text = json.dumps([said, free], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def confirmed(record: ServerRecord, tool_name: str) -> str:
    """The digest that a tool must have to be called; empty when nobody has said one."""
    return next((rule.digest for rule in record.tool_rules if rule.tool_name == tool_name), "")


def effect_of(record: ServerRecord, tool_name: str) -> ToolEffect:
    """The effect of a tool that nobody has looked at: what the registration says of it."""
    return decided(record, McpTool(name=tool_name)).effect


def offered(record: ServerRecord, patterns: Sequence[str]) -> bool:
    """Whether any tool of a server may be among those that a thread allows."""
    return any(pattern.partition("/")[0] in ("*", record.server_name) for pattern in patterns)


def chosen(record: ServerRecord, tool_name: str, patterns: Sequence[str]) -> bool:
    """Whether a tool is among those that a thread allows."""
    names = {"*", record.server_name, f"{record.server_name}/{tool_name}"}
    return allowed(record, tool_name) and not names.isdisjoint(patterns)


def model_name(server_name: str, tool_name: str) -> str:
    """The name by which a model calls a tool: models take letters, digits, `_` and `-`, 64 of
    them. Where that loses something, a hash keeps two tools apart."""
    plain = f"{server_name}__{tool_name}"
    if _MODEL_NAME.fullmatch(plain):
        return plain
    digest = hashlib.blake2b(tool_name.encode(), digest_size=4).hexdigest()
    kept = _NOT_IN_NAMES.sub("_", tool_name)[: 64 - len(server_name) - len(digest) - 3]
    return f"{server_name}__{kept}_{digest}"


def effect_or_default(effect: ToolEffect) -> ToolEffect:
    """A tool of which nothing is known may do anything."""
    return effect if effect.number else ToolEffect.DANGEROUS


def approval_or_default(rule: ApprovalRule) -> ApprovalRule:
    """Dangerous calls are a person's to decide unless somebody decided otherwise."""
    return rule if rule.number else ApprovalRule.DANGEROUS_ONLY


def shown(record: ServerRecord) -> McpServer:
    """The server as people see it."""
    return McpServer(
        server_name=record.server_name,
        url=record.url,
        description=record.description,
        header_names=sorted(record.headers),
        allowed_tools=record.allowed_tools,
        tool_rules=record.tool_rules,
        effect=effect_or_default(record.effect),
        trust_annotations=record.trust_annotations,
        approval=approval_or_default(record.approval),
        timeout=record.timeout,
        registered_at=record.registered_at,
        registered_by=record.registered_by,
    )


def _claimed(annotations: dict[str, Any]) -> ToolEffect:
    """What the server says of its tool, in MCP's words."""
    if annotations.get("readOnlyHint") is True:
        return ToolEffect.READ
    if annotations.get("idempotentHint") is True:
        return ToolEffect.IDEMPOTENT
    return ToolEffect.TOOL_EFFECT_UNSPECIFIED

"""What calls about tools look like."""

from datetime import UTC, datetime, timedelta
from typing import Any

from actors.conversation.contract.tools import (
    Approval,
    ApprovalDecision,
    ApprovalStatus,
    GetToolResultResponse,
    ResolveApprovalResponse,
    ToolCall,
    ToolCallStatus,
)
from chassis.rpc import Example, Rpc
from gateways.llm import contract
from services.mcp.contract import (
    CallToolResponse,
    GetPromptResponse,
    ListPromptsResponse,
    ListResourcesResponse,
    ListServersResponse,
    ListToolsResponse,
    ReadResourceResponse,
    RemoveResponse,
    ServerResponse,
)
from services.mcp.contract.tools import (
    ApprovalRule,
    McpPrompt,
    McpResource,
    McpServer,
    McpTool,
    PromptArgument,
    PromptMessage,
    Registration,
    ServerInfo,
    ServerStatus,
    Timing,
    ToolContent,
    ToolEffect,
    ToolResult,
    ToolRule,
    ToolStatus,
)

_AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_NAME, _URL = "memory-server", "https://tools.example.com/mcp"
_RULE = ToolRule(tool_name="search_memories", effect=ToolEffect.READ)
_SERVER = McpServer(
    server_name=_NAME,
    url=_URL,
    description="What we know about our members",
    header_names=["Authorization"],
    tool_rules=[_RULE],
    effect=ToolEffect.DANGEROUS,
    approval=ApprovalRule.DANGEROUS_ONLY,
    registered_at=_AT,
    registered_by="alice",
)
_APPROVAL = "apr_0198c2a7d3f5"
_FOUND = "She prefers to train in the morning."

MCP_EXAMPLES: dict[Rpc[Any, Any], Example] = {
    contract.resolve_tool_approval: Example(
        contract.PublicResolveToolApprovalRequest(
            conversation_key="trip-to-lisbon",
            approval_id=_APPROVAL,
            decision=ApprovalDecision.APPROVE,
            arguments={"text": "Book the tram for two."},
        ),
        ResolveApprovalResponse(
            approval=Approval(
                approval_id=_APPROVAL,
                run_id="run_0198c2a7d3f1",
                call_id="call_1",
                server_name=_NAME,
                tool_name="note",
                arguments={"text": "Book the tram."},
                effect=ToolEffect.DANGEROUS,
                owner="alice",
                requested_at=_AT,
                deadline=_AT + timedelta(hours=1),
                default_decision=ApprovalDecision.DENY,
                status=ApprovalStatus.APPROVED,
                resolved_at=_AT + timedelta(minutes=2),
                edited={"text": "Book the tram for two."},
            )
        ),
    ),
    contract.get_tool_result: Example(
        contract.PublicGetToolResultRequest(
            conversation_key="trip-to-lisbon", result_id="res_0198c2a7d3f7"
        ),
        GetToolResultResponse(
            call=ToolCall(
                call_id="call_1",
                name="memory-server__search_memories",
                server_name=_NAME,
                tool_name="search_memories",
                effect=ToolEffect.READ,
                status=ToolCallStatus.SUCCEEDED,
                result_id="res_0198c2a7d3f7",
                result_bytes=48_211,
            ),
            result=ToolResult(content=[ToolContent(type="text", text=_FOUND)]),
        ),
    ),
    contract.mcp_list_available_servers: Example(
        contract.McpListAvailableServersRequest(),
        ListServersResponse(
            servers=[_SERVER.model_copy(update={"status": ServerStatus.AVAILABLE})]
        ),
    ),
    contract.mcp_get_server_info: Example(
        contract.McpServerRequest(server_name=_NAME),
        ServerInfo(
            server=_SERVER.model_copy(update={"status": ServerStatus.AVAILABLE}),
            protocol_version="2026-07-28",
            name="memory",
            version="2.1.0",
            capabilities={"tools": {}},
        ),
    ),
    contract.mcp_list_tools: Example(
        contract.McpServerRequest(server_name=_NAME),
        ListToolsResponse(
            tools=[
                McpTool(
                    name="search_memories",
                    description="Finds what is known about a member.",
                    input_schema={
                        "type": "object",
                        "properties": {"query": {"type": "string"}},
                        "required": ["query"],
                    },
                    effect=ToolEffect.READ,
                    approval=ApprovalRule.DANGEROUS_ONLY,
                )
            ]
        ),
    ),
    contract.mcp_call_tool: Example(
        contract.McpCallToolRequest(
            server_name=_NAME, tool_name="search_memories", arguments={"query": "training"}
        ),
        CallToolResponse(
            result=ToolResult(content=[ToolContent(type="text", text=_FOUND)]),
            status=ToolStatus.SUCCEEDED,
            timing=Timing(started_at=_AT, duration=timedelta(milliseconds=42)),
        ),
    ),
    contract.mcp_list_resources: Example(
        contract.McpPageRequest(server_name=_NAME),
        ListResourcesResponse(
            resources=[McpResource(uri="memory://members", name="members", mime_type="text/csv")]
        ),
    ),
    contract.mcp_read_resource: Example(
        contract.McpReadResourceRequest(server_name=_NAME, uri="memory://members"),
        ReadResourceResponse(
            contents=[
                ToolContent(
                    type="resource",
                    uri="memory://members",
                    mime_type="text/csv",
                    text="id,name\n1,Ann\n",
                )
            ]
        ),
    ),
    contract.mcp_list_prompts: Example(
        contract.McpPageRequest(server_name=_NAME),
        ListPromptsResponse(
            prompts=[
                McpPrompt(
                    name="welcome",
                    description="Greets a member.",
                    arguments=[PromptArgument(name="name", required=True)],
                )
            ]
        ),
    ),
    contract.mcp_get_prompt: Example(
        contract.McpGetPromptRequest(
            server_name=_NAME, prompt_name="welcome", arguments={"name": "Ann"}
        ),
        GetPromptResponse(
            messages=[
                PromptMessage(
                    role="user", content=ToolContent(type="text", text="Welcome Ann warmly.")
                )
            ]
        ),
    ),
    contract.mcp_register_server: Example(
        Registration(
            server_name=_NAME,
            url=_URL,
            description=_SERVER.description,
            headers={"Authorization": "Bearer 3f1c"},
            tool_rules=[_RULE],
        ),
        ServerResponse(server=_SERVER),
    ),
    contract.mcp_remove_server: Example(
        contract.McpServerRequest(server_name=_NAME), RemoveResponse(removed=True)
    ),
}

"""The toolbox as a server of the protocol's official library."""

from typing import Any

import mcp_types as mcp
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from devstack.toolbox.tools import ToolFailedError, Tools, text_of

_README = "file:///readme"
_PATH = "/mcp"


def application(tools: Tools) -> tuple[Any, Any]:
    """An ASGI application, and the context in which it has to be served."""
    server = _server(tools)
    # Stateless and plain JSON, so that a fault in the middle of an answer is one of that answer.
    # The stack stands on loopback under changing names; it has nothing that rebinding could reach.
    served = server.streamable_http_app(
        streamable_http_path=_PATH, json_response=True, stateless_http=True, host="any"
    )
    return served, server.session_manager


def _server(tools: Tools) -> Server[Any]:
    handlers = _Handlers(tools)
    return Server(
        "toolbox",
        version="1",
        title="Toolbox",
        instructions="Tools of the development stack.",
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=_list_resources,
        on_read_resource=_read_resource,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
    )


class _Handlers:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def list_tools(self, *_: Any) -> mcp.ListToolsResult:
        return mcp.ListToolsResult(
            tools=[
                mcp.Tool(
                    name=each.name,
                    description=each.description,
                    input_schema=self._tools.schemas.get(each.name, each.schema()),
                    annotations=mcp.ToolAnnotations.model_validate(dict(each.annotations)),
                )
                for each in self._tools.offered
            ]
        )

    async def call_tool(
        self, context: ServerRequestContext[Any], asked: mcp.CallToolRequestParams
    ) -> mcp.CallToolResult:
        request = context.request
        headers = dict(request.headers) if request is not None else {}
        try:
            answer = await self._tools.call(asked.name, asked.arguments or {}, headers)
        except KeyError:
            raise MCPError(mcp.INVALID_PARAMS, "There is no such tool.") from None
        except ToolFailedError as failed:
            content = mcp.TextContent(text=str(failed))
            return mcp.CallToolResult(content=[content], is_error=True)
        return mcp.CallToolResult(
            content=[mcp.TextContent(text=text_of(answer))],
            structured_content=answer if isinstance(answer, dict) else None,
        )


async def _list_resources(*_: Any) -> mcp.ListResourcesResult:
    readme = mcp.Resource(uri=_README, name="readme", mime_type="text/plain")
    return mcp.ListResourcesResult(resources=[readme])


async def _read_resource(_: Any, asked: mcp.ReadResourceRequestParams) -> mcp.ReadResourceResult:
    if str(asked.uri) != _README:
        raise MCPError(mcp.INVALID_PARAMS, "There is no such resource.")
    contents = mcp.TextResourceContents(
        uri=_README, mime_type="text/plain", text="The toolbox of the development stack."
    )
    return mcp.ReadResourceResult(contents=[contents])


async def _list_prompts(*_: Any) -> mcp.ListPromptsResult:
    argument = mcp.PromptArgument(name="name", required=True)
    prompt = mcp.Prompt(name="greet", description="Greets somebody.", arguments=[argument])
    return mcp.ListPromptsResult(prompts=[prompt])


async def _get_prompt(_: Any, asked: mcp.GetPromptRequestParams) -> mcp.GetPromptResult:
    if asked.name != "greet":
        raise MCPError(mcp.INVALID_PARAMS, "There is no such prompt.")
    text = f"Greet {(asked.arguments or {}).get('name', 'somebody')}."
    message = mcp.PromptMessage(role="user", content=mcp.TextContent(text=text))
    return mcp.GetPromptResult(description="Greets somebody.", messages=[message])

"""One open connection to one server, in terms of the protocol's library.

Both generations of the protocol are spoken: the library asks the server which it knows. Nothing
here is imported before the first server is called, because the library costs a second.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import httpx2
import mcp_types as mcp
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from chassis import logs
from chassis.addresses import OutgoingAddresses
from errors import Reason, RpcError
from services.mcp import reasons
from services.mcp.settings import McpSettings
from services.mcp.wire import CheckedTransport
from services.mcp.witness import Witness, current

T = TypeVar("T")

log = logs.get(__name__)

# The libraries log what servers say and where they stand, which is content of users.
for _talker in ("mcp", "httpx2"):
    logging.getLogger(_talker).setLevel(logging.CRITICAL + 1)

_CLIENT = mcp.Implementation(name="yocaso-platform", version="1")
_TOOL_ANSWER: TypeAdapter[mcp.CallToolResult | mcp.InputRequiredResult] = TypeAdapter(
    mcp.CallToolResult | mcp.InputRequiredResult
)
_REFUSALS = {
    mcp.METHOD_NOT_FOUND: reasons.REFUSED,
    mcp.INVALID_PARAMS: reasons.REFUSED,
    mcp.INVALID_REQUEST: reasons.REFUSED,
    mcp.PARSE_ERROR: reasons.GARBAGE,
    mcp.CONNECTION_CLOSED: reasons.CUT,
    mcp.INTERNAL_ERROR: reasons.FAILED,
}


class Connection:
    """A connection that a task of its own holds open: the library wants to be left by the task
    that entered it, and those who use it come and go."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: dict[str, str],
        addresses: OutgoingAddresses,
        settings: McpSettings,
    ) -> None:
        self._name = name
        self._url = url
        self._headers = headers
        self._answer_bytes = settings.answer_bytes
        self._transport = CheckedTransport(
            addresses,
            connect_seconds=settings.connect_timeout_seconds,
            answer_bytes=settings.answer_bytes,
        )
        self._closing = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._client: asyncio.Future[Client] = loop.create_future()
        self._task = asyncio.create_task(self._hold())

    @property
    def usable(self) -> bool:
        """Whether another request may be tried on it."""
        return not self._task.done() and not self._closing.is_set()

    def close(self) -> None:
        """Let go of the server, in the background."""
        self._closing.set()

    async def closed(self) -> None:
        """Wait until nothing of it is left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def use(self, work: Callable[[Client], Awaitable[T]], seconds: float) -> T:
        """Do something with the server in bounded time.

        :raises RpcError: a reason of reasons.py
        """
        witness = Witness(self._name)
        token = current.set(witness)
        try:
            async with asyncio.timeout(seconds):
                client = await asyncio.shield(self._client)
                return await work(client)
        except RpcError:
            raise
        except TimeoutError:
            raise witness.error(reasons.TIMED_OUT) from None
        except MCPError as refused:
            error = witness.error(_reason_of(refused))
            raise error from None
        except ValidationError:
            raise witness.error(reasons.GARBAGE) from None
        except Exception as error:
            # The connection itself is over; what the library raises then depends on the moment.
            log.info("tool server lost", extra=logs.fields(error=type(error).__name__))
            raise witness.error(reasons.CUT) from None
        finally:
            current.reset(token)

    async def _hold(self) -> None:
        witness = Witness(self._name)
        current.set(witness)
        try:
            async with (
                httpx2.AsyncClient(
                    transport=self._transport, headers=self._headers, trust_env=False
                ) as http,
                Client(
                    streamable_http_client(
                        self._url, http_client=http, max_sse_event_size=self._answer_bytes
                    ),
                    client_info=_CLIENT,
                    cache=None,
                ) as client,
            ):
                self._client.set_result(client)
                await self._closing.wait()
        except asyncio.CancelledError:
            if not self._client.done():
                self._client.cancel()
            raise
        except Exception as error:
            if not self._client.done():
                self._client.set_exception(_cause(error, witness))
                # Looked at even where nobody waits any more, or asyncio complains.
                self._client.exception()
        finally:
            self._closing.set()


def _cause(error: BaseException, witness: Witness) -> RpcError:
    """Why a connection could not be opened."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _cause(group.exceptions[0], witness)
    if isinstance(error, MCPError):
        return witness.error(_reason_of(error))
    return witness.error(reasons.GARBAGE if isinstance(error, ValidationError) else reasons.CUT)


def _reason_of(refused: MCPError) -> Reason:
    return _REFUSALS.get(refused.code, reasons.REFUSED)


async def call_tool(client: Client, name: str, arguments: dict[str, Any]) -> mcp.CallToolResult:
    """Call a tool once. The library's own method lists all tools first, to check the answer
    against what the server promised; a call that was made must not fail for that."""
    request = mcp.CallToolRequest(params=mcp.CallToolRequestParams(name=name, arguments=arguments))
    try:
        answer = await client.session.send_request(request, _TOOL_ANSWER)
    except MCPError as mismatch:
        # The server wants arguments in headers, which the library knows once it has the list.
        # The call was refused, so nothing has happened.
        if mismatch.code != mcp.HEADER_MISMATCH:
            raise
        await client.list_tools()
        answer = await client.session.send_request(request, _TOOL_ANSWER)
    if isinstance(answer, mcp.InputRequiredResult):
        raise reasons.REFUSED.error()
    return answer

"""The tool server of the soak and what it was really asked to do.

It lives in the soak's own process, which nobody kills: what was written into its notebook is held
against what the threads say about their calls. A message asks the model for tools in words that the
double of the vendor understands.
"""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from devstack.processes import free_port
from devstack.serving import serving
from devstack.toolbox.app import Toolbox
from soak.client import Client
from soak.history import Json

SERVER = "notebook"
DANGEROUS = "note"
"""The tool that writes a line each time it is called; the others may be called again."""
_RULES = [
    {"toolName": "add", "effect": "READ"},
    {"toolName": "fail", "effect": "READ"},
    {"toolName": "remember", "effect": "IDEMPOTENT"},
]
_NEVER = [{"tool": "*", "approval": "NEVER"}]


class Notebook:
    """The server while it is served."""

    def __init__(self, toolbox: Toolbox, url: str) -> None:
        self._toolbox = toolbox
        self._url = url

    async def register(self, client: Client) -> None:
        """For the client's tenant."""
        server = {"serverName": SERVER, "url": self._url, "toolRules": _RULES}
        await client.patiently("mcp-register-server", server)

    def lines(self) -> Counter[str]:
        """How often each line was written."""
        calls = self._toolbox.tools.calls
        return Counter(call.arguments["text"] for call in calls if call.tool == DANGEROUS)


@asynccontextmanager
async def serving_notebook() -> AsyncGenerator[Notebook]:
    """A notebook for the length of the block."""
    toolbox = Toolbox()
    async with serving(toolbox, free_port()) as address:
        yield Notebook(toolbox, f"{address}/mcp")


def settings(*, asks: bool) -> Json:
    """Of a thread whose model may call the tools; `asks`: somebody has to approve what writes."""
    tools = {"allowed": [SERVER]}
    return {"tools": tools if asks else tools | {"approvals": _NEVER}}


def wanted(line: str) -> str:
    """Words after which the model wants tools: mostly to write this line, never anything else."""
    note = _call(DANGEROUS, text=line)
    add = _call("add", a=random.randint(0, 99), b=1)
    remember = _call("remember", key="last", value=line)
    fail = _call("fail", message="It cannot be done.")
    return "\n".join(random.choice(((note,), (note, add), (add, remember, note), (remember, fail))))


def _call(tool: str, **arguments: object) -> str:
    return f"call {SERVER}__{tool} {json.dumps(arguments)}"

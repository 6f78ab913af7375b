"""The TypeScript client that is generated from openapi.json compiles and holds a conversation."""

import json
import os
import shutil
from pathlib import Path

import anyio
import pytest

from tests.support.repository import ROOT
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SOURCES = Path(__file__).parent / "client"
NODE_MODULES = ROOT / ".cache" / "node" / "node_modules"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sources, with the installed npm packages beside them."""
    shutil.copytree(SOURCES, tmp_path / "client")
    (tmp_path / "client" / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path / "client"


async def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a program in the folder; what it says is shown when it fails."""
    done = await anyio.run_process(
        command, cwd=folder, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.mark.timeout(300)
async def test_the_generated_client_compiles_and_holds_a_conversation(
    folder: Path, live_stack: RunningStack
) -> None:
    tools = NODE_MODULES / ".bin"
    openapi = str(ROOT / "openapi.json")
    await run(folder, str(tools / "openapi-typescript"), openapi, "-o", "api.d.ts")
    await run(folder, str(tools / "tsc"), "-p", ".")
    said = await run(
        folder,
        "node",
        "out/conversation.js",
        BASE_URL=live_stack.base_url,
        API_KEY=live_stack.dave.key,
        NO_PROXY="127.0.0.1",
    )
    told = json.loads(said)
    assert told["status"] == "RUNNING"
    assert told["sequences"] == list(range(1, len(told["sequences"]) + 1))
    assert told["types"][0] == "message.created"
    assert told["types"][-1] == "run.completed"
    assert told["roles"] == ["user", "assistant"]
    assert told["answer"]
    assert int(told["tokens"]) > 0
    assert (told["refusal"], told["terminal"]) == ("run.not_found", True)

"""`compose.yaml` as it stands, run by podman under docker compose."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.image_test.engine import ROOT, Engine
from deploy.image_test.images import Images
from devstack.compose_env import environment
from devstack.keys import SecretKey
from devstack.openrouter.control import OpenRouterControl
from devstack.processes import free_port

PROJECT = "yocaso-image-test"
SERVICES = ("restate", "handlers", "register", "edge", "local-cloud", "krakend")
PORTS = (
    "KRAKEND_PORT",
    "EDGE_PORT",
    "EDGE_PRIVATE_PORT",
    "RESTATE_ADMIN_PORT",
    "LOCAL_CLOUD_PORT",
)
_API = "/api/v1/llm/gateway"
_UP_SECONDS = 240
_ANSWER_SECONDS = 60


class ComposeStack:
    """The running containers, and a client with the demo key."""

    def __init__(self, engine: Engine, ports: Mapping[str, int], key: SecretKey) -> None:
        self._engine = engine
        self._gateway_url = f"http://127.0.0.1:{ports['KRAKEND_PORT']}{_API}"
        self._edge_url = f"http://127.0.0.1:{ports['EDGE_PORT']}{_API}"
        self._headers = {"x-api-key": key.key}
        self.local_cloud_url = f"http://127.0.0.1:{ports['LOCAL_CLOUD_PORT']}"

    @staticmethod
    def container(service: str) -> str:
        """The name of a service's container."""
        return f"{PROJECT}-{service}-1"

    def podman(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman on these containers."""
        return self._engine.run("podman", *command, check=check)

    def model(self) -> OpenRouterControl:
        """What tells the double of OpenRouter what to say."""
        return OpenRouterControl(f"{self.local_cloud_url}/openrouter")

    async def call(self, method: str, **request: Any) -> dict[str, Any]:
        """One method through the gateway; tries again while the platform is not there."""
        async with asyncio.timeout(_ANSWER_SECONDS):
            while True:
                answer = await self._post(method, request)
                if answer is not None and answer.status_code != 503:
                    assert answer.is_success, answer.text
                    return answer.json()
                await asyncio.sleep(0.2)

    async def _post(self, method: str, request: dict[str, Any]) -> httpx.Response | None:
        async with self._client() as client:
            try:
                return await client.post(f"{self._gateway_url}/{method}", json=request)
            except httpx.TransportError:
                return None

    async def events(self, conversation: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The conversation's event stream, past the gateway, as pairs of type and data."""
        async with (
            asyncio.timeout(_ANSWER_SECONDS),
            self._client() as client,
            client.stream(
                "POST", f"{self._edge_url}/stream-events", json={"conversationKey": conversation}
            ) as answer,
        ):
            assert answer.status_code == 200
            kind = ""
            async for line in answer.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    kind = value
                elif field == "data":
                    yield kind, json.loads(value)

    async def answered(self, conversation: str, messages: int) -> list[str]:
        """Wait until the conversation is idle with that many messages; what was said."""
        async with asyncio.timeout(_ANSWER_SECONDS):
            while True:
                state = await self.call("conversation-state", conversationKey=conversation)
                if state["status"] == "IDLE" and len(state["messages"]) >= messages:
                    return [message["content"] for message in state["messages"]]
                await asyncio.sleep(0.1)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=self._headers, timeout=30, trust_env=False)


@contextmanager
def running(engine: Engine, images: Images, compose: tuple[str, ...]) -> Generator[ComposeStack]:
    """Bring the stack up on free ports; take it down with its data."""
    ports = {name: free_port() for name in PORTS}
    key = SecretKey(tenant_id="demo", user_id="visitor")
    names = {
        "YOCASO_IMAGE": images.platform,
        "LOCAL_CLOUD_IMAGE": images.local_cloud,
        "RESTATE_IMAGE": images.restate,
        "KRAKEND_IMAGE": images.krakend,
    }
    settings = environment(key) | names | {name: str(port) for name, port in ports.items()}
    command = (*compose, "--project-name", PROJECT, "--file", str(ROOT / "compose.yaml"))
    with engine.docker_socket() as client, engine.watch_health():
        surroundings = dict(client) | settings
        _compose(surroundings, *command, "down", "--volumes")
        try:
            _compose(surroundings, *command, "up", "--no-build", "--wait")
            yield ComposeStack(engine, ports, key)
        finally:
            _keep_logs(engine)
            _compose(surroundings, *command, "down", "--volumes")


def _compose(surroundings: Mapping[str, str], *command: str) -> None:
    done = subprocess.run(
        command,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=_UP_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def _keep_logs(engine: Engine) -> None:
    """Keep what the containers said: it goes when they go."""
    logs: Path = engine.path / "logs"
    logs.mkdir(exist_ok=True)
    for service in SERVICES:
        said = engine.run("podman", "logs", ComposeStack.container(service), check=False)
        (logs / f"{service}.log").write_text(said.stdout + said.stderr)

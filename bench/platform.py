"""The platform under test, and one client of it."""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.load import LoadError
from devstack.issuer import Issuer, serving
from devstack.keys import MEMBER_SCOPES, SecretKey
from devstack.stack import EDGE, HANDLERS, RESTATE, Stack, StackOptions
from services.openfga.client import OpenFgaStore

ALICE = SecretKey(tenant_id="bench", user_id="alice", scopes=(*MEMBER_SCOPES, "mcp:manage"))
FEW = SecretKey(tenant_id="bench", user_id="few")
MANY = SecretKey(tenant_id="bench", user_id="many")
IDENTITY = {
    "x-tenant-id": "bench",
    "x-user-id": "alice",
    "x-auth-mode": "secret-key",
    "x-scopes": " ".join(ALICE.scopes),
}


class Platform:
    """A running stack with the benchmark's components, and calls as a client makes them."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession, issuer: Issuer) -> None:
        self.stack = stack
        self.issuer = issuer
        self._http = http
        self.edge_url = stack.base_url
        self.ingress_url = stack.restate.ingress_url
        self.model_url = stack.cloud_url
        self.cleanup = ExitStack()
        self.authorization: dict[str, OpenFgaStore] = {}

    def pid(self, name: str) -> int:
        """The process id of `edge`, `handlers` or `restate`."""
        pid = self.stack.processes[name].pid
        assert pid is not None, f"{name} runs"
        return pid

    async def call(
        self, method: str, body: dict[str, Any], caller: SecretKey = ALICE
    ) -> dict[str, Any]:
        """A method of the LLM gateway through the edge; anything but 200 is a failure."""
        url = f"{self.edge_url}/api/v1/llm/gateway/{method}"
        async with self._http.post(url, json=body, headers={"x-api-key": caller.key}) as answer:
            if answer.status != 200:
                raise LoadError(f"{method} answered {answer.status}: {await answer.text()}")
            return await answer.json()

    async def post(
        self, url: str, body: Mapping[str, object], headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """POST anywhere, whatever the answer; its body is read."""
        async with self._http.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer

    async def times(self) -> dict[str, dict[str, float]]:
        """When the stub model sent its first chunk and saw its client go, by message."""
        async with self._http.get(f"{self.model_url}/times") as answer:
            return await answer.json()

    async def thread(self, key: str, model: str = "stub/instant", *, tools: bool = False) -> str:
        """Create a thread, whose model may call the toolbox's tools, and return its key."""
        body: dict[str, Any] = {"conversation_key": key, "generation_config": {"model": model}}
        if tools:
            body["settings"] = {"tools": {"allowed": ["toolbox"]}}
        await self.call("create-thread", body)
        return key

    async def send(self, key: str, text: str = "hello") -> dict[str, Any]:
        """Send a message."""
        said = {"role": "user", "content": text}
        return await self.call("send-message", {"conversation_key": key, "user_message": said})

    async def turn(self, key: str) -> None:
        """A message and its answer, read through pull-events."""
        await self.until_completed(key, await self.send(key))

    async def until_settled(self, key: str, run_id: str) -> None:
        """Wait for a run without reading what others say in its thread."""
        after = (await self.call("conversation-state", {"conversation_key": key, "page_size": 1}))[
            "lastSequence"
        ]
        asked: dict[str, Any] = {"conversation_key": key, "run_id": run_id}
        while (await self.call("get-run", asked))["status"] in ("RUNNING", "QUEUED"):
            pull = {"conversation_key": key, "after": after, "wait": "20s", "limit": 200}
            after = max(after, (await self.call("pull-events", pull))["lastSequence"])

    async def until_completed(self, key: str, accepted: dict[str, Any]) -> None:
        """Read what follows an accepted message until its run has completed."""
        run_id, after = accepted["runId"], accepted["lastSequence"]
        while True:
            asked = {"conversation_key": key, "after": after, "wait": "20s"}
            for event in (await self.call("pull-events", asked))["events"]:
                after = event["sequence"]
                if event["type"] == "run.completed" and event["runId"] == run_id:
                    return

    async def events(self, key: str, after: int = 0) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The thread's event stream: `(type, content)` as they come."""
        url = f"{self.edge_url}/api/v1/llm/gateway/stream-events"
        body = {"conversation_key": key, "after": after}
        kind = ""
        async with self._http.post(url, json=body, headers={"x-api-key": ALICE.key}) as answer:
            async for line in answer.content:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    yield kind, json.loads(line[6:])


@asynccontextmanager
async def running(environment: dict[str, str] | None = None) -> AsyncGenerator[Platform]:
    """A stack for the length of the block: one partition, fsync on, as in production."""
    with tempfile.TemporaryDirectory(prefix="yocaso-bench-", ignore_cleanup_errors=True) as folder:
        async with serving(Issuer()) as issuer:
            settings = {
                "EDGE_REQUESTS_PER_MINUTE": "100000000",
                "EDGE_REFUSED_CREDENTIALS_PER_MINUTE": "100000000",
                "EDGE_JWT_ISSUER": issuer.url,
                "EDGE_JWT_JWKS_URI": issuer.jwks_uri,
                "LOG_LEVEL": "WARNING",
                "CONVERSATION_DEFAULT_MODEL": "stub/instant",
                **(environment or {}),
            }
            stack = Stack(
                StackOptions(
                    Path(folder),
                    (ALICE, FEW, MANY),
                    environment=settings,
                    platform="bench",
                    cloud="bench.model",
                )
            )
            await asyncio.to_thread(stack.start)
            try:
                async with _client(stack, issuer) as platform:
                    yield platform
            finally:
                await asyncio.to_thread(stack.stop)


@asynccontextmanager
async def _client(stack: Stack, issuer: Issuer) -> AsyncGenerator[Platform]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        platform = Platform(stack, http, issuer)
        try:
            yield platform
        finally:
            for store in platform.authorization.values():
                await store.aclose()
            platform.cleanup.close()


__all__ = ["ALICE", "EDGE", "FEW", "HANDLERS", "IDENTITY", "MANY", "RESTATE", "Platform", "running"]

"""A running platform as tests hold it: users of two tenants, calls, and kills.

`running_stack` is the one way in; the fixtures in `tests/conftest.py` choose how long it lives.
Processes are started and killed in a worker thread so that a test's other tasks go on meanwhile.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import anyio.to_thread
import httpx

from devstack.keys import SecretKey
from devstack.stack import Stack, StackOptions

API = "/api/v1/"
T = TypeVar("T")
# Tests poll, and all of them share three users.
TEST_SETTINGS = {
    "EDGE_REQUESTS_PER_MINUTE": "1000000",
    "EDGE_REFUSED_CREDENTIALS_PER_MINUTE": "1000000",
    "EDGE_USAGE_SECONDS": "0.5",
}


class Answer(NamedTuple):
    """What a client got: `status, body, headers = await stack.call(...)`."""

    status: int
    body: Any
    headers: httpx.Headers


class RunningStack:
    """The platform on random ports, seen from outside."""

    def __init__(self, stack: Stack) -> None:
        """Alice and Bob belong to one tenant, Carol to another; Dave is for noise."""
        self.processes = stack
        self.base_url = stack.base_url
        self.openrouter_url = stack.openrouter_url
        self.alice, self.bob, self.carol, self.dave = stack.options.keys

    async def call(
        self,
        path: str,
        body: object = None,
        *,
        key: SecretKey | str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST to a method (`llm/gateway/create-thread`), as Alice unless a key or a token, or
        both, are given."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if key is not None or token is None:
            key = self.alice if key is None else key
            sent["x-api-key"] = key if isinstance(key, str) else key.key
        async with self.client() as client:
            answer = await client.post(API + path, json={} if body is None else body, headers=sent)
        return Answer(answer.status_code, _json_of(answer), answer.headers)

    async def token(self, **claims: object) -> str:
        """A token of the development issuer; `sub` is `user-1` unless it is among the claims."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            answer = await client.post(f"{self.processes.issuer_url}/token", json=claims)
        return answer.json()["token"]

    def client(self) -> httpx.AsyncClient:
        """A client without credentials, for what `call` cannot say."""
        return httpx.AsyncClient(base_url=self.base_url, timeout=60, trust_env=False, verify=False)

    async def kill(self, name: str) -> None:
        """Kill `handlers`, `restate`, `edge` or `local-cloud` with signal 9."""
        await anyio.to_thread.run_sync(self.processes.kill, name)

    async def start(self, name: str) -> None:
        """Start a killed process on its old port and data, and wait until it is ready."""
        await anyio.to_thread.run_sync(self.processes.start_again, name)

    def log(self, name: str) -> str:
        """All that a process has written since the stack began."""
        return (self.processes.options.data_path / "logs" / f"{name}.log").read_text()

    async def wait_until(self, read: Callable[[], Awaitable[T]], seconds: float = 30) -> T:
        """Call `read` until its answer is true, and return that answer; the test fails after."""
        deadline = time.monotonic() + seconds
        while not (value := await read()):
            assert time.monotonic() < deadline, f"not within {seconds} s; last answer: {value!r}"
            await anyio.sleep(0.02)
        return value


@contextmanager
def running_stack(
    *,
    force_replay: bool = False,
    environment: Mapping[str, str] | None = None,
    concurrent_invocations: int = 10_000,
    restate: Mapping[str, str] | None = None,
) -> Generator[RunningStack]:
    """Start a stack of its own in a temporary directory; stop it and drop the data at the end."""
    alice = SecretKey(tenant_id="acme", user_id="alice")
    bob = SecretKey(tenant_id="acme", user_id="bob")
    carol = SecretKey(tenant_id="globex", user_id="carol")
    dave = SecretKey(tenant_id="noise", user_id="dave")
    with tempfile.TemporaryDirectory(prefix="yocaso-test-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(
            data_path=Path(folder),
            keys=(alice, bob, carol, dave),
            fsync=False,
            force_replay=force_replay,
            environment=TEST_SETTINGS | dict(environment or {}),
            concurrent_invocations=concurrent_invocations,
            restate=restate or {},
        )
        stack = Stack(options)
        stack.start()
        try:
            yield RunningStack(stack)
        finally:
            stack.stop()


def _json_of(answer: httpx.Response) -> Any:
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.json() if is_json else answer.text

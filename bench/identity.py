"""The rows about who is calling: what verifying costs, how soon a revocation holds, OpenFGA.

The probe is the no-op handler behind a route that lets everybody in (`servers.edge`): it goes the
whole way through edge, Restate and handler, without a credential to verify.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import HttpUrl, SecretStr

from bench.components import OPEN_PATH
from bench.load import Load, LoadError, wrk
from bench.platform import ALICE, Platform
from devstack import openfga
from devstack.keys import AUDIENCE
from devstack.openfga import OpenFgaOptions, OpenFgaServer
from devstack.stack import START_SECONDS
from services.openfga.client import OpenFgaStore
from services.openfga.contract import MOST_TUPLES
from services.openfga.names import NamedTuple
from services.openfga.settings import OpenFgaSettings

Figures = dict[str, float]
Headers = dict[str, str]

NOOP: dict[str, object] = {"name": "x", "amount": 1, "tags": []}
NOOP_PATH = "/api/v1/bench/noop"
READER = ["conversations:read"]

TUPLES = {"few": 10, "many": 100_000}
# Ten tenants: the keys of one are in one index, which takes one change after the other.
TENANTS, REVOKED_A_SECOND, WATCHED = 10, 100, 20
_POLL_SECONDS = 0.1
# The key is judged before the body: what watches costs Restate nothing, whatever becomes of it.
_REFUSED_BODY: dict[str, object] = {"amount": "no number"}
_COLD = 20

_number = itertools.count()


async def credentials(platform: Platform, seconds: float) -> Figures:
    """Requests a second with each kind of credential, warm, and without one."""
    token = platform.issuer.token(sub="bench-admin", tenant_id="bench", role="admin")
    oidc = {"issuer": platform.issuer.url, "audience": AUDIENCE}
    publishable = await _create(platform, token, type="PUBLISHABLE", oidc=oidc)
    user = platform.issuer.token(sub="bench-user")
    kinds: dict[str, Headers] = {
        "none": {},
        "listed_key": {"x-api-key": ALICE.key},
        "secret_key": {"x-api-key": (await _create(platform, token))["key"]},
        "token": _bearer(token),
        "publishable": {"x-api-key": publishable["key"], **_bearer(user)},
    }
    figures: Figures = {}
    for kind, headers in kinds.items():
        path = OPEN_PATH if kind == "none" else NOOP_PATH
        load = await _load(platform, path, headers, seconds)
        figures[f"identity.rps.{kind}"] = load.per_second
        figures[f"identity.p50.{kind}"] = load.p50
    return figures


async def cold(platform: Platform, _seconds: float) -> Figures:
    """The first call with a key or a token against the second, one at a time."""
    admin = platform.issuer.token(sub="bench-admin", tenant_id="bench", role="admin")
    times: dict[str, list[float]] = {}
    for _ in range(_COLD):
        key = await _create(platform, admin)
        token = platform.issuer.token(sub=f"cold-{next(_number)}", tenant_id="bench", role="admin")
        for kind, headers in (("key", {"x-api-key": key["key"]}), ("token", _bearer(token))):
            for how in ("cold", "warm"):
                took, status = await _timed(platform, platform.edge_url, headers)
                if status != 200:
                    raise LoadError(f"A new {kind} was answered {status}.")
                times.setdefault(f"identity.{how}_ms.{kind}", []).append(took * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


async def revocations(platform: Platform, seconds: float) -> Figures:
    """Two edges while a hundred keys a second are revoked: how late is each refusal, how slow is
    everybody else's request."""
    tenants = [f"revoke-{number}" for number in range(TENANTS)]
    admins = [
        platform.issuer.token(sub="admin", tenant_id=tenant, role="admin") for tenant in tenants
    ]
    count = int(REVOKED_A_SECOND * max(seconds, 1.0))
    keys = await _keys(platform, admins, count)
    with _second_edge(platform) as other:
        urls = (platform.edge_url, other)
        watched = keys[:: max(1, count // WATCHED)]
        for url, (_, key) in itertools.product(urls, watched):
            await _timed(platform, url, {"x-api-key": key["key"]})
        revoked_at: dict[str, float] = {}
        watching = [
            asyncio.create_task(_refused_after(platform, url, key, revoked_at))
            for url, (_, key) in itertools.product(urls, watched)
        ]
        load = asyncio.create_task(
            _load(platform, NOOP_PATH, {"x-api-key": ALICE.key}, count / REVOKED_A_SECOND, 1)
        )
        began = time.perf_counter()
        await _revoke(platform, keys, revoked_at)
        rate = count / (time.perf_counter() - began)
        p99 = (await load).p99
        late = sorted(await asyncio.gather(*watching))
    return {
        "revocation.keys_per_second": rate,
        "revocation.refused_s.p50": statistics.median(late),
        "revocation.refused_s.p99": late[min(len(late) - 1, int(len(late) * 0.99))],
        "revocation.request_ms.p99": p99,
    }


async def checks(platform: Platform, seconds: float) -> Figures:
    """A check of OpenFGA among few tuples and among many; nothing where it is not installed."""
    stores = await _stores(platform)
    figures: Figures = {}
    for size, store in stores.items():
        times: list[float] = []
        end = time.perf_counter() + seconds
        for number in itertools.count():
            if time.perf_counter() > end:
                break
            asked = _shared(number % TUPLES[size])
            may_view = NamedTuple(asked.user, "can_view", asked.object)
            began = time.perf_counter()
            if await store.check([may_view], [], fresh=True) != [True]:
                raise LoadError("OpenFGA refused what was written.")
            times.append(time.perf_counter() - began)
        figures[f"openfga.check_ms.{size}"] = statistics.median(times) * 1000
    return figures


async def _stores(platform: Platform) -> dict[str, OpenFgaStore]:
    """A store with few tuples and one with many, made when they are first asked for."""
    if openfga.binary() is None or platform.authorization:
        return platform.authorization
    folder = Path(platform.cleanup.enter_context(tempfile.TemporaryDirectory()))
    server = OpenFgaServer(OpenFgaOptions(folder, folder / "openfga.log"))
    server.migrate()
    server.process.start()
    platform.cleanup.callback(server.process.stop)
    await asyncio.to_thread(server.process.wait_ready, server.answers, START_SECONDS)
    for size, count in TUPLES.items():
        store = OpenFgaStore(
            OpenFgaSettings(
                api_url=HttpUrl(server.url),
                api_token=SecretStr(server.settings["OPENFGA_API_TOKEN"]),
                store=f"bench-{size}",
                timeout_seconds=30,
            )
        )
        await store.prepare()
        platform.authorization[size] = store
        numbers = iter(range(count))
        while batch := [_shared(number) for number in itertools.islice(numbers, MOST_TUPLES)]:
            await store.write(batch)
    return platform.authorization


def _shared(number: int) -> NamedTuple:
    """A thousand users who each see their share of the files."""
    return NamedTuple(f"user:bench/u{number % 1000}", "viewer", f"file:bench/f{number}")


async def _load(
    platform: Platform, path: str, headers: Headers, seconds: float, connections: int = 16
) -> Load:
    url = platform.edge_url + path
    return await asyncio.to_thread(
        wrk, url, NOOP, headers, connections=connections, seconds=seconds
    )


async def _create(platform: Platform, token: str, **settings: Any) -> dict[str, Any]:
    body = {"name": "bench", "permissions": READER, **settings}
    return (await _manage(platform, token, "create", body))["result"]


async def _manage(
    platform: Platform, token: str, method: str, body: dict[str, Any]
) -> dict[str, Any]:
    url = f"{platform.edge_url}/api/v1/api-keys/{method}"
    answer = await platform.post(url, body, _bearer(token))
    if answer.status != 200:
        raise LoadError(f"api-keys/{method} answered {answer.status}: {await answer.text()}")
    return await answer.json()


async def _keys(
    platform: Platform, admins: list[str], count: int
) -> list[tuple[str, dict[str, Any]]]:
    """So many keys, each with who may revoke it, the tenants in turn."""
    numbers = iter(range(count))
    keys: list[tuple[str, dict[str, Any]]] = []

    async def create() -> None:
        for number in numbers:
            admin = admins[number % len(admins)]
            keys.append((admin, await _create(platform, admin)))

    await asyncio.gather(*(create() for _ in range(len(admins))))
    return keys


async def _revoke(
    platform: Platform, keys: list[tuple[str, dict[str, Any]]], revoked_at: dict[str, float]
) -> None:
    """A hundred a second, each at its moment whether the last is done or not."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def revoke(number: int, admin: str, key_id: str) -> None:
        await asyncio.sleep(began + number / REVOKED_A_SECOND - loop.time())
        await _manage(platform, admin, "revoke", {"key_id": key_id})
        revoked_at[key_id] = time.perf_counter()

    await asyncio.gather(
        *(revoke(number, admin, key["key_id"]) for number, (admin, key) in enumerate(keys))
    )


async def _refused_after(
    platform: Platform, url: str, key: dict[str, Any], revoked_at: dict[str, float]
) -> float:
    """Seconds from the answer to `revoke` until the key is refused; 0 if that was sooner."""
    while True:
        asked = time.perf_counter()
        _, status = await _timed(platform, url, {"x-api-key": key["key"]}, _REFUSED_BODY)
        if status == 401:
            return max(0.0, asked - revoked_at.get(key["key_id"], asked))
        await asyncio.sleep(_POLL_SECONDS)


async def _timed(
    platform: Platform, url: str, headers: Headers, body: dict[str, object] = NOOP
) -> tuple[float, int]:
    began = time.perf_counter()
    answer = await platform.post(url + NOOP_PATH, body, headers)
    return time.perf_counter() - began, answer.status


@contextmanager
def _second_edge(platform: Platform) -> Generator[str]:
    process, url = platform.stack.another_edge()
    with ExitStack() as stack:
        process.start()
        stack.callback(process.stop)
        process.wait_ready(lambda: platform.stack.is_there(f"{url}/healthz"), START_SECONDS)
        yield url


def _bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


IDENTITY: tuple[Callable[[Platform, float], Awaitable[Figures]], ...] = (
    credentials,
    cold,
    revocations,
    checks,
)

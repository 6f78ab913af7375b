"""The order of things: start the platform, load and trouble, then look at all that is stored."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import aiohttp

from devstack.keys import MEMBER_SCOPES, SecretKey
from devstack.stack import EDGE, HANDLERS, Stack, StackOptions
from soak.audit import Audit
from soak.client import Client
from soak.curves import Curves
from soak.generated import generated_calls
from soak.history import History
from soak.notebook import serving_notebook
from soak.options import Options
from soak.report import write
from soak.tables import Outcome
from soak.trouble import Trouble
from soak.writers import Load

USERS = (("acme", "alice"), ("acme", "bob"), ("globex", "carol"))
SCOPES = (*MEMBER_SCOPES, "mcp:manage")
# As deployed, but for what would make an outage of the model last longer than the soak cares for.
SETTINGS = {
    "EDGE_REQUESTS_PER_MINUTE": "1000000",
    "EDGE_REFUSED_CREDENTIALS_PER_MINUTE": "1000000",
    "OPENROUTER_FIRST_TOKEN_TIMEOUT_SECONDS": "5",
    "OPENROUTER_INTER_TOKEN_TIMEOUT_SECONDS": "5",
    "CONVERSATION_RUN_DEADLINE_SECONDS": "120",
    "CONVERSATION_LOST_GRACE_SECONDS": "30",
}
_FINISH_SECONDS = 240.0


async def soak(options: Options) -> bool:
    """Run the whole soak and write its report; whether every promise was kept.

    SIGINT and SIGTERM end the load early; the report is of what there was.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    stack = _stack(options)
    print(f"Starting; the report will be in {options.folder}")
    await asyncio.to_thread(stack.start)
    try:
        with (options.folder / "findings.log").open("w", encoding="utf-8") as told:
            history = History(told=told, ends_at=options.seconds)
            with _broken_off_by_signals(history):
                outcome = await _loaded(options, stack, history)
    finally:
        await asyncio.to_thread(stack.stop)
    outcome.log_lines = {name: _errors_of(options, name) for name in (EDGE, HANDLERS)}
    await asyncio.to_thread(write, options, outcome)
    if options.generated:
        print(f"{options.generated} generated calls")
        log_path = options.folder / "generated.log"
        outcome.generated = await generated_calls(options.generated, log_path)
        await asyncio.to_thread(write, options, outcome)
    if outcome.passed:
        shutil.rmtree(options.folder / "data", ignore_errors=True)
    return outcome.passed


async def _loaded(options: Options, stack: Stack, history: History) -> Outcome:
    curves = Curves(history, stack, min(5.0, options.seconds / 60))
    trouble = Trouble(options, history, stack)
    async with _clients(stack, history) as clients, serving_notebook() as notebook:
        for client in clients:
            await notebook.register(client)
        load = Load(options, history, clients)
        audit = Audit(history, load, notebook)
        watching = [
            asyncio.create_task(work)
            for work in (
                curves.sample(),
                trouble.keep_pace(),
                trouble.watch(),
                audit.go_on(),
                _tell(history),
            )
        ]
        try:
            await asyncio.gather(load.run(), trouble.hurt_processes(), trouble.spoil_the_vendor())
            print("The load is over; waiting for what is under way")
            for _ in await load.finish(_FINISH_SECONDS):
                history.find("every run ends", "a client still waited long after the load")
        finally:
            await _end(watching, history)
        ended = history.now()
        print("Auditing every thread")
        await audit.everything()
        await asyncio.to_thread(audit.nothing_is_left, stack.restate)
    return Outcome(history, curves, audit, ended)


@contextmanager
def _broken_off_by_signals(history: History) -> Generator[None]:
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, history.break_off)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _clients(stack: Stack, history: History) -> AsyncGenerator[list[Client]]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        keys = stack.options.keys
        yield [Client(http, stack.base_url, key.key, history) for key in keys]


async def _end(watching: list[asyncio.Task[None]], history: History) -> None:
    """Stop those who watched; one that has failed watched nothing, which is told."""
    for task in watching:
        if task.done() and not task.cancelled():
            history.find("the soak watches", f"a watcher ended: {task.exception()!r}")
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def _tell(history: History) -> None:
    while True:
        await asyncio.sleep(60)
        print(
            f"{history.now() / 60:5.1f} min: {len(history.turns)} turns in "
            f"{len(history.stories)} threads, {len(history.marks)} troubles, "
            f"{len(history.findings)} promises broken",
            flush=True,
        )


def _stack(options: Options) -> Stack:
    data = options.folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    keys = tuple(SecretKey(tenant_id=tenant, user_id=user, scopes=SCOPES) for tenant, user in USERS)
    return Stack(StackOptions(data_path=data, keys=keys, environment=SETTINGS))


def _errors_of(options: Options, name: str) -> list[str]:
    """What a program's log says at the level of errors: the messages, without their variables."""
    path = options.folder / "data" / "logs" / f"{name}.log"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [
        f"{record.get('logger', '')}: {record.get('message', record.get('event', ''))}"
        for record in records
        if record.get("level") in ("error", "critical")
    ]

"""Durable steps: the only way from a handler to time, ids and the outside world.

An expected failure of a step is a value, not an exception: the action's RpcError is journaled,
looked at here, and retried after a durable sleep while its code is retryable and the policy's
bound is not spent. So a client gets the true code, and retries can be seen in the journal. Any
other exception is a crash or a bug and left to Restate, which runs the same attempt again under
the same name; a vendor's idempotency key must therefore be made from the step's name.
"""

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, ParamSpec, TypeVar, cast

from pydantic import TypeAdapter
from restate import RunOptions
from restate.context import RestateDurableFuture
from restate.serde import Serde

from chassis.calls import AnyContext
from chassis.message import Message
from errors import RetryInfo, RpcError, wire

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """How often a step is tried, and how long it sleeps in between (doubling, with jitter)."""

    attempts: int
    first_delay: timedelta
    max_delay: timedelta


# Three tries ride out a blip of a vendor and still answer inside an edge deadline of 30 s.
STEP = StepPolicy(3, timedelta(milliseconds=500), timedelta(seconds=8))
ONCE = StepPolicy(1, timedelta(0), timedelta(0))


async def step(
    ctx: AnyContext,
    name: str,
    action: Callable[P, Awaitable[T]],
    returns: type[T],
    policy: StepPolicy = STEP,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run one outside effect durably and return its result.

    name: constant and unique in the handler; later attempts are journaled as `name.2`, ...
    returns: the result's type; a Message, or anything that pydantic can read back.
    Raises the action's RpcError once it is terminal or the bound is spent, with the number of
    attempts in its details.
    """
    for number in range(1, policy.attempts + 1):
        label = name if number == 1 else f"{name}.{number}"
        outcome = await attempt(ctx, label, action, returns, *args, **kwargs)
        if not isinstance(outcome, RpcError):
            return outcome
        if outcome.is_terminal or number == policy.attempts:
            raise _with_attempts(outcome, number)
        await ctx.sleep(_delay(ctx, policy, number, outcome), name=f"{name}.backoff.{number}")
    raise AssertionError("a policy has at least one attempt")


def attempt(
    ctx: AnyContext,
    name: str,
    action: Callable[P, Awaitable[T]],
    returns: type[T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> RestateDurableFuture[T | RpcError]:
    """One attempt of a step as a future for `restate.select`: the result or its RpcError."""

    async def run() -> T | RpcError:
        try:
            return await action(*args, **kwargs)
        except RpcError as error:
            return error

    options: RunOptions[Any] = RunOptions(serde=_serde(returns))
    future = ctx.run_typed(name, cast("Callable[[], Any]", run), options)
    return cast("RestateDurableFuture[T | RpcError]", future)


async def now(ctx: AnyContext) -> datetime:
    """The time of the first execution, the same on every replay (UTC)."""
    seconds = await ctx.run_typed("now", _clock, RunOptions(serde=_serde(float)))
    return datetime.fromtimestamp(seconds, UTC)


def new_id(ctx: AnyContext, prefix: str, at: datetime) -> str:
    """A prefixed ULID: URL-safe, sortable by `at`, the same on every replay."""
    return id_at(prefix, at, ctx.random().getrandbits(80))


def id_at(prefix: str, at: datetime, randomness: int) -> str:
    """A prefixed ULID of this time and these 80 bits."""
    return f"{prefix}_{ulid(int(at.timestamp() * 1000), randomness)}"


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(milliseconds: int, randomness: int) -> str:
    """26 characters: 48 bits of time, then 80 bits of randomness."""
    number = (milliseconds << 80) | randomness
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def clock() -> float:
    """Unix seconds, for use inside the action of a step, which journals them."""
    return time.time()


async def _clock() -> float:
    return clock()


def _delay(ctx: AnyContext, policy: StepPolicy, number: int, error: RpcError) -> timedelta:
    backoff = min(policy.first_delay * 2 ** (number - 1), policy.max_delay)
    jittered = backoff * (0.5 + ctx.random().random())
    return max(jittered, error.retry_after or timedelta(0))


def _with_attempts(error: RpcError, attempts: int) -> RpcError:
    if attempts == 1:
        return error
    retry = error.details.retry_info or RetryInfo()
    details = error.details.model_copy(
        update={"retry_info": retry.model_copy(update={"attempts": attempts})}
    )
    return RpcError(error.code, error.reason, error.message, details, is_terminal=error.is_terminal)


_OK, _ERROR = b'{"ok":', b'{"error":'


@dataclass(frozen=True, slots=True)
class _OutcomeSerde(Serde[Any], Generic[T]):
    """`{"ok": result}` or `{"error": {...}}`, readable in Restate's UI, cut without a parse."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]

    def serialize(self, obj: Any) -> bytes:
        if isinstance(obj, RpcError):
            return _ERROR + _ERROR_ADAPTER.dump_json(_ErrorRecord.of(obj)) + b"}"
        return _OK + self.write(obj) + b"}"

    def deserialize(self, buf: bytes) -> Any:
        if buf.startswith(_OK):
            return self.read(buf[len(_OK) : -1])
        return _ERROR_ADAPTER.validate_json(buf[len(_ERROR) : -1]).error()


@dataclass(frozen=True, slots=True)
class _ErrorRecord:
    message: str
    status: int
    metadata: dict[str, str]

    @classmethod
    def of(cls, error: RpcError) -> "_ErrorRecord":
        return cls(error.message, error.code.http_status, wire.to_metadata(error))

    def error(self) -> RpcError:
        return wire.from_failure(self.message, self.status, self.metadata)


_ERROR_ADAPTER = TypeAdapter(_ErrorRecord)


@lru_cache(maxsize=256)
def _serde(returns: type[Any]) -> _OutcomeSerde[Any]:
    # Type hints that are no classes (`list[int]`, unions) come here too: pydantic reads them.
    if inspect.isclass(returns) and issubclass(returns, Message):
        return _OutcomeSerde(write=lambda value: value.to_json(), read=returns.from_json)
    adapter: TypeAdapter[Any] = TypeAdapter(returns)
    return _OutcomeSerde(write=adapter.dump_json, read=adapter.validate_json)

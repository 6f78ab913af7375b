"""Components that exist for the scenarios: one handler for each promise that we rely on."""

from collections import Counter
from datetime import timedelta

import restate
from restate import Context, ObjectContext, ObjectSharedContext, WorkflowContext
from restate.context import WorkflowSharedContext
from restate.exceptions import TerminalError

from app.registry import Registered
from chassis.calls import call, send
from chassis.message import Double, Int32, Message
from chassis.retries import RetryPolicy
from chassis.rpc import Component, Effect, Kind
from chassis.serve import handlers_of, implements
from chassis.state import StateKey, get_all
from chassis.steps import StepPolicy, attempt, new_id, now, step
from chassis.suspension import free_slot
from errors import Code, ErrorDetails, Reason, RetryInfo, RpcError, UpstreamError

SECRET = "what no client may read"
NOT_YET = Reason("scenario.not_yet", Code.UNAVAILABLE, "Not yet. Try again.")
REFUSED = Reason("scenario.refused", Code.QUOTA_EXCEEDED, "No.")
DETAILS = ErrorDetails(
    upstream_error=UpstreamError(service="vendor", status_code=418, body='{"ü": "🫖"}'),
    retry_info=RetryInfo(retry_after=timedelta(seconds=1.5), attempts=2),
)

_SOON = timedelta(milliseconds=10)
KILLED = RetryPolicy("KILLED", _SOON, _SOON, 3, "kill")
PAUSED = RetryPolicy("PAUSED", _SOON, _SOON, 3, "pause")
_QUICKLY = StepPolicy(3, timedelta(milliseconds=20), timedelta(milliseconds=40))
_KEPT = timedelta(hours=1)

# How often steps really ran in this process, by the key that a scenario chose.
_ran: Counter[str] = Counter()


class Words(Message):
    """Something to say."""

    words: list[str] = []


class Asked(Message):
    """What a scenario asks for. kind: of the component in which an exception is raised."""

    key: str = ""
    kind: str = ""
    times: Int32 = 0


class Told(Message):
    """What a handler saw."""

    words: list[str] = []
    number: Int32 = 0
    seconds: Double = 0.0


service = Component("ScenarioService", Kind.SERVICE, KILLED)
actor = Component("ScenarioActor", Kind.ACTOR, KILLED, key="any", eager_state=False)
eager = Component(
    "ScenarioEagerActor", Kind.ACTOR, KILLED, key="any", sends=("ScenarioActor/Hear",)
)
workflow = Component("ScenarioWorkflow", Kind.WORKFLOW, PAUSED, key="any")
gateway = Component("ScenarioGateway", Kind.GATEWAY, KILLED, base="/api/v1/scenario/")

service_refuse = service.rpc("Refuse", Asked, Told)
service_break = service.rpc("Break", Asked, Told)

actor_write = actor.rpc("Write", Asked, Told, edge_callable=True)
actor_refuse = actor.rpc("Refuse", Asked, Told)
actor_break = actor.rpc("Break", Asked, Told)
actor_hear = actor.rpc("Hear", Words, Told)
actor_heard = actor.rpc("Heard", Asked, Words, shared=True, edge_callable=True)
eager_write = eager.rpc("Write", Asked, Told, edge_callable=True)
eager_tell = eager.rpc("Tell", Asked, Told, edge_callable=True)

flow_run = workflow.rpc(
    "Run", Asked, Told, main=True, edge_callable=True, journal_retention=_KEPT,
    idempotency_retention=_KEPT,
)  # fmt: skip
flow_resolve = workflow.rpc("Resolve", Words, Told, shared=True, edge_callable=True)
flow_seen = workflow.rpc("Seen", Asked, Words, shared=True, edge_callable=True)

run_steps = gateway.public("RunSteps", Asked, Told, scope="a:a", effect=Effect.READ)
count_steps = gateway.public("CountSteps", Asked, Told, scope="a:a", effect=Effect.READ)
pass_time = gateway.public("PassTime", Asked, Told, scope="a:a", effect=Effect.READ)
race = gateway.public("Race", Asked, Told, scope="a:a", effect=Effect.READ)
refuse = gateway.public("Refuse", Asked, Told, scope="a:a", effect=Effect.READ)
give_up = gateway.public("GiveUp", Asked, Told, scope="a:a", effect=Effect.READ)
break_down = gateway.public("Break", Asked, Told, scope="a:a", effect=Effect.READ)
make_id = gateway.public("MakeId", Asked, Told, scope="a:a", effect=Effect.READ)

_WORDS = StateKey("words", Words)
_FAMILY = StateKey("family", Words)


class ScenarioService:
    """Leaves."""

    @implements(service_refuse)
    async def refuse(self, ctx: Context, request: Asked) -> Told:
        """Answer with an error that has everything."""
        raise REFUSED.error("Not you.", DETAILS)

    @implements(service_break)
    async def break_down(self, ctx: Context, request: Asked) -> Told:
        """Raise what no handler should."""
        raise ValueError(SECRET)


class ScenarioActor:
    """Lazy state."""

    @implements(actor_write)
    async def write(self, ctx: ObjectContext, request: Asked) -> Told:
        """Read what was written, within one call and from the one before."""
        return await _write(ctx)

    @implements(actor_refuse)
    async def refuse(self, ctx: ObjectContext, request: Asked) -> Told:
        """Pass on the error of a call."""
        return await call(ctx, service_refuse, request)

    @implements(actor_break)
    async def break_down(self, ctx: ObjectContext, request: Asked) -> Told:
        """Raise what no handler should."""
        raise ValueError(SECRET)

    @implements(actor_hear)
    async def hear(self, ctx: ObjectContext, request: Words) -> Told:
        """Keep words in the order in which they came."""
        heard = await _WORDS.get(ctx) or Words()
        await now(ctx)
        _WORDS.set(ctx, Words(words=heard.words + request.words))
        return Told()

    @implements(actor_heard)
    async def heard(self, ctx: ObjectSharedContext, request: Asked) -> Words:
        """What was kept."""
        return await _WORDS.get(ctx) or Words()


class ScenarioEagerActor:
    """Preloaded state."""

    @implements(eager_write)
    async def write(self, ctx: ObjectContext, request: Asked) -> Told:
        """As the lazy one."""
        return await _write(ctx)

    @implements(eager_tell)
    async def tell(self, ctx: ObjectContext, request: Asked) -> Told:
        """Set, then send, many times."""
        for number in range(request.times):
            _WORDS.set(ctx, Words(words=[str(number)]))
            send(ctx, actor_hear, Words(words=[str(number)]), key=request.key)
        later = timedelta(milliseconds=300)
        send(ctx, actor_hear, Words(words=["late"]), key=request.key, delay=later)
        return Told()


async def _write(ctx: ObjectContext) -> Told:
    before = await _WORDS.get(ctx)
    _WORDS.set(ctx, Words(words=["mine"]))
    mine = await _WORDS.get(ctx)
    _WORDS.clear(ctx)
    cleared = await _WORDS.get(ctx)
    await now(ctx)
    for member in (1, 2):
        _FAMILY.of(member).set(ctx, Words(words=[str(member)]))
    family = await get_all(ctx, [_FAMILY.of(2), _FAMILY.of(3), _FAMILY.of(1)])
    _WORDS.set(ctx, Words(words=["kept"]))
    # Not while a key is cleared: SDK 1.3.0 lists it to the handler that cleared it.
    keys = sorted(await ctx.state_keys())
    found = [
        "before:" + "".join(before.words if before else ["nothing"]),
        "mine:" + "".join(mine.words if mine else ["nothing"]),
        "cleared:" + "".join(cleared.words if cleared else ["nothing"]),
        ",".join(w.words[0] if w else "nothing" for w in family),
        ",".join(keys),
    ]
    return Told(words=found)


class ScenarioWorkflow:
    """Promises, stops and cancels."""

    @implements(flow_run)
    async def run(self, ctx: WorkflowContext, request: Asked) -> Told:
        """Wait for a word; `kind` says how."""
        if request.kind == "break":
            raise ValueError(SECRET)
        if request.kind == "steps":
            ran = await step(ctx, "fragile", _fragile, int, _QUICKLY, ctx.key(), request.times)
            return Told(number=ran)
        if request.kind == "patient":
            free_slot(ctx)
        word = ctx.promise("word", type_hint=str).value()
        sleep = ctx.sleep(timedelta(hours=1), name="patience")
        _WORDS.set(ctx, Words(words=["waiting"]))
        if request.kind == "uncaught":
            await sleep
        try:
            what, value = await restate.select(word=word, sleep=sleep)
        except TerminalError as failure:
            # The wait can be taken up again, and state be written, after a cancel.
            _WORDS.set(ctx, Words(words=["cancelled", str(failure.status_code), failure.message]))
            return Told(words=["cancelled"])
        _WORDS.set(ctx, Words(words=["told", what, value]))
        return Told(words=[what, value])

    @implements(flow_resolve)
    async def resolve(self, ctx: WorkflowSharedContext, request: Words) -> Told:
        """Say the word; `number` is the status of the refusal, 0 without one."""
        promise = ctx.promise("word", type_hint=str)
        known = await promise.peek()
        try:
            await promise.resolve(request.words[0])
        except TerminalError as failure:
            return Told(number=failure.status_code, words=[known or ""])
        return Told(words=[known or ""])

    @implements(flow_seen)
    async def seen(self, ctx: WorkflowSharedContext, request: Asked) -> Words:
        """What the run wrote."""
        return await _WORDS.get(ctx) or Words()


class ScenarioGateway:
    """Steps, time and errors."""

    @implements(run_steps)
    async def run_steps(self, ctx: Context, request: Asked) -> Told:
        """Fail a step some times, then succeed; the number is how often it really ran."""
        ran = await step(ctx, "fragile", _fragile, int, _QUICKLY, request.key, request.times)
        return Told(number=ran)

    @implements(count_steps)
    async def count_steps(self, ctx: Context, request: Asked) -> Told:
        """How often steps ran under a key."""
        return Told(number=await step(ctx, "count", _count, int, _QUICKLY, request.key))

    @implements(pass_time)
    async def pass_time(self, ctx: Context, request: Asked) -> Told:
        """Sleep, and say for how long."""
        before = await now(ctx)
        await ctx.sleep(timedelta(milliseconds=request.times))
        return Told(seconds=(await now(ctx) - before).total_seconds())

    @implements(race)
    async def race(self, ctx: Context, request: Asked) -> Told:
        """A quick step beside a long sleep, twice; a future that lost may be waited for again."""
        sleep = ctx.sleep(timedelta(milliseconds=request.times))
        first = await restate.select(sleep=sleep, step=attempt(ctx, "quick", _quick, str))
        second = await restate.select(sleep=sleep, step=attempt(ctx, "quick", _quick, str))
        both = [sleep, attempt(ctx, "quick", _quick, str)]
        await restate.gather(*both)
        return Told(words=[first[0], second[0], str(await both[1])])

    @implements(refuse)
    async def refuse(self, ctx: Context, request: Asked) -> Told:
        """An error from the bottom, through every layer."""
        return await call(ctx, actor_refuse, request, key=request.key)

    @implements(give_up)
    async def give_up(self, ctx: Context, request: Asked) -> Told:
        """A step whose error is terminal."""
        return Told(number=await step(ctx, "hopeless", _hopeless, int))

    @implements(break_down)
    async def break_down(self, ctx: Context, request: Asked) -> Told:
        """Raise what no handler should, in a component of the kind that is asked for."""
        if request.kind == "service":
            return await call(ctx, service_break, request)
        if request.kind == "actor":
            return await call(ctx, actor_break, request, key=request.key)
        raise ValueError(SECRET)

    @implements(make_id)
    async def make_id(self, ctx: Context, request: Asked) -> Told:
        """The same id before and after a wait."""
        at = await now(ctx)
        made = [new_id(ctx, "id", at), new_id(ctx, "id", at)]
        await ctx.sleep(timedelta(milliseconds=request.times))
        return Told(words=[*made, new_id(ctx, "id", at)])


async def _fragile(key: str, failures: int) -> int:
    _ran[key] += 1
    if _ran[key] <= failures:
        raise NOT_YET.error()
    return _ran[key]


async def _count(key: str) -> int:
    return _ran[key]


async def _quick() -> str:
    return "quick"


async def _hopeless() -> int:
    raise RpcError(REFUSED.code, REFUSED.word, "Not you.", DETAILS)


def registered() -> list[Registered]:
    """All of it, for a registry or for the fake platform."""
    pairs = [
        (service, ScenarioService()),
        (actor, ScenarioActor()),
        (eager, ScenarioEagerActor()),
        (workflow, ScenarioWorkflow()),
        (gateway, ScenarioGateway()),
    ]
    return [
        Registered(component, tuple(handlers_of(implementation)), "Exists for scenarios.")
        for component, implementation in pairs
    ]


def forget() -> None:
    """Count from nothing; for a fake that lives in the process of the test."""
    _ran.clear()

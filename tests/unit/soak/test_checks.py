"""The promises of the soak: each check finds the thread that breaks it, and only that."""

import copy
from collections.abc import Callable

import pytest

from soak.audit import failures_without_cause
from soak.checks import PROMISES, Stored, answer_to, broken
from soak.history import Json, Mark, Said, Seen, Story, digest
from soak.notebook import DANGEROUS

ONE_ANSWER = "every message has one answer"
CALLED_ONCE, CALLS_END = "no tool is called twice", "every call of a tool ends once"


class Thread:
    """Five messages of two writers: three answered, the first with a tool, then one cancelled, then
    one failed."""

    def __init__(self) -> None:
        self.story = Story("soak-1", owner=0, writers=2, closed=True)
        self.stored = Stored([], [], [])
        for number in range(5):
            said = Said(number % 2, f"c{number}", f"text {number}", 10.0 * number)
            self.story.said[said.client_message_id] = said
            self.story.accept(said, {"runId": f"r{number}", "messageId": f"m{number}"}, 0.1)
            self._happen("message.created", said, message=_message(said, said.text))
        for said in self.story.accepted[:3]:
            self._happen("run.started", said)
            if said is self.story.accepted[0]:
                self._call_tool(said)
            self._answer(said, answer_to(said.text))
            self._end("run.completed", said)
        cancelled, failed = self.story.accepted[3:]
        cancelled.cancelled = True
        self._answer(cancelled, "You said: te")
        self._end("run.cancelled", cancelled)
        error = {"code": "UNAVAILABLE", "details": {"reason": "openrouter.unavailable"}}
        self._end("run.failed", failed, error=error)
        self.read("a reader", "another reader")

    def read(self, *names: str) -> None:
        """These saw the log as it is now."""
        log = [digest(event) for event in self.stored.events]
        self.story.seen = [Seen(name, list(log)) for name in names]

    def number_again(self) -> None:
        """After a change of the log: without gaps, and seen by the readers so."""
        for sequence, event in enumerate(self.stored.events, 1):
            event["sequence"] = sequence
        self.read("a reader")

    def place(self, kind: str, run: str) -> int:
        """Where in the log the run's event of this type is."""
        found = [(event["type"], event["runId"]) for event in self.stored.events]
        return found.index((kind, run))

    def broken(self) -> set[str]:
        """The promises that this thread breaks."""
        return {promise for promise, _ in broken(self.story, self.stored)}

    def call(self) -> Json:
        """What became of the call of the tool."""
        return self.stored.events[self.place("tool.completed", "r0")]["toolCall"]

    def _call_tool(self, said: Said) -> None:
        call = {
            "callId": "call_1",
            "toolName": DANGEROUS,
            "arguments": {"text": said.client_message_id},
        }
        asking = {"content": "", "toolCalls": [call]}
        self._happen("message.completed", said, attempt=1, message=asking)
        self._happen("tool.requested", said, toolCall=call)
        self._happen("tool.completed", said, toolCall=call | {"status": "SUCCEEDED"})
        self.stored.lines[said.client_message_id] += 1

    def _happen(self, kind: str, said: Said, **more: object) -> None:
        event: Json = {"sequence": len(self.stored.events) + 1, "type": kind, "runId": said.run_id}
        self.stored.events.append({**event, **more})
        if kind in ("message.created", "message.completed", "tool.completed"):
            answer = f"a{len(self.stored.events)}"
            message_id = said.message_id if kind == "message.created" else answer
            self.stored.events[-1]["messageId"] = message_id
            self.stored.messages.append({"messageId": message_id})

    def _answer(self, said: Said, text: str) -> None:
        self._happen("message.completed", said, attempt=1, message=_message(said, text))

    def _end(self, kind: str, said: Said, **more: object) -> None:
        self._happen(kind, said, **more)
        status = kind.removeprefix("run.").upper()
        self.stored.runs.append({"runId": said.run_id, "status": status})


def _message(said: Said, text: str) -> Json:
    return {"clientMessageId": said.client_message_id, "content": text}


def lost(thread: Thread) -> None:
    del thread.stored.events[thread.place("message.created", "r1")]


def doubled(thread: Thread) -> None:
    again = copy.deepcopy(thread.stored.events[0])
    thread.stored.events.insert(1, again | {"messageId": "m9", "runId": "r9"})


def never_sent(thread: Thread) -> None:
    del thread.story.said["c2"]


def reordered(thread: Thread) -> None:
    events = thread.stored.events
    events[0], events[2] = events[2], events[0]


def changed(thread: Thread) -> None:
    thread.stored.events[0]["message"]["content"] = "another text"


def unanswered(thread: Thread) -> None:
    del thread.stored.events[thread.place("message.completed", "r1")]


def answered_twice(thread: Thread) -> None:
    place = thread.place("message.completed", "r1")
    thread.stored.events.insert(place, copy.deepcopy(thread.stored.events[place]))


def answered_with_another(thread: Thread) -> None:
    place = thread.place("message.completed", "r1")
    thread.stored.events[place]["message"]["content"] = answer_to("text 2")


def never_ended(thread: Thread) -> None:
    del thread.stored.events[thread.place("run.completed", "r2")]


def ended_twice(thread: Thread) -> None:
    thread.stored.events.append(dict(thread.stored.events[thread.place("run.completed", "r2")]))


def failed_without_error(thread: Thread) -> None:
    del thread.stored.events[thread.place("run.failed", "r4")]["error"]


def cancelled_unasked(thread: Thread) -> None:
    thread.story.said["c3"].cancelled = False


def partial_of_another(thread: Thread) -> None:
    place = thread.place("message.completed", "r3")
    thread.stored.events[place]["message"]["content"] = "You said: other"


def answered_out_of_turn(thread: Thread) -> None:
    place = thread.place("run.failed", "r4")
    thread.stored.events.insert(5, thread.stored.events.pop(place))


def spoke_after_its_end(thread: Thread) -> None:
    thread.stored.events.append({"sequence": 0, "type": "run.retrying", "runId": "r0"})


def written_twice(thread: Thread) -> None:
    thread.stored.lines["c0"] = 2


def never_written(thread: Thread) -> None:
    thread.stored.lines.clear()


def written_although_denied(thread: Thread) -> None:
    thread.call()["status"] = "DENIED"


def written_unasked(thread: Thread) -> None:
    thread.stored.lines["c1"] = 1


def call_never_ended(thread: Thread) -> None:
    del thread.stored.events[thread.place("tool.completed", "r0")]


def call_ended_twice(thread: Thread) -> None:
    place = thread.place("tool.completed", "r0")
    thread.stored.events.insert(place, copy.deepcopy(thread.stored.events[place]))


@pytest.mark.parametrize(
    ("harm", "promise"),
    [
        (lost, "no message is lost"),
        (changed, "no message is lost"),
        (doubled, "no message is doubled"),
        (never_sent, "no message is doubled"),
        (reordered, "no message is reordered"),
        (unanswered, ONE_ANSWER),
        (answered_twice, ONE_ANSWER),
        (answered_with_another, ONE_ANSWER),
        (never_ended, ONE_ANSWER),
        (ended_twice, ONE_ANSWER),
        (failed_without_error, ONE_ANSWER),
        (cancelled_unasked, ONE_ANSWER),
        (partial_of_another, ONE_ANSWER),
        (answered_out_of_turn, "answers come in order"),
        (spoke_after_its_end, "answers come in order"),
        (written_twice, CALLED_ONCE),
        (never_written, CALLED_ONCE),
        (written_although_denied, CALLED_ONCE),
        (written_unasked, CALLED_ONCE),
        (call_never_ended, CALLS_END),
        (call_ended_twice, CALLS_END),
    ],
)
def test_a_harmed_thread_is_found(harm: Callable[[Thread], None], promise: str) -> None:
    thread = Thread()
    harm(thread)
    thread.number_again()
    assert promise in thread.broken()


def test_a_thread_that_is_right_breaks_no_promise() -> None:
    assert Thread().broken() == set()


@pytest.mark.parametrize("times", [0, 1])
def test_a_tool_whose_outcome_is_unknown_may_have_done_its_work(times: int) -> None:
    thread = Thread()
    thread.call()["status"] = "UNKNOWN"
    thread.stored.lines["c0"] = times
    thread.number_again()
    assert thread.broken() == set()


def test_a_gap_in_the_log_is_found() -> None:
    thread = Thread()
    thread.stored.events[4]["sequence"] = 6
    thread.read("a reader")
    assert thread.broken() == {"sequences have no gap"}


@pytest.mark.parametrize("harm", ["missed", "twice", "swapped", "changed"])
def test_a_reader_who_saw_something_else_is_found(harm: str) -> None:
    thread = Thread()
    digests = thread.story.seen[1].digests
    if harm == "missed":
        digests.pop()
    elif harm == "twice":
        digests.append(digests[-1])
    elif harm == "swapped":
        digests[0], digests[1] = digests[1], digests[0]
    else:
        digests[3] = digest({"type": "something else"})
    assert thread.broken() == {"readers saw every event once"}


@pytest.mark.parametrize("harm", ["no message", "no run", "a run twice", "another status"])
def test_lists_that_differ_from_the_log_are_found(harm: str) -> None:
    thread = Thread()
    if harm == "no message":
        thread.stored.messages.pop()
    elif harm == "no run":
        thread.stored.runs.pop()
    elif harm == "a run twice":
        thread.stored.runs.append(thread.stored.runs[0])
    else:
        thread.stored.runs[0]["status"] = "RUNNING"
    assert thread.broken() == {"lists say what the log says"}


def test_a_message_whose_answer_never_came_may_be_there_or_not() -> None:
    thread = Thread()
    thread.story.said["c9"] = Said(0, "c9", "perhaps", 1.0)
    assert thread.broken() == set()


def test_every_promise_has_a_thread_that_breaks_it() -> None:
    found: set[str] = set()
    harms = (lost, doubled, reordered, answered_twice, spoke_after_its_end)
    for harm in (*harms, written_twice, call_ended_twice):
        thread = Thread()
        harm(thread)
        found |= {promise for promise, _ in broken(thread.story, thread.stored)}
    assert found == set(PROMISES)


@pytest.mark.parametrize(
    ("what", "name", "allowed"),
    [("fault", "429", True), ("kill", "local-cloud", True), ("kill", "handlers", False)],
)
def test_a_run_may_fail_only_while_the_vendor_does(what: str, name: str, allowed: bool) -> None:
    thread = Thread()
    said = thread.story.said["c4"]
    said.settled_at = said.sent_at + 3
    marks = [Mark(what, name, said.sent_at + 1, said.sent_at + 2)]
    assert bool(list(failures_without_cause(thread.story, thread.stored, marks))) is not allowed


def test_a_fault_long_before_a_failed_run_is_not_its_cause() -> None:
    thread = Thread()
    said = thread.story.said["c4"]
    said.settled_at = said.sent_at + 3
    marks = [Mark("fault", "429", said.sent_at - 20, said.sent_at - 10)]
    assert len(list(failures_without_cause(thread.story, thread.stored, marks))) == 1

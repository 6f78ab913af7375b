"""The promises, as functions over one thread: what clients were told against what is there.

Each yields a sentence for everything that is wrong and nothing for a thread that is right. They
know no platform, so that tests can hand them threads with a lost, a doubled or a reordered message.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from soak.history import ENDS, Json, Said, Story, digest
from soak.notebook import DANGEROUS

STATUS_OF = {"run.completed": "COMPLETED", "run.failed": "FAILED", "run.cancelled": "CANCELLED"}


@dataclass(frozen=True)
class Stored:
    """A thread as the platform shows it: all events, all messages (oldest first), all runs.

    lines: what was really written into the notebook, each with how often.
    """

    events: list[Json]
    messages: list[Json]
    runs: list[Json]
    lines: Counter[str] = field(default_factory=Counter[str])

    def of(self, kind: str) -> list[Json]:
        """The events of one type, in order."""
        return [event for event in self.events if event["type"] == kind]

    def ends(self) -> list[Json]:
        """The events that end runs, in order."""
        return [event for event in self.events if event["type"] in ENDS]


def answer_to(text: str) -> str:
    """What the double answers."""
    return f"You said: {text}"


def no_message_is_lost(story: Story, stored: Stored) -> Iterator[str]:
    """Every accepted message is in the log, with the ids and the text that its writer knows."""
    created = {event["messageId"]: event for event in stored.of("message.created")}
    for said in story.accepted:
        event = created.get(said.message_id)
        if event is None:
            yield f"message {said.client_message_id} was accepted and is not in the log"
        elif (event["runId"], _text_of(event)) != (said.run_id, said.text):
            yield f"message {said.client_message_id} is not what was accepted"


def no_message_is_doubled(story: Story, stored: Stored) -> Iterator[str]:
    """What was sent is in the log at most once, and nothing else is."""
    ids = Counter(event["message"]["clientMessageId"] for event in stored.of("message.created"))
    for client_message_id, times in ids.items():
        if times > 1:
            yield f"message {client_message_id} is in the log {times} times"
        if client_message_id not in story.said:
            yield f"message {client_message_id} is in the log and was never sent"


def no_message_is_reordered(story: Story, stored: Stored) -> Iterator[str]:
    """Each writer sends one message after the other; so they are in the log."""
    order = [event["message"]["clientMessageId"] for event in stored.of("message.created")]
    for writer in range(story.writers):
        sent = [said.client_message_id for said in story.said.values() if said.writer == writer]
        known = set(sent)
        logged = [each for each in order if each in known]
        expected = [each for each in sent if each in set(logged)]
        if logged != expected:
            yield f"the messages of writer {writer} are in another order than they were sent"


def every_message_has_one_answer(story: Story, stored: Stored) -> Iterator[str]:
    """Each accepted message's run ended once: with the whole answer, or as failed with an error, or
    as cancelled where a client asked for it."""
    spoken = [e for e in stored.of("message.completed") if not e["message"].get("toolCalls")]
    answers, ends = _by_run(spoken), _by_run(stored.ends())
    for said in story.accepted:
        got, ended = answers.get(said.run_id, []), ends.get(said.run_id, [])
        if len(ended) != 1:
            yield f"run {said.run_id} ended {len(ended)} times"
            continue
        if len(got) > 1:
            yield f"run {said.run_id} was answered {len(got)} times"
            continue
        wrong = _wrong_with(said, _text_of(got[0]) if got else "", ended[0])
        if wrong:
            yield f"run {said.run_id} {wrong}"
    for run_id in set(answers) | set(ends):
        if run_id not in {event["runId"] for event in stored.of("message.created")}:
            yield f"run {run_id} belongs to no message"


def answers_come_in_order(story: Story, stored: Stored) -> Iterator[str]:
    """Messages are answered in the order of the log; a cancel alone may end a run before its
    turn. Nothing happens in a run that has ended."""
    place = {event["runId"]: n for n, event in enumerate(stored.of("message.created"))}
    runs = [end["runId"] for end in stored.ends() if end["type"] != "run.cancelled"]
    places = [place[run_id] for run_id in runs if run_id in place]
    if places != sorted(places):
        yield "answers are in another order than their messages"
    over: set[str] = set()
    for event in stored.events:
        if event["runId"] in over:
            yield f"{event['type']} came after the end of run {event['runId']}"
        if event["type"] in ENDS:
            over.add(event["runId"])


def sequences_have_no_gap(story: Story, stored: Stored) -> Iterator[str]:
    """Events are numbered from 1, one by one."""
    for expected, event in enumerate(stored.events, 1):
        if event["sequence"] != expected:
            yield f"where sequence {expected} belongs is {event['sequence']}"
            return


def readers_saw_every_event_once(story: Story, stored: Stored) -> Iterator[str]:
    """Each reader's events, over all of its connections, are those of the log."""
    log = [digest(event) for event in stored.events]
    for seen in story.seen:
        if seen.digests == log:
            continue
        pairs = enumerate(zip(seen.digests, log, strict=False))
        shorter = min(len(seen.digests), len(log))
        same = next((n for n, (theirs, ours) in pairs if theirs != ours), shorter)
        yield (
            f"{seen.reader} saw {len(seen.digests)} events where the log has {len(log)}; "
            f"they are the same up to {same}"
        )


def lists_say_what_the_log_says(story: Story, stored: Stored) -> Iterator[str]:
    """`list-messages` and `list-runs` show what the events told, each once."""
    told = [e["messageId"] for e in stored.events if e["type"] in _BRING_MESSAGES]
    listed = [message["messageId"] for message in stored.messages]
    if sorted(told) != sorted(listed):
        yield f"the log tells of {len(told)} messages and {len(listed)} others are listed"
    runs = {event["runId"]: STATUS_OF[event["type"]] for event in stored.ends()}
    if len(stored.runs) != len({run["runId"] for run in stored.runs}):
        yield "a run is listed twice"
    if {run["runId"]: run["status"] for run in stored.runs} != runs:
        yield "the list of runs is not what the log tells"


def no_tool_is_called_twice(story: Story, stored: Stored) -> Iterator[str]:
    """A line was written once where the log says that it was, once or never where the log does not
    know, and never otherwise."""
    calls = [event["toolCall"] for event in stored.of("tool.completed")]
    ended = {
        call["arguments"]["text"]: call["status"]
        for call in calls
        if call.get("toolName") == DANGEROUS
    }
    for line in story.said:
        times, status = stored.lines[line], ended.get(line, "never made")
        if times not in _WRITTEN.get(status, {0}):
            yield f"the tool wrote {line} {times} times, and its call is {status}"


def every_call_of_a_tool_ends_once(story: Story, stored: Stored) -> Iterator[str]:
    """What the model asked for was made, refused or given up, each once."""
    asked, ended = (
        Counter((event["runId"], event["toolCall"]["callId"]) for event in stored.of(kind))
        for kind in ("tool.requested", "tool.completed")
    )
    for call in asked | ended:
        if (asked[call], ended[call]) != (1, 1):
            told = f"was asked for {asked[call]} times and ended {ended[call]} times"
            yield f"{call[1]} of run {call[0]} {told}"


_WRITTEN = {"SUCCEEDED": {1}, "UNKNOWN": {0, 1}}
_BRING_MESSAGES = ("message.created", "message.completed", "tool.completed")

PROMISES: dict[str, Callable[[Story, Stored], Iterator[str]]] = {
    "no message is lost": no_message_is_lost,
    "no message is doubled": no_message_is_doubled,
    "no message is reordered": no_message_is_reordered,
    "every message has one answer": every_message_has_one_answer,
    "answers come in order": answers_come_in_order,
    "sequences have no gap": sequences_have_no_gap,
    "readers saw every event once": readers_saw_every_event_once,
    "lists say what the log says": lists_say_what_the_log_says,
    "no tool is called twice": no_tool_is_called_twice,
    "every call of a tool ends once": every_call_of_a_tool_ends_once,
}


def broken(story: Story, stored: Stored) -> Iterator[tuple[str, str]]:
    """Every promise that this thread breaks, each with its sentence."""
    for promise, check in PROMISES.items():
        for sentence in check(story, stored):
            yield promise, f"{story.key}: {sentence}"


def _wrong_with(said: Said, text: str, end: Json) -> str:
    whole = answer_to(said.text)
    match end["type"]:
        case "run.completed":
            return "" if text == whole else "completed with another answer"
        case "run.failed":
            if not end.get("error", {}).get("code"):
                return "failed without an error"
        case _:
            if not said.cancelled:
                return "was cancelled and nobody asked for it"
    return "" if whole.startswith(text) else "kept a text that is no part of its answer"


def _by_run(events: list[Json]) -> dict[str, list[Json]]:
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for event in events:
        found[event["runId"]].append(event)
    return found


def _text_of(event: Json) -> str:
    return event["message"].get("content", "")

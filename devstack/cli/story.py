"""The story of a run: what happened when, in lines for a person, and what can be done now."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from devstack.cli.output import moment, printable


@dataclass(frozen=True)
class Story:
    """All that is known of a run. `owner` has no tenant and user where the API told it."""

    run: dict[str, Any]
    owner: dict[str, str]
    events: list[dict[str, Any]]
    invocation: dict[str, Any] = field(default_factory=dict[str, Any])
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def over(self) -> bool:
        """Whether the run is settled."""
        return self.run.get("status") in ("COMPLETED", "FAILED", "CANCELLED")


def told(story: Story, *, content: bool) -> list[str]:
    """The story in lines."""
    lines = [*_head(story), ""]
    start = _time(story.run.get("createdAt", ""))
    for event in story.events:
        lines.append(f"  {_clock(event.get('createdAt', ''), start)}  {_sentence(event)}")
        said = event.get("message", {}).get("content", "") if content else ""
        lines += [f"{'':26}{printable(line)}" for line in said.splitlines()]
    lines += _in_restate(story)
    return [*lines, "", click.style("Next  ", bold=True) + advice(story)]


def _head(story: Story) -> list[str]:
    run, owner = story.run, story.owner
    status = run.get("status", "")
    colour = {"COMPLETED": "green", "FAILED": "red"}.get(status, "yellow")
    whose = f" of {owner['userId']} in {owner['tenantId']}" if "userId" in owner else ""
    thread = printable(owner["conversationKey"] + whose)
    lines = [
        f"Run {run['runId']}  {click.style(status, fg=colour, bold=True)}{_lasted(run)}",
        f"  thread    {thread}",
        f"  accepted  {moment(run.get('createdAt', ''))}",
    ]
    if model := run.get("model") or run.get("generationConfig", {}).get("model"):
        via = f" by {run['provider']}" if run.get("provider") else ""
        lines.append(f"  model     {model}{via}, {run.get('attempts', 0)} attempts")
    if usage := run.get("usage"):
        first = run.get("timeToFirstTokenMs")
        lines.append(
            f"  tokens    {usage.get('promptTokens', 0)} in, {usage.get('completionTokens', 0)} "
            f"out, ${run.get('costUsd') or 0}" + (f", first after {first} ms" if first else "")
        )
    if error := run.get("error"):
        lines.append(f"  error     {_error(error)}")
    return lines


def _lasted(run: dict[str, Any]) -> str:
    start, end = _time(run.get("createdAt", "")), _time(run.get("finishedAt", ""))
    return f"  after {(end - start).total_seconds():.1f} s" if start and end else ""


def _sentence(event: dict[str, Any]) -> str:
    message: dict[str, Any] = event.get("message") or {}
    length = len(message.get("content", ""))
    match event["type"]:
        case "message.created":
            return f"message of {length} characters accepted"
        case "run.started":
            return "the model is asked (attempt 1)"
        case "run.retrying":
            why = f": {_error(event['error'])}" if event.get("error") else ", its process was gone"
            return f"attempt {event.get('attempt', 0)} begins, the text before is void{why}"
        case "message.completed":
            whole = "partial answer" if message.get("partial") else "answer"
            return f"{whole} of {length} characters, {message.get('finishReason') or 'stopped'}"
        case "run.failed":
            return f"failed: {_error(event.get('error') or {})}"
        case "run.cancelled":
            return printable(f"cancelled{': ' + event['reason'] if event.get('reason') else ''}")
        case other:
            return other.replace("run.", "").replace(".", " ")


def _error(error: dict[str, Any]) -> str:
    reason = error.get("details", {}).get("reason", "")
    return printable(f"{error.get('code', '')} {reason}: {error.get('message', '')}")


def _in_restate(story: Story) -> list[str]:
    invocation = story.invocation
    if not invocation:
        return []
    kept = [step for step in story.steps if step["entry_type"] == "Command: Run"]
    counted = Counter(step.get("name", "") for step in kept)
    done = ", ".join(f"{times} {name}" for name, times in counted.items()) or "none yet"
    lines = [
        "",
        f"In Restate  {invocation['id']}  {invocation['status']}",
        f"  durable steps  {done}",
        f"  version        {invocation.get('pinned_deployment_id', 'not chosen yet')}",
    ]
    if invocation.get("last_failure") and not story.over:
        lines.append(f"  last failure   {printable(invocation['last_failure'].splitlines()[0])}")
    return lines


def advice(story: Story) -> str:
    """What a person can do now."""
    run, invocation = story.run, story.invocation
    match str(run.get("status", "")):
        case "COMPLETED":
            return "Nothing to do."
        case "CANCELLED":
            return "Nothing to do; what was said until then is kept and marked as partial."
        case "FAILED":
            final = run.get("error", {}).get("isTerminal", True)
            return "Nothing goes on by itself. " + (
                "The same message would fail again; change what the error names."
                if final
                else "Send the message again."
            )
        case "QUEUED":
            return "It begins when the runs before it in its thread are over."
        case _:
            return _advice_at_work(invocation)


def _advice_at_work(invocation: dict[str, Any]) -> str:
    if not invocation:
        return "It is on its way; stop it with cancel-run."
    identity = invocation["id"]
    match invocation["status"]:
        case "paused":
            why = "after too many failures" if invocation.get("last_failure") else "by an operator"
            return f"It was paused {why}. It goes on with: restate invocations resume {identity}"
        case "backing-off":
            return (
                f"Restate tries again at {moment(invocation.get('next_retry_at', ''))}; at once "
                f"with: restate invocations resume {identity}"
            )
        case "completed" | "killed":
            return "Its work ended without a report; the thread settles it as run.lost and goes on."
        case _:
            return (
                f"It is at work. Stop it with cancel-run, or: restate invocations cancel {identity}"
            )


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _clock(text: str, start: datetime | None) -> str:
    time = _time(text)
    if time is None:
        return " " * 22
    since = f"+{(time - start).total_seconds():.2f} s" if start else ""
    return f"{time.astimezone().strftime('%H:%M:%S.%f')[:-3]} {since:>9}"

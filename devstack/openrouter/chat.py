"""Plays one chat call: picks the answer, sends it as scripted, and records what was really sent."""

import asyncio
import json
import re
import time
from decimal import Decimal
from typing import Any, cast

from devstack.exchange import ClientGoneError, Exchange
from devstack.openrouter.messages import Answer, Call, ToolCall, words
from devstack.openrouter.state import State

_GENERATED_PIECE = 1000
_WANTED_TOOL = re.compile(r"^call (\S+) (\{.*\})$", re.MULTILINE)
_STALL = "stall"
"""The gate that nobody opens, but that a reset or the end of the server does."""


class _CutError(Exception):
    """The script says that the connection breaks here."""


async def answer_chat(state: State, exchange: Exchange, body: dict[str, Any]) -> None:
    """Answer `POST /chat/completions`, with fallbacks as OpenRouter does them."""
    call = state.add_call(body, exchange.headers.get("idempotency-key", ""))
    try:
        answer = _choose(state, call)
        await _Player(state, exchange, call, answer).play()
        call.finished = call.status == 200
    except _CutError:
        pass
    except ClientGoneError:
        call.closed_by_client = True
    finally:
        call.waiting = False
        call.closed_at = time.time()
        state.changed()


def _choose(state: State, call: Call) -> Answer:
    answer = _unknown(call.model)
    for model in call.models:
        call.tried.append(model)
        call.served_model = model
        if state.knows(model):
            answer = state.next_answer(model, last_user_text(call)) or _unscripted(call)
        else:
            answer = _unknown(model)
        if answer.status is None and not answer.error_in_200:
            break
    return answer


def _unknown(model: str) -> Answer:
    return Answer(status=400, error_message=f"{model} is not a valid model ID")


def _unscripted(call: Call) -> Answer:
    """The tools that the user has just asked for and the call offers, else an echo."""
    if call.messages and call.messages[-1].get("role") != "user":
        return Answer()
    tools = cast("list[dict[str, Any]]", call.body.get("tools") or [])
    offered = {tool["function"]["name"] for tool in tools}
    wanted = _WANTED_TOOL.findall(last_user_text(call)) if offered else []
    calls = [ToolCall(name=name, arguments=given) for name, given in wanted if name in offered]
    return Answer(tool_calls=calls)


def last_user_text(call: Call) -> str:
    """The text of the last message of the user."""
    for message in reversed(call.messages):
        if message.get("role") == "user":
            return _content_text(message.get("content"))
    return ""


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)
        return "".join(part.get("text", "") for part in parts)
    return content or ""


class _Player:
    def __init__(self, state: State, exchange: Exchange, call: Call, answer: Answer) -> None:
        self._state = state
        self._exchange = exchange
        self._call = call
        self._answer = answer
        tokens = _tokens(answer, call)
        self._tokens = tokens[: call.body.get("max_tokens")]
        self._cut_short = len(self._tokens) < len(tokens)
        self._newline = "\r\n" if answer.crlf else "\n"

    async def play(self) -> None:
        answer = self._answer
        if answer.hold_headers:
            await self._hold()
        if answer.status is not None or answer.error_in_200:
            await self._refuse()
        elif answer.garbage == "html":
            self._call.status = 200
            page = b"<html><body>It works!</body></html>"
            await self._exchange.send(200, page, "text/html; charset=utf-8")
        elif self._call.stream:
            await self._play_stream()
        else:
            await self._play_whole()

    async def _refuse(self) -> None:
        answer = self._answer
        status = answer.status or 200
        self._call.status = status
        headers = {} if answer.retry_after is None else {"retry-after": answer.retry_after}
        if answer.raw_body is not None:
            await self._exchange.send(status, answer.raw_body.encode(), "text/html", headers)
        else:
            await self._exchange.send_json(status, {"error": self._error(status)}, headers)

    def _error(self, default_code: int) -> dict[str, Any]:
        code = self._answer.error_code
        error: dict[str, Any] = {
            "code": default_code if code is None else code,
            "message": self._answer.error_message,
        }
        if self._answer.error_metadata:
            error["metadata"] = self._answer.error_metadata
        return error

    async def _play_stream(self) -> None:
        answer, call = self._answer, self._call
        call.status = 200
        headers = {"content-type": "text/event-stream", "x-generation-id": call.id}
        await self._exchange.start(200, headers)
        if answer.garbage == "binary":
            await self._exchange.write(bytes(range(128, 256)) * 8)
        else:
            await self._play_events()
        await self._exchange.end()

    async def _play_events(self) -> None:
        await self._write(f": OPENROUTER PROCESSING{self._newline}{self._newline}")
        await self._exchange.pause(self._delay("first_token_delay_ms"))
        for piece in words(self._answer.reasoning):
            await self._event({"role": "assistant", "content": "", "reasoning": piece})
        for position, token in enumerate(self._tokens):
            if await self._is_end_at(position):
                return
            if position:
                await self._exchange.pause(self._delay("token_delay_ms"))
            await self._event({"role": "assistant", "content": token})
            self._record(token)
        if not await self._is_end_at(len(self._tokens)):
            await self._finish_stream()

    async def _finish_stream(self) -> None:
        answer = self._answer
        for index, wanted in enumerate(answer.tool_calls):
            name = {"name": wanted.name, "arguments": ""}
            first = {"index": index, "id": f"call_{index}", "type": "function", "function": name}
            await self._event({"tool_calls": [first]})
            middle = len(wanted.arguments) // 2
            for piece in (wanted.arguments[:middle], wanted.arguments[middle:]):
                part = {"index": index, "function": {"arguments": piece}}
                await self._event({"tool_calls": [part]})
        await self._event({"content": ""}, finish_reason=self._finish_reason())
        if answer.with_usage:
            last = self._head("chat.completion.chunk") | {"choices": list[Any]()}
            await self._data(last | {"usage": self._usage()})
        if answer.with_done:
            await self._write(f"data: [DONE]{self._newline}{self._newline}")

    async def _is_end_at(self, position: int) -> bool:
        """Do what the script says for this place in the stream; whether it ends here."""
        answer = self._answer
        if answer.hold_after == position:
            await self._hold()
        if answer.stall_after == position:
            await self._wait(self._state.gate(_STALL))
            raise _CutError
        if answer.cut_after == position:
            raise _CutError
        if answer.garbage_after == position:
            await self._write(f'data: {{"choices": [{{"delta{self._newline}{self._newline}')
        if answer.error_after == position:
            choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            error = {"error": self._error(502), "choices": [choice]}
            await self._data({**self._head("chat.completion.chunk"), **error})
            return True
        return answer.end_after == position

    async def _play_whole(self) -> None:
        answer, call = self._answer, self._call
        call.status = 200
        await self._exchange.pause(self._delay("first_token_delay_ms"))
        for position, token in enumerate(self._tokens):
            if await self._is_end_at(position):
                return
            self._record(token)
        await self._is_end_at(len(self._tokens))
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._tokens)}
        if answer.reasoning:
            message["reasoning"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [
                {"id": f"call_{index}", "type": "function", "function": wanted.model_dump()}
                for index, wanted in enumerate(answer.tool_calls)
            ]
        reason = self._finish_reason()
        choice = {"index": 0, "message": message, "finish_reason": reason}
        whole = {**self._head("chat.completion"), "choices": [choice]}
        if answer.with_usage:
            whole["usage"] = self._usage()
        await self._exchange.send_json(200, whole, {"x-generation-id": call.id})

    def _finish_reason(self) -> str:
        if self._cut_short:
            return "length"
        return self._answer.finish_reason or ("tool_calls" if self._answer.tool_calls else "stop")

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._call.id,
            "object": kind,
            "created": int(self._call.started_at),
            "model": self._answer.model or self._call.served_model,
            "provider": self._answer.provider,
        }

    def _usage(self) -> dict[str, Any]:
        messages = self._call.messages
        prompt = sum(len(words(_content_text(message.get("content")))) for message in messages)
        completion = len(self._tokens)
        cost = self._answer.cost
        if cost is None:
            cost = float(Decimal(prompt + 2 * completion) / 1_000_000)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "cost": cost,
        }

    async def _event(self, delta: dict[str, Any], finish_reason: str | None = None) -> None:
        choice = {
            "index": 0,
            "delta": delta,
            "finish_reason": finish_reason,
            "native_finish_reason": finish_reason,
        }
        await self._data({**self._head("chat.completion.chunk"), "choices": [choice]})

    async def _data(self, value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False)
        await self._write(f"data: {text}{self._newline}{self._newline}")

    async def _write(self, text: str) -> None:
        raw = text.encode()
        size = self._answer.write_bytes or len(raw)
        for start in range(0, len(raw), size):
            await self._exchange.write(raw[start : start + size])

    def _record(self, token: str) -> None:
        call = self._call
        call.tokens_sent += 1
        call.text_sent += token
        call.first_token_at = call.first_token_at or time.time()
        self._state.changed()

    def _delay(self, name: str) -> float:
        own = getattr(self._answer, name)
        return (getattr(self._state.defaults, name) if own is None else own) / 1000

    async def _hold(self) -> None:
        await self._wait(self._state.gate(self._answer.gate or "gate"))

    async def _wait(self, event: asyncio.Event) -> None:
        self._call.waiting = True
        self._state.changed()
        every = self._answer.comment_every_ms
        while not await self._exchange.wait_for(event, every / 1000 if every else None):
            await self._write(f": OPENROUTER PROCESSING{self._newline}{self._newline}")
        self._call.waiting = False


def _tokens(answer: Answer, call: Call) -> list[str]:
    if answer.tokens is not None:
        return answer.tokens
    if answer.token_count is not None:
        return [f"t{number} " for number in range(answer.token_count)]
    if answer.size_bytes is not None:
        size = answer.size_bytes
        whole = "".join(f"{number:>9} " for number in range(size // 10 + 1))[:size]
        return [whole[at : at + _GENERATED_PIECE] for at in range(0, size, _GENERATED_PIECE)]
    if answer.text is not None:
        return words(answer.text)
    return [] if answer.tool_calls else words(f"You said: {last_user_text(call)}")

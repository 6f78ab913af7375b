"""Puts the pieces of one answer together: what was said, which tools it wants, how it ended."""

from services.openrouter import faults, reasons
from services.openrouter.answers import Answer, Choice, ToolCallPiece, VendorError
from services.openrouter.wire import Completion, Delta, Finish, ToolCall, Usage


class Assembly:
    """Collects the events of an answer, or a whole one, and judges the end.

    Only the first choice counts; we never ask for more.
    """

    def __init__(self, asked_model: str, generation_id: str) -> None:
        self.asked_model = asked_model
        self.finish_reason = ""
        self._native = ""
        self._generation_id = generation_id
        self._model = ""
        self._provider = ""
        self._usage: Usage | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_Call] = []
        self._call_at: dict[int, _Call] = {}

    def add(self, answer: Answer) -> tuple[Delta | None, bool]:
        """The new text in `answer` if any, and whether it was a sign of life of the model.

        :raises RpcError: the provider failed in the middle of its answer
        """
        self._generation_id = self._generation_id or answer.id
        self._model = answer.model or self._model
        self._provider = answer.provider or self._provider
        if answer.usage is not None:
            self._usage = answer.usage.read()
        if not answer.choices:
            return None, False
        choice = answer.choices[0]
        if choice.error is not None or choice.finish_reason == "error":
            error = choice.error or VendorError(message="finish_reason: error")
            raise faults.from_error(error, model=self.asked_model)
        return self._add_choice(choice)

    def _add_choice(self, choice: Choice) -> tuple[Delta | None, bool]:
        self.finish_reason = choice.finish_reason or self.finish_reason
        self._native = choice.native_finish_reason or self._native
        piece = choice.delta or choice.message
        if piece is None:
            return None, False
        for position, part in enumerate(piece.tool_calls):
            self._add_call(position if choice.delta is None else part.index, part)
        if piece.content:
            self._text.append(piece.content)
        if piece.reasoning:
            self._reasoning.append(piece.reasoning)
        if not piece.content and not piece.reasoning:
            return None, bool(piece.tool_calls)
        return Delta(piece.content, piece.reasoning), True

    def _add_call(self, index: int, part: ToolCallPiece) -> None:
        call = self._call_at.get(index)
        # Some providers send every call as index 0: another id is another call.
        if call is None or (part.id and call.id and part.id != call.id):
            known = (other for other in self._calls if part.id and other.id == part.id)
            call = next(known, None) or self._new_call()
            self._call_at[index] = call
        call.id = call.id or part.id
        call.name = call.name or part.function.name
        call.arguments.append(part.function.arguments)

    def _new_call(self) -> "_Call":
        self._calls.append(_Call())
        return self._calls[-1]

    def finish(self) -> Finish:
        """The end of the answer.

        :raises RpcError: there is no answer: nothing was said and no tool is wanted
        """
        calls = tuple(
            ToolCall(call.id or f"call_{index}", call.name, "".join(call.arguments) or "{}")
            for index, call in enumerate(self._calls)
        )
        if not calls and not self._text:
            self._raise_empty()
        return Finish(
            model=self._model or self.asked_model,
            finish_reason=self.finish_reason or "unknown",
            native_finish_reason=self._native,
            provider=self._provider,
            generation_id=self._generation_id,
            usage=self._usage,
            tool_calls=calls,
        )

    def completion(self) -> Completion:
        """The whole answer, for one that was not streamed."""
        finish = self.finish()
        return Completion("".join(self._text), "".join(self._reasoning), finish)

    def _raise_empty(self) -> None:
        why = {"content_filter": reasons.MODERATED, "length": reasons.TOKENS_SPENT}
        reason = why.get(self.finish_reason, reasons.EMPTY_ANSWER)
        raise faults.about(reason, self.asked_model, finish_reason=self.finish_reason)


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

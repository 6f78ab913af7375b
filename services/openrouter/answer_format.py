"""The form that an answer was asked for in: whether it has it, and what a model is told if not.

A model is asked once more, with what is wrong. Text around the JSON, such as a fence, is wrong
too: whoever asked for JSON parses the whole answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from actors.conversation.contract.thread import GenerationConfig, ResponseFormatType
from chassis.json_schema import breaches
from errors import ErrorDetails, FieldViolation, ModelError, RpcError
from services.openrouter.reasons import FORMAT_INVALID
from services.openrouter.wire import ChatMessage, ChatRequest

_NO_JSON = "must be one JSON text and nothing else"
_NO_OBJECT = "must be a JSON object"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The form of one answer; without a schema any object has it."""

    schema: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, config: GenerationConfig | None) -> "AnswerFormat | None":
        """The form that a config asks for; None when any text will do."""
        wished = config.response_format if config else None
        if wished is not None and wished.type == ResponseFormatType.JSON_OBJECT:
            return cls()
        if wished is not None and wished.type == ResponseFormatType.JSON_SCHEMA:
            return cls(wished.json_schema or {})
        return None

    def violations(self, text: str) -> tuple[FieldViolation, ...]:
        """What is wrong with an answer; never what it says."""
        try:
            value = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return (FieldViolation(field="answer", description=_NO_JSON),)
        if self.schema is None:
            found = () if isinstance(value, dict) else ((_NO_OBJECT, ""),)
        else:
            found = tuple((f"must not break `{kw}`", at) for at, kw in breaches(self.schema, value))
        return tuple(
            FieldViolation(field=f"answer{path}", description=sentence) for sentence, path in found
        )

    def error(
        self,
        violations: tuple[FieldViolation, ...],
        model: str,
        provider: str,
        finish_reason: str,
    ) -> RpcError:
        """The failure of an answer of this model with these violations."""
        told = ModelError(model=model, provider=provider, finish_reason=finish_reason)
        details = ErrorDetails(model_error=told, field_violations=violations)
        return FORMAT_INVALID.error(details=details)

    def asked_again(
        self, request: ChatRequest, answer: str, violations: tuple[FieldViolation, ...]
    ) -> ChatRequest:
        """The request that tells the model what is wrong with its answer. The schema is said in
        words too: a provider that did not hold the model to it may not have shown it."""
        wrong = "\n".join(f"- {each.field} {each.description}" for each in violations)
        wished = (
            "a JSON object."
            if self.schema is None
            else f"JSON that fits this JSON Schema:\n{json.dumps(self.schema, ensure_ascii=False)}"
        )
        told = (
            f"Your answer does not have the form that was asked for:\n{wrong}\n"
            "Answer again, with nothing before or after the JSON and without a code fence. "
            f"The answer must be {wished}"
        )
        said = ChatMessage("assistant", answer), ChatMessage("user", told)
        return replace(
            request,
            messages=(*request.messages, *said),
            tool_choice="none" if request.tools else None,
        )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)

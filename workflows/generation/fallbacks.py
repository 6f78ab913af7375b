"""The models of a run in their order, and why each but the last was left.

The next model is asked at once, as a new attempt: waiting is for the last one, which is tried
again like the only model of a run without fallbacks.
"""

from dataclasses import replace
from typing import Any

from actors.conversation.contract.run import Fallback
from errors import RpcError
from services.openrouter.contract import CALL_REASONS, PROVIDER_REASONS
from services.openrouter.wire import ChatRequest

# Failures of a model, which another one may not have; those of the way to all of them are not.
_OF_THE_MODEL = frozenset(reason.word for reason in CALL_REASONS) - frozenset(
    reason.word for reason in PROVIDER_REASONS
)


class Fallbacks:
    """Which model is asked now. `left` has those that did not answer as they were to."""

    def __init__(self) -> None:
        self.left: list[Fallback] = []
        self._gone = 0

    def ask(self, request: ChatRequest) -> ChatRequest:
        """The request for the model whose turn it is. Another model is not left to the provider,
        because it would not say why the one before failed."""
        models = (request.model, *request.fallbacks)
        model = models[min(self._gone, len(models) - 1)]
        return replace(request, model=model, fallbacks=())

    def go_on(self, request: ChatRequest, failure: RpcError, error: dict[str, Any] | None) -> bool:
        """Whether another model is to be asked after this failure; if so, it is from now on."""
        if failure.reason not in _OF_THE_MODEL or self._gone >= len(request.fallbacks):
            return False
        self.stay(request, error)
        self._gone += 1
        return True

    def stay(self, request: ChatRequest, error: dict[str, Any] | None) -> None:
        """The same model is asked again, for another answer than it gave."""
        self.left.append(Fallback(model=self.ask(request).model, error=error))

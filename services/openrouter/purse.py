"""What a run may spend, held while the model speaks: the answer is bounded to the tokens that can
be paid, so that the model itself stops there, and what was said until then is kept.

Tokens of the prompt are estimated from its length, generously; the true cost comes with the end
of each answer and counts from then on.
"""

from dataclasses import replace
from decimal import Decimal

from actors.conversation.contract.run import Spendable
from services.openrouter.wire import ChatRequest, Finish

# A token is rarely shorter than three characters of text; each message costs a few more.
_CHARACTERS_A_TOKEN = 3
_TOKENS_A_MESSAGE = 6


class Purse:
    """The money of one run. Without a budget it never runs out."""

    def __init__(self, spendable: Spendable | None) -> None:
        self._left = Decimal(spendable.usd) if spendable is not None else None
        self._prompt = Decimal(spendable.prompt_price or "0") if spendable else Decimal(0)
        self._completion = Decimal(spendable.completion_price or "0") if spendable else Decimal(0)
        self._bound: int | None = None

    def bound(self, request: ChatRequest) -> ChatRequest | None:
        """The request with an answer that can be paid; None when there is not even a token."""
        self._bound = None
        if self._left is None:
            return request
        left = self._left - self._prompt * _tokens(request)
        if left <= 0:
            return None
        if not self._completion:
            return request
        payable = int(left / self._completion)
        if payable < 1:
            return None
        if request.max_tokens is not None and request.max_tokens <= payable:
            return request
        self._bound = payable
        return replace(request, max_tokens=payable)

    def pay(self, finish: Finish) -> bool:
        """Take the cost of an answer; False when it was cut off because the money was spent."""
        if self._left is not None and finish.usage is not None:
            self._left -= Decimal(finish.usage.cost or "0")
        return self._bound is None or finish.finish_reason != "length"


def _tokens(request: ChatRequest) -> int:
    characters = sum(
        len(message.content) if isinstance(message.content, str) else 0
        for message in request.messages
    )
    return characters // _CHARACTERS_A_TOKEN + _TOKENS_A_MESSAGE * len(request.messages)

"""Reasons: each failure a person can meet, declared once by its owner.

An owner declares `THREAD_NOT_FOUND = Reason("thread.not_found", Code.NOT_FOUND, "...")`, lists
it on the RPCs that may answer it, and raises `THREAD_NOT_FOUND.error()`. The error page, OpenAPI
and the tests over all declared errors are made from these values.
"""

from dataclasses import dataclass

from errors.codes import Code
from errors.rpc_error import NO_DETAILS, ErrorDetails, Outcome, RpcError


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable machine word with the code and the message that go with it.

    word: `noun.condition`, a promise to clients once shipped.
    message: says what happened and what helps; may be shown to anyone.
    terminal: overrides the code's own retry class.
    outcome: whether the work may have happened, where the code does not tell.
    """

    word: str
    code: Code
    message: str
    terminal: bool | None = None
    outcome: Outcome | None = None

    def error(
        self,
        message: str | None = None,
        details: ErrorDetails = NO_DETAILS,
        *,
        outcome: Outcome | None = None,
    ) -> RpcError:
        """An RpcError of this reason, with a more specific message where there is one, and with
        another outcome where the work had begun."""
        return RpcError(
            self.code,
            self.word,
            message or self.message,
            details,
            is_terminal=self.terminal,
            outcome=outcome or self.outcome,
        )

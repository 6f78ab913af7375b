"""Every way a model call can fail, as reasons that clients may rely on."""

from errors import Code, Reason

NOT_CONFIGURED = Reason(
    "openrouter.not_configured",
    Code.UNAVAILABLE,
    "No model provider is configured on this installation.",
    terminal=True,
)
CREDENTIALS_REFUSED = Reason(
    "openrouter.credentials_refused",
    Code.UNAVAILABLE,
    "The model provider refused our own access. An operator has to look at it.",
    terminal=True,
)
NO_CREDITS = Reason(
    "openrouter.no_credits",
    Code.INSUFFICIENT_CREDITS,
    "There are not enough credits at the model provider for this request.",
)
UNREACHABLE = Reason(
    "openrouter.unreachable",
    Code.UNAVAILABLE,
    "The model provider cannot be reached at the moment. Try again later.",
)
MODEL_UNKNOWN = Reason("model.unknown", Code.MODEL_INVALID, "The requested model is not available.")
RATE_LIMITED = Reason(
    "model.rate_limited", Code.RATE_LIMITED, "The model is limiting requests. Try again later."
)
UNAVAILABLE = Reason(
    "model.unavailable",
    Code.UNAVAILABLE,
    "No provider can serve the model at the moment. Try again later or choose another model.",
)
FAILED = Reason(
    "model.failed", Code.UPSTREAM_ERROR, "The model failed while it was answering. Try again."
)
TIMED_OUT = Reason(
    "model.timed_out", Code.DEADLINE_EXCEEDED, "The model did not finish its answer in time."
)
FIRST_TOKEN_TIMEOUT = Reason(
    "model.first_token_timeout",
    Code.DEADLINE_EXCEEDED,
    "The model did not begin to answer in time.",
)
STALLED = Reason(
    "model.stalled", Code.DEADLINE_EXCEEDED, "The model stopped in the middle of its answer."
)
STREAM_CUT = Reason(
    "model.stream_cut",
    Code.UPSTREAM_ERROR,
    "The connection to the model broke before the answer was complete.",
)
GARBAGE = Reason(
    "model.garbage", Code.UPSTREAM_ERROR, "The model provider sent an answer that makes no sense."
)
ANSWER_TOO_LARGE = Reason(
    "model.answer_too_large",
    Code.UPSTREAM_ERROR,
    "The model's answer is larger than we accept.",
    terminal=True,
)
EMPTY_ANSWER = Reason(
    "model.empty_answer", Code.UPSTREAM_ERROR, "The model answered with nothing. Try again."
)
TOKENS_SPENT = Reason(
    "model.tokens_spent",
    Code.UPSTREAM_ERROR,
    "The model used all the tokens it may use before it began to answer. Allow it more.",
    terminal=True,
)
MODERATED = Reason(
    "model.moderated",
    Code.CONTENT_FILTERED,
    "The request or the answer was held back by the provider's content rules.",
)
CONTEXT_EXCEEDED = Reason(
    "model.context_exceeded",
    Code.CONTEXT_LENGTH_EXCEEDED,
    "The conversation is longer than the model can read.",
)
REQUEST_REFUSED = Reason(
    "model.request_refused",
    Code.UPSTREAM_ERROR,
    "The model provider does not accept this request, so it will not succeed later.",
    terminal=True,
)

FORMAT_INVALID = Reason(
    "answer.format_invalid",
    Code.UPSTREAM_ERROR,
    "The model did not answer in the form that was asked for, not when it was told so either. "
    "`fieldViolations` says what is wrong with its last answer.",
)

CALL_REASONS = (
    NOT_CONFIGURED,
    CREDENTIALS_REFUSED,
    NO_CREDITS,
    UNREACHABLE,
    MODEL_UNKNOWN,
    RATE_LIMITED,
    UNAVAILABLE,
    FAILED,
    TIMED_OUT,
    FIRST_TOKEN_TIMEOUT,
    STALLED,
    STREAM_CUT,
    GARBAGE,
    ANSWER_TOO_LARGE,
    EMPTY_ANSWER,
    TOKENS_SPENT,
    MODERATED,
    CONTEXT_EXCEEDED,
    REQUEST_REFUSED,
)
"""What a chat call may answer; for the contract of whoever makes one."""

PROVIDER_REASONS = (NOT_CONFIGURED, CREDENTIALS_REFUSED, NO_CREDITS, UNREACHABLE)
"""Those of the way to all models, which another model would meet too."""

CATALOGUE_REASONS = (
    NOT_CONFIGURED,
    CREDENTIALS_REFUSED,
    NO_CREDITS,
    UNREACHABLE,
    MODEL_UNKNOWN,
    RATE_LIMITED,
    UNAVAILABLE,
    FAILED,
    TIMED_OUT,
    STREAM_CUT,
    GARBAGE,
    ANSWER_TOO_LARGE,
    REQUEST_REFUSED,
)
"""What asking for the list of models may answer."""

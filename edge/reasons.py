"""Every reason that the edge itself answers with; any route may meet them."""

from errors import Code, Reason

ROUTE_NOT_FOUND = Reason(
    "route.not_found", Code.NOT_FOUND, "There is no such method. Check the path."
)
METHOD_NOT_ALLOWED = Reason(
    "route.method_not_allowed", Code.METHOD_NOT_ALLOWED, "Every method is called with POST."
)
BODY_TOO_LARGE = Reason(
    "request.too_large", Code.PAYLOAD_TOO_LARGE, "The body is larger than this method takes."
)
MEDIA_TYPE = Reason(
    "request.media_type",
    Code.UNSUPPORTED_MEDIA_TYPE,
    "Send the body as Content-Type: application/json, in UTF-8 and not compressed.",
)
BODY_TOO_SLOW = Reason(
    "request.too_slow", Code.DEADLINE_EXCEEDED, "The body did not arrive in time. Send it again."
)
BODY_BROKEN = Reason(
    "request.body_broken",
    Code.INVALID_ARGUMENT,
    "The request body ended before it was whole. Send it again, with its length or whole chunks.",
)
HEADER_REPEATED = Reason(
    "request.header_repeated",
    Code.INVALID_ARGUMENT,
    "A header that may be sent once was sent more than once.",
)
CREDENTIALS_MISSING = Reason(
    "credentials.missing",
    Code.UNAUTHENTICATED,
    "Send an API key as X-API-Key, or a token as Authorization: Bearer.",
)
CREDENTIALS_INVALID = Reason(
    "credentials.invalid", Code.UNAUTHENTICATED, "The credential is not valid."
)
CREDENTIALS_AMBIGUOUS = Reason(
    "credentials.ambiguous",
    Code.UNAUTHENTICATED,
    "Send one credential: a secret key, a token, or a publishable key with its user's token.",
)
CREDENTIALS_INCOMPLETE = Reason(
    "credentials.incomplete",
    Code.UNAUTHENTICATED,
    "A publishable key needs the user's token beside it, as Authorization: Bearer.",
)
TOKEN_EXPIRED = Reason(
    "credentials.expired", Code.UNAUTHENTICATED, "The token has expired. Get a new one."
)
TOKEN_STALE = Reason(
    "credentials.stale",
    Code.UNAUTHENTICATED,
    "What the user may do has changed since the token was issued. Get a new one.",
)
SESSION_ENDED = Reason(
    "credentials.session_ended",
    Code.UNAUTHENTICATED,
    "The session was ended. Sign in again.",
)
KEY_REVOKED = Reason(
    "credentials.key_revoked", Code.UNAUTHENTICATED, "The API key was revoked. Use another one."
)
KEY_EXPIRED = Reason(
    "credentials.key_expired",
    Code.UNAUTHENTICATED,
    "The API key has expired, or was rotated and its grace is over. Use a new one.",
)
ORIGIN_NOT_ALLOWED = Reason(
    "credentials.origin_not_allowed",
    Code.PERMISSION_DENIED,
    "This publishable key may not be used by this page.",
)
ISSUER_UNAVAILABLE = Reason(
    "credentials.issuer_unavailable",
    Code.UNAVAILABLE,
    "The token cannot be checked at the moment because its issuer does not answer. Try again.",
)
MODE_NOT_ALLOWED = Reason(
    "credentials.mode_not_allowed",
    Code.PERMISSION_DENIED,
    "This method does not accept this kind of credential.",
)
TENANT_MISSING = Reason(
    "tenant.missing",
    Code.PERMISSION_DENIED,
    "The user belongs to no organization yet. Create one, or accept an invitation.",
)
SCOPE_MISSING = Reason(
    "scope.missing", Code.PERMISSION_DENIED, "The caller lacks the scope that this method needs."
)
IMPERSONATION_DENIED = Reason(
    "impersonation.denied",
    Code.PERMISSION_DENIED,
    "X-On-Behalf-Of needs a secret key with the scope users:impersonate.",
)
IMPERSONATION_INVALID = Reason(
    "impersonation.invalid",
    Code.PERMISSION_DENIED,
    "X-On-Behalf-Of takes the id of a user, never of a service identity.",
)
RATE_LIMITED = Reason(
    "rate.limited", Code.RATE_LIMITED, "Too many requests. Wait as long as Retry-After says."
)
RATE_LIMITED_CREDENTIALS = Reason(
    "rate.credentials",
    Code.RATE_LIMITED,
    "Too many wrong credentials from this address. Wait as long as Retry-After says.",
)
IDEMPOTENCY_KEY_INVALID = Reason(
    "idempotency.key_invalid",
    Code.INVALID_ARGUMENT,
    "An Idempotency-Key is 1 to 255 visible ASCII characters.",
)
IDEMPOTENCY_CONFLICT = Reason(
    "idempotency.conflict",
    Code.IDEMPOTENCY_CONFLICT,
    "This Idempotency-Key was used with another body. Use a new key for a new request.",
)
PLATFORM_UNAVAILABLE = Reason(
    "platform.unavailable",
    Code.UNAVAILABLE,
    "The platform cannot take the request at the moment. Try again.",
)
DEADLINE_EXCEEDED = Reason(
    "request.deadline_exceeded",
    Code.DEADLINE_EXCEEDED,
    "The answer did not come in time and the work may go on. Repeat the request with the same "
    "Idempotency-Key to wait for the same work.",
)
DRAINING = Reason(
    "platform.draining", Code.UNAVAILABLE, "This server is going down. Send the request again."
)

"""What the edge answers with, before CORS and request headers are added by `app`."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from pydantic_core import to_json

from errors import Code, Outcome, RpcError
from errors.wire import to_envelope

Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
# Where a later try helps and nobody says when: about as long as an answer in front takes.
_SOON_SECONDS = 2


@dataclass(slots=True)
class Response:
    """A whole answer. `code` is the error code for metrics and logs, "OK" without one."""

    status: int
    body: bytes
    headers: Headers | tuple[()] = ()
    content_type: bytes = JSON
    code: str = "OK"


def error_response(
    error: RpcError,
    request_id: str,
    outcome: Outcome = Outcome.NOT_STARTED,
    headers: Headers | tuple[()] = (),
) -> Response:
    """The envelope of `error`, with the headers that its code asks for."""
    envelope = to_envelope(error, request_id=request_id, outcome=outcome)
    body = to_json(envelope)
    more = [*headers, *_headers_of(error)]
    return Response(error.code.http_status, body, more, code=error.code.value)


def _headers_of(error: RpcError) -> Headers:
    if error.code is Code.UNAUTHENTICATED:
        return [(b"www-authenticate", b"Bearer")]
    if error.code is Code.METHOD_NOT_ALLOWED:
        return [(b"allow", b"POST, OPTIONS")]
    if error.retry_after is not None:
        seconds = max(1, math.ceil(error.retry_after.total_seconds()))
        return [(b"retry-after", b"%d" % seconds)]
    if error.code.http_status == HTTPStatus.TOO_MANY_REQUESTS and not error.is_terminal:
        return [(b"retry-after", b"%d" % _SOON_SECONDS)]
    return []

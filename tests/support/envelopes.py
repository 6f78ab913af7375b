"""What every error answer must be, and what no answer may say."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from errors import Code
from tests.support.json_schema import mistakes
from tests.support.repository import ROOT

# Libraries, what is behind the edge, paths, stack traces, credentials: ours never name them.
_LEAKS = re.compile(
    r"traceback|stacktrace|file \\?\"|line \d+, in|\.py\b|site-packages"
    r"|/(?:usr|tmp|home|root|opt|var)/"
    r"|\b(?:pydantic|jiter|aiohttp|httpx|granian|uvloop|starlette|restate|serde|rust|hyper|python)"
    r"|object at 0x|exception|\b(?:value|type|key|attribute|runtime)error\b|errno"
    r"|127\.0\.0\.1|localhost|\bsk_|\bpk_",
    re.IGNORECASE,
)


@cache
def _components() -> dict[str, Any]:
    return json.loads((ROOT / "openapi.json").read_text())["components"]


def envelope_faults(status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What is wrong with an error answer; nothing when it is as the contract says."""
    if headers.get("content-type") != "application/json":
        return [f"its type is {headers.get('content-type')}"]
    leak = _LEAKS.search(body.decode("utf-8", "replace"))
    if leak:
        return [f"it says {leak.group()!r}"]
    envelope = json.loads(body)
    schema = {"$ref": "#/components/schemas/ErrorResponse", "components": _components()}
    faults = mistakes(schema, envelope)
    if faults:
        return faults
    error = envelope["error"]
    if set(envelope) != {"error"} or set(error) != {"code", "message", "isTerminal", "details"}:
        faults.append("it has fields that the envelope does not have")
    if Code(error["code"]).http_status != status:
        faults.append(f"its code is {error['code']} and its status {status}")
    if error["details"].get("requestId") != headers.get("x-request-id"):
        faults.append("its request id is not that of the header")
    if "outcome" not in error["details"]:
        faults.append("it does not say whether the work may have happened")
    return faults

"""What schemathesis is told about this API: loaded into its process, not a test itself.

Each generated call is let through to where it is interesting. Without help nearly all would end at
the credential or at a thread that does not exist. What is decided here is decided by the call's own
content, so a seed gives the same run again. Settings come by environment variables, because
schemathesis loads this file by its name.
"""

import json
import os
import re
import zlib
from collections.abc import Callable
from typing import Any, cast

from schemathesis import check
from schemathesis import hook as _hook  # pyright: ignore[reportUnknownVariableType]

from tests.support.envelopes import envelope_faults

KEY, TOKEN = os.environ["CONTRACT_KEY"], os.environ["CONTRACT_TOKEN"]
PEOPLE_ONLY = ("/api/v1/api-keys/", "/api/v1/orgs/")
hook = cast("Callable[[Any], Any]", _hook)
THREADS: list[str] = json.loads(os.environ["CONTRACT_THREADS"])
RUNS: list[str] = json.loads(os.environ["CONTRACT_RUNS"])
_DURATION = re.compile(r"[0-9]+(\.[0-9]+)?s")


@hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Give most calls the right key, no wish to be somebody else, and a thread that exists."""
    dice = zlib.crc32(repr((case.path, case.body, case.headers)).encode())
    headers = case.headers
    if dice % 8 and case.path.startswith(PEOPLE_ONLY):
        headers["Authorization"] = f"Bearer {TOKEN}"
        headers.pop("X-API-Key", None)
    elif dice % 8:
        headers["X-API-Key"] = KEY
        headers.pop("Authorization", None)
    if dice % 5:
        headers.pop("X-On-Behalf-Of", None)
    if dice % 3:
        headers.pop("Idempotency-Key", None)
    body: object = case.body
    if isinstance(body, dict) and dice % 4:
        _aim(cast("dict[str, Any]", body), dice, case.path)


def _aim(body: dict[str, Any], dice: int, path: str) -> None:
    if isinstance(body.get("conversationKey"), str) and not path.endswith("create-thread"):
        chosen = dice // 7 % len(THREADS)
        body["conversationKey"] = THREADS[chosen]
        if isinstance(body.get("runId"), str):
            body["runId"] = RUNS[chosen]
    if _DURATION.fullmatch(str(body.get("wait"))):
        body["wait"] = "0.001s"


@check
def envelope(context: Any, response: Any, case: Any) -> None:
    """Every answer that is no success is an error as the contract describes it."""
    if response.status_code < 300:
        return
    headers = {name.lower(): values[0] for name, values in response.headers.items()}
    faults = envelope_faults(response.status_code, headers, response.content)
    assert not faults, f"The error is not as it must be: {'; '.join(faults)}"

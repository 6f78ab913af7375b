"""Tells Restate where the handlers are, once it can reach them: what a new deployment begins with.

`python -m app register` is safe to repeat: Restate knows a deployment by its address and answers
a known one with 200. It then keeps the handlers that it saw first, so a version that took over an
old address needs `force`, which is for development: runs in flight would go on in other code.

Registering works before Restate's partitions have a leader, and calls would wait until then. So the
end is a query over the partitions: afterwards a client's call is answered.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

from app.settings import RegisterSettings

PAUSE_SECONDS = 0.5
# Restate tells of handlers that it cannot reach after 1.8 s, and discovers slow ones in more.
_CALL_SECONDS = 15
_QUERY = "SELECT count(1) AS n FROM sys_invocation"


class RegistrationError(Exception):
    """The handlers are not registered. The text is a sentence for an operator."""


def register(
    settings: RegisterSettings,
    *,
    force: bool = False,
    seconds: float = 60,
    transport: httpx.BaseTransport | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Register the handlers' address and wait until calls are answered; the services' names.

    force: replace what Restate knows of this address
    seconds: how long Restate and the handlers may take to be there
    transport, pause: the network and the time between two tries, for tests

    :raises RegistrationError: Restate refused, or the time is over
    """
    deadline = time.monotonic() + seconds
    with httpx.Client(
        base_url=str(settings.restate_admin_url),
        timeout=_CALL_SECONDS,
        headers={"accept": "application/json"},
        transport=transport,
        trust_env=False,
    ) as admin:

        def answered(path: str, body: dict[str, Any]) -> Any:
            while True:
                answer, problem = _try(admin, path, body)
                if answer is not None:
                    return answer
                if time.monotonic() > deadline:
                    raise RegistrationError(f"Not within {seconds:g} s: {problem}")
                pause(PAUSE_SECONDS)

        deployment = answered("/deployments", {"uri": str(settings.handlers_url), "force": force})
        answered("/query", {"query": _QUERY})
    return sorted(service["name"] for service in deployment["services"])


def _try(admin: httpx.Client, path: str, body: dict[str, Any]) -> tuple[Any, str]:
    """The answer, or why there is none yet."""
    try:
        answer = admin.post(path, json=body)
    except httpx.TransportError:
        return None, f"Restate's admin port at {admin.base_url} does not answer."
    # 5xx also means that the handlers cannot be reached, or that no partition has a leader yet.
    if answer.is_server_error:
        return None, f"Restate answers {path} with {answer.status_code}: {answer.text}"
    if answer.is_error:
        raise RegistrationError(f"Restate refused {path} with {answer.status_code}: {answer.text}")
    return answer.json(), ""

"""`python -m app register`, with Restate's admin port played by a function."""

import json
from collections.abc import Callable

import httpx
import pytest

from app.register import RegistrationError, register
from app.settings import RegisterSettings

DEPLOYED = {"id": "dp_1", "services": [{"name": "LLMGateway"}, {"name": "ConversationActor"}]}
Answer = httpx.Response | Exception


def admin(*answers: Answer) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """An admin port that gives these answers in turn, and the requests that it got."""
    left = list(answers)
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return httpx.MockTransport(answer), requests


def no_pause() -> tuple[list[float], Callable[[float], None]]:
    """The pauses that were asked for, and what takes none."""
    pauses: list[float] = []
    return pauses, pauses.append


def test_it_waits_for_restate_then_for_the_handlers_then_for_a_leader() -> None:
    transport, requests = admin(
        httpx.ConnectError("not there yet"),
        httpx.Response(500, json={"message": "META0003"}),
        httpx.Response(201, json=DEPLOYED),
        httpx.Response(500, json={"message": "no leader"}),
        httpx.Response(200, json={"rows": []}),
    )
    pauses, pause = no_pause()
    assert register(RegisterSettings(), transport=transport, pause=pause) == [
        "ConversationActor",
        "LLMGateway",
    ]
    assert [request.url.path for request in requests] == ["/deployments"] * 3 + ["/query"] * 2
    assert len(pauses) == 3


@pytest.mark.parametrize("force", [False, True])
def test_it_names_the_handlers_address_and_replaces_only_on_demand(
    force: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLERS_URL", "http://handlers-7:9080")
    transport, requests = admin(httpx.Response(200, json=DEPLOYED), httpx.Response(200, json={}))
    register(RegisterSettings(), force=force, transport=transport)
    assert json.loads(requests[0].content) == {"uri": "http://handlers-7:9080/", "force": force}


def test_a_refusal_is_told_at_once() -> None:
    transport, requests = admin(httpx.Response(409, json={"message": "breaking change"}))
    with pytest.raises(RegistrationError):
        register(RegisterSettings(), transport=transport)
    assert len(requests) == 1


def test_it_gives_up_when_the_time_is_over() -> None:
    transport, requests = admin(httpx.ConnectError("gone"))
    with pytest.raises(RegistrationError):
        register(RegisterSettings(), seconds=-1, transport=transport)
    assert len(requests) == 1

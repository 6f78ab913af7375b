"""KrakenD's file as data: what each endpoint calls on the edge answers as the public path does.

The real gateway runs the same file where there is one; elsewhere those tests are skipped.
"""

import json
from typing import Any

import httpx
import pytest

from app.generate.examples import EXAMPLES
from tests.support.fronts import Front
from tests.support.repository import ROOT
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

CONFIG: dict[str, Any] = json.loads((ROOT / "krakend/krakend.json").read_text())
ENDPOINTS: dict[str, Any] = {each["endpoint"]: each for each in CONFIG["endpoints"]}
EXAMPLE_BODIES: dict[str, dict[str, Any]] = {
    rpc.route.path: example.request.to_dict() for rpc, example in EXAMPLES.items() if rpc.route
}


def same(answer: httpx.Response) -> tuple[int, Any]:
    """What must be the same of two answers: not their request ids, times and new ids."""
    body = answer.json()
    if answer.status_code != 200:
        body["error"]["details"].pop("requestId")
        return answer.status_code, body
    return answer.status_code, sorted(body)


def replayed(backend: dict[str, Any], passed: list[str], headers: dict[str, str]) -> dict[str, str]:
    """The headers that KrakenD would send to the edge."""
    assert (backend["method"], backend["encoding"]) == ("POST", "no-op")
    allowed = {name.lower() for name in passed}
    return {name: value for name, value in headers.items() if name.lower() in allowed}


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_the_edge_answers_an_endpoints_url_pattern_as_it_answers_the_public_path(
    live_stack: RunningStack, path: str
) -> None:
    endpoint = ENDPOINTS[path]
    (backend,) = endpoint["backend"]
    example = {**EXAMPLE_BODIES[path]}
    example.pop("wait", None)
    sent = {
        "content-type": "application/json",
        "x-api-key": live_stack.dave.key,
        "x-user-id": "alice",
        "cookie": "session=1",
        # What is done once is answered twice.
        "idempotency-key": f"both-ways{path}",
    }
    passed = replayed(backend, endpoint["input_headers"], sent)
    assert set(passed) == {"content-type", "x-api-key", "idempotency-key"}
    async with live_stack.client() as client:
        for body in (example, {"wombat": 1}):
            direct = await client.post(path, json=body, headers=sent)
            behind = await client.post(backend["url_pattern"], json=body, headers=passed)
            assert same(behind) == same(direct)
        anonymous = await client.post(backend["url_pattern"], json=example)
        assert anonymous.status_code == 401


async def test_a_conversation_is_held_at_every_front(front: Front) -> None:
    thread = f"at-{'edge' if front.is_edge else 'krakend'}"
    async with httpx.AsyncClient(
        base_url=f"{front.url}/api/v1/llm/gateway/",
        headers={"x-api-key": front.key},
        timeout=60,
        trust_env=False,
        verify=False,
    ) as client:

        async def call(method: str, **body: Any) -> Any:
            answer = await client.post(method, json={"conversationKey": thread, **body})
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-request-id"]
            return answer.json()

        await call("create-thread")
        await call("send-message", userMessage={"content": "hello"})
        types: list[str] = []
        while "run.completed" not in types:
            read = await call("pull-events", after=len(types), wait="20s")
            types += [event["type"] for event in read["events"]]
        state = await call("conversation-state")
        assert [message["role"] for message in state["messages"]] == ["user", "assistant"]


async def test_krakend_answers_preflights_and_sets_cors_once(krakend_front: Front) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    path = f"{krakend_front.url}/api/v1/llm/gateway/list-models"
    headers = {"x-api-key": krakend_front.key, "origin": asked["origin"]}
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        for answer in (
            await client.options(path, headers=asked),
            await client.post(path, headers=headers),
        ):
            assert answer.is_success
            allowed = answer.headers.get_list("access-control-allow-origin")
            assert allowed in (["*"], ["https://app.example"])

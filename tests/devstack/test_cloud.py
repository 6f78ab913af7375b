"""Local cloud: vendors on one port, and faults that are real on the wire."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest

from devstack.cloud.__main__ import signing_key
from devstack.cloud.app import LocalCloud
from devstack.issuer import AUDIENCE, Issuer, IssuerApp
from devstack.openrouter.app import OpenRouterDouble
from devstack.openrouter.control import OpenRouterControl
from devstack.processes import free_port
from devstack.serving import serving

pytestmark = pytest.mark.anyio

CHAT = "/openrouter/api/v1/chat/completions"
WORDS = "one two three four five six seven eight nine ten"


class Cloud:
    """A local cloud in this process and a client of it."""

    def __init__(self, address: str) -> None:
        self.address = address
        headers = {"authorization": "Bearer k"}
        self.http = httpx.AsyncClient(base_url=address, headers=headers, verify=False, timeout=20)

    async def set(self, vendor: str = "openrouter", **fault: Any) -> httpx.Response:
        return await self.http.put(f"/faults/{vendor}", json=fault)

    async def vendor(self, name: str = "openrouter") -> dict[str, Any]:
        return (await self.http.get("/faults")).json()["vendors"][name]

    async def ask(self, *, stream: bool = False) -> httpx.Response:
        return await self.http.post(CHAT, json=question(stream=stream))


def question(*, stream: bool) -> dict[str, Any]:
    message = {"role": "user", "content": WORDS}
    return {"model": "double/echo", "messages": [message], "stream": stream}


async def listen(cloud: Cloud, heard: bytearray, *, stream: bool) -> None:
    """Ask, and keep what comes until the answer ends or breaks."""
    async with cloud.http.stream("POST", CHAT, json=question(stream=stream)) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_raw():
            heard += piece


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    port = free_port()
    issuer = Issuer(f"http://127.0.0.1:{port}/issuer")
    application = LocalCloud(
        {
            "openrouter": ("OpenRouter", OpenRouterDouble()),
            "issuer": ("OIDC issuer", IssuerApp(issuer)),
        }
    )
    async with serving(application, port) as address:
        cloud = Cloud(address)
        async with cloud.http:
            yield cloud


async def test_without_a_fault_a_vendor_answers(cloud: Cloud) -> None:
    answer = await cloud.ask()
    assert answer.json()["choices"][0]["message"]["content"] == f"You said: {WORDS}"
    assert await cloud.vendor() == {
        "title": "OpenRouter",
        "fault": None,
        "calls": 1,
        "spoiled": 0,
    }


async def test_a_status_comes_with_its_retry_after_as_often_as_asked(cloud: Cloud) -> None:
    await cloud.set(kind="status", status=429, retry_after="2", times=2)
    answers = [await cloud.ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["2", "2", None]
    assert (await cloud.vendor())["spoiled"] == 2


async def test_a_fault_of_one_vendor_is_not_one_of_another(cloud: Cloud) -> None:
    await cloud.set("issuer", kind="status")
    assert (await cloud.http.get("/issuer/jwks")).status_code == 503
    assert (await cloud.ask()).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_breaks_the_connection_in_the_middle(cloud: Cloud, stream: bool) -> None:
    await cloud.set(kind="cut", after=3)
    heard = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        await listen(cloud, heard, stream=stream)
    assert heard
    assert WORDS.split()[-2].encode() not in heard


@pytest.mark.parametrize("after", [0, 3])
async def test_a_stall_says_nothing_more_until_it_is_taken_away(cloud: Cloud, after: int) -> None:
    await cloud.set(kind="stall", after=after)
    asking = asyncio.create_task(cloud.ask(stream=True))
    done, _ = await asyncio.wait({asking}, timeout=0.5)
    assert not done
    assert (await cloud.vendor())["spoiled"] == 1
    await cloud.http.delete("/faults/openrouter")
    with anyio.fail_after(20):
        (result,) = await asyncio.gather(asking, return_exceptions=True)
    if isinstance(result, BaseException):
        assert isinstance(result, httpx.RemoteProtocolError)
    else:
        # Without a first piece the server has no answer to break off and says so itself.
        assert (after, result.status_code) == (0, 500)


async def test_a_stalled_call_ends_at_once_when_its_client_goes(cloud: Cloud) -> None:
    await cloud.set(kind="stall", after=3)
    control = OpenRouterControl(f"{cloud.address}/openrouter")
    async with cloud.http.stream("POST", CHAT, json=question(stream=True)) as answer:
        async for _ in answer.aiter_raw():
            break
    calls = await control.wait(closed=1)
    assert calls[0].closed_by_client
    await control.aclose()


async def test_garbage_is_a_page_of_html_with_status_200(cloud: Cloud) -> None:
    await cloud.set(kind="garbage")
    answer = await cloud.ask()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_a_slow_vendor_answers_whole_and_late(cloud: Cloud) -> None:
    await cloud.set(kind="slow", delay_ms=30)
    started = time.monotonic()
    answer = await cloud.ask(stream=True)
    assert "ten" in answer.text
    assert time.monotonic() - started > 0.3


async def test_the_control_of_a_double_is_never_spoiled(cloud: Cloud) -> None:
    await cloud.set(kind="status")
    assert (await cloud.http.get("/openrouter/control/calls")).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"kind": "sleepy"}, {"kind": "status", "status": 200}, {"kind": "slow", "speed": 1}]
)
async def test_a_wrong_fault_is_refused_and_changes_nothing(
    cloud: Cloud, wrong: dict[str, Any]
) -> None:
    await cloud.set(kind="garbage")
    assert (await cloud.set(**wrong)).status_code == 400
    assert (await cloud.vendor())["fault"]["kind"] == "garbage"


async def test_an_unknown_vendor_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.set("nobody", kind="cut")).status_code == 404


async def test_all_faults_go_at_once(cloud: Cloud) -> None:
    await cloud.set(kind="cut")
    await cloud.set("issuer", kind="cut")
    await cloud.http.delete("/faults")
    assert (await cloud.vendor())["fault"] is None
    assert (await cloud.vendor("issuer"))["fault"] is None


async def test_the_page_sets_and_takes_away_a_fault(cloud: Cloud) -> None:
    form = {"vendor": "openrouter", "kind": "status", "status": "429", "retry_after": "7",
            "after": "5", "delay_ms": "500", "times": ""}  # fmt: skip
    answer = await cloud.http.post("/switchboard", data={**form, "do": "set"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/#openrouter")
    assert (await cloud.vendor())["fault"]["retry_after"] == "7"
    assert "answers 429 with Retry-After 7" in (await cloud.http.get("/")).text
    await cloud.http.post("/switchboard", data={**form, "do": "clear"})
    assert (await cloud.vendor())["fault"] is None


async def test_a_form_of_another_site_is_refused(cloud: Cloud) -> None:
    form = {"vendor": "openrouter", "kind": "cut", "do": "set"}
    origin = {"origin": "https://elsewhere.example"}
    answer = await cloud.http.post("/switchboard", data=form, headers=origin)
    assert answer.status_code == 403
    assert (await cloud.vendor())["fault"] is None


async def test_a_form_with_a_wrong_number_shows_the_page_with_the_mistake(cloud: Cloud) -> None:
    form = {"vendor": "openrouter", "kind": "status", "status": "42", "do": "set"}
    answer = await cloud.http.post("/switchboard", data=form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


async def test_every_control_of_the_page_has_a_label(cloud: Cloud) -> None:
    html = (await cloud.http.get("/")).text
    controls = [part.split('"', 1)[0] for part in html.split(' id="')[1:]]
    fields = [name for name in controls if f'id="{name}" name=' in html]
    assert len(fields) == 12
    assert all(f'<label for="{name}">' in html for name in fields)


async def test_a_token_of_the_issuer_is_one_that_its_keys_verify(cloud: Cloud) -> None:
    claims = {"sub": "anna", "tenant_id": "acme"}
    token = (await cloud.http.post("/issuer/token", json=claims)).json()["token"]
    key = jwt.PyJWKSet.from_dict((await cloud.http.get("/issuer/jwks")).json()).keys[0]
    issuer = f"{cloud.address}/issuer"
    read = jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=issuer)
    assert (read["sub"], read["tenant_id"]) == ("anna", "acme")


def test_the_issuer_signs_with_the_key_of_its_last_run(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "issuer.pem"
    first, second = signing_key(str(path)), signing_key(str(path))
    assert first.kid == second.kid
    assert path.stat().st_mode & 0o077 == 0

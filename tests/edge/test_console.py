"""The web chat: off by default, from this server alone, and a whole conversation in a browser."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from app.edge_server import create
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from edge.reasons import ROUTE_NOT_FOUND
from tests.support.browser import Page, chromium_binary, open_page
from tests.support.conversation import model_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

FILES = ("", "/style.css", "/main.js", "/api.js", "/thread.js", "/view.js")
TEXTS = "[...document.querySelectorAll('#messages .text')].map((e) => e.textContent)"
STATUS = "document.getElementById('status').textContent"


@pytest.fixture
async def model(live_stack: RunningStack) -> AsyncGenerator[OpenRouterControl]:
    """The model, without scripts of earlier tests."""
    async with model_of(live_stack) as model:
        yield model


@pytest.fixture
async def page(live_stack: RunningStack) -> AsyncGenerator[Page]:
    """The console, opened with Dave's key, on a thread of its own."""
    binary = chromium_binary()
    if binary is None:
        pytest.skip("no chromium is installed")
    address = f"{live_stack.base_url}/console#key={live_stack.dave.key}"
    async with open_page(binary, address) as page:
        await page.until("document.getElementById('room')?.hidden === false")
        before = await page.run("document.querySelectorAll('#threads li').length")
        await click(page, "new-thread")
        await page.until(f"document.querySelectorAll('#threads li').length !== {before}")
        await page.until(f"{STATUS} === 'IDLE' && !document.querySelector('#messages li')")
        yield page


async def click(page: Page, element_id: str) -> None:
    await page.run(f"document.getElementById('{element_id}').click()")


async def say(page: Page, text: str) -> None:
    """Type a message and send it as a person does, with Enter."""
    draft = "document.getElementById('draft')"
    await page.run(f"{draft}.value = {json.dumps(text)}")
    key = "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true})"
    await page.run(f"{draft}.dispatchEvent({key})")


async def test_there_is_no_console_unless_it_is_switched_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EDGE_CONSOLE", raising=False)
    transport = httpx.ASGITransport(app=create())  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        for file in FILES:
            answer = await client.get(f"/console{file}")
            assert answer.json()["error"]["details"]["reason"] == ROUTE_NOT_FOUND.word


async def test_the_console_and_all_it_needs_come_from_the_edge(live_stack: RunningStack) -> None:
    async with live_stack.client() as client:
        for file in FILES:
            answer = await client.get(f"/console{file}")
            assert answer.status_code == 200
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "://" not in answer.text
            assert "innerHTML" not in answer.text
        assert (await client.get("/console/../page.py")).status_code in (404, 405)


@pytest.mark.slow
async def test_text_appears_as_it_is_written_and_a_stop_keeps_what_was_said(
    page: Page, live_stack: RunningStack, model: OpenRouterControl
) -> None:
    await model.script(Answer(text="one two three", gate="g", hold_after=2), contains="count")
    await say(page, "count <b>for</b> me")
    await page.until(f"{TEXTS}.at(-1)?.startsWith('one')")
    assert await page.run(f"{STATUS}") == "RUNNING"
    await say(page, "and then?")
    await page.until("document.querySelectorAll('#queue li').length === 1")
    await page.run("document.querySelector('#queue button').click()")
    await page.until("document.querySelectorAll('#queue li').length === 0")
    await page.until("!document.getElementById('stop').disabled")
    await click(page, "stop")
    await page.until(f"{STATUS} === 'IDLE'")
    assert (await page.run(f"{TEXTS}"))[0] == "count <b>for</b> me"
    await page.until(
        "[...document.querySelectorAll('.about')].some((e) => /incomplete/.test(e.textContent))"
    )
    outside = [url for url in page.requested if not url.startswith(("data:", "about:"))]
    assert all(url.startswith(live_stack.base_url) for url in outside)


@pytest.mark.slow
async def test_an_answer_made_anew_is_a_branch_to_come_back_from(
    page: Page, model: OpenRouterControl, tmp_path: Path
) -> None:
    await model.script(Answer(text="the first", cost=0.25), Answer(text="the second"))
    await say(page, "say something")
    await page.until(f"{TEXTS}.at(-1) === 'the first'")
    await page.until("document.getElementById('cost').textContent === '$0.25'")
    await page.run("document.querySelector('li.assistant .about button').click()")
    await page.until(f"{TEXTS}.at(-1) === 'the second'")
    await page.until("document.querySelectorAll('#branches option').length === 2")
    await page.run(
        "(() => { const b = document.getElementById('branches'); b.value = 'main';"
        " b.dispatchEvent(new Event('change')); })()"
    )
    await page.until(f"{TEXTS}.at(-1) === 'the first'")
    await page.screenshot(tmp_path / "console.png")
    assert (tmp_path / "console.png").stat().st_size > 10_000


@pytest.mark.slow
async def test_a_refusal_is_shown_where_it_is_heard(page: Page, model: OpenRouterControl) -> None:
    await model.script(Answer(status=402), contains="too dear")
    await say(page, "too dear")
    await page.until("!!document.querySelector('#messages .failed')")
    assert await page.run("document.getElementById('problem').getAttribute('role')") == "alert"


@pytest.mark.slow
async def test_every_control_has_a_name_and_a_wrong_key_is_told(live_stack: RunningStack) -> None:
    binary = chromium_binary()
    if binary is None:
        pytest.skip("no chromium is installed")
    async with open_page(binary, f"{live_stack.base_url}/console") as page:
        await page.until("document.getElementById('door')?.hidden === false")
        await page.run("document.getElementById('key').value = 'sk_wrong'")
        await page.run("document.querySelector('#door button').click()")
        await page.until("document.getElementById('door-problem').textContent")
        assert await page.run("document.getElementById('room').hidden")
        tree = await page.send("Accessibility.getFullAXTree")
        controls = [
            node
            for node in tree["nodes"]
            if node.get("role", {}).get("value") in ("button", "textbox", "combobox")
        ]
        assert controls
        assert all(node["name"]["value"] for node in controls)

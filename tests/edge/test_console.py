"""The web chat: off by default, from this server alone, and a whole conversation in a browser."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from app.edge_server import create
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from devstack.toolbox.control import ToolboxControl
from edge.reasons import ROUTE_NOT_FOUND
from tests.support.browser import Page, chromium_binary, open_page
from tests.support.conversation import model_of
from tests.support.stack import RunningStack
from tests.support.tools import toolbox_of, wants

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


CARDS = "[...document.querySelectorAll('#messages .tool')].map((e) => e.textContent)"


@pytest.fixture
async def tools(
    page: Page, live_stack: RunningStack, model: OpenRouterControl
) -> AsyncGenerator[ToolboxControl]:
    """The organization's toolbox, which the person allows the thread's model."""
    async with toolbox_of(live_stack, live_stack.dave.tenant_id) as toolbox:
        await page.run("document.querySelector('#tools summary').click()")
        box = "document.querySelector('#servers input[value=toolbox]')"
        await page.until(f"!!{box}")
        await page.run(f"{box}.click()")
        yield toolbox


@pytest.mark.slow
async def test_a_call_waits_for_the_person_who_may_change_it(
    page: Page, tools: ToolboxControl, model: OpenRouterControl
) -> None:
    asked = wants(("add", {"a": 2, "b": 40}), ("note", {"text": "as it was"}), text="Let me see.")
    await model.script(asked, Answer(text="Written."), contains="write it down")
    await say(page, "write it down")
    await page.until(f"{STATUS} === 'AWAITING_APPROVAL' && !!document.querySelector('.approval')")
    await page.until(f"{CARDS}.length === 2 && {CARDS}[0].includes('42')")
    assert "waits for approval" in (await page.run(CARDS))[1]
    await page.run("document.querySelector('.approval textarea').value = 'no JSON'")
    await page.run("document.querySelector('.approval button').click()")
    await page.until("document.querySelector('.approval [role=alert]').textContent")
    changed = json.dumps(json.dumps({"text": "as I want it"}))
    await page.run(f"document.querySelector('.approval textarea').value = {changed}")
    await page.run("document.querySelector('.approval button').click()")
    await page.until(f"{TEXTS}.at(-1) === 'Written.'")
    await page.until("!document.querySelector('.approval')")
    card = (await page.run(CARDS))[1]
    assert "as I want it" in card
    assert "Line 1 is written." in card
    [noted] = [call for call in await tools.calls() if call.tool == "note"]
    assert noted.arguments == {"text": "as I want it"}


@pytest.mark.slow
async def test_a_call_that_is_denied_is_not_made_and_still_told_after_a_reload(
    page: Page, tools: ToolboxControl, model: OpenRouterControl
) -> None:
    await model.script(wants(("note", {"text": "never"})), Answer(text="Then not."), contains="no!")
    await say(page, "no!")
    await page.until("!!document.querySelector('.approval')")
    await page.run("document.querySelector('.approval button.quiet').click()")
    await page.until(f"{TEXTS}.at(-1) === 'Then not.'")
    before = await page.run(CARDS)
    assert "denied" in before[0]
    await page.run("window.before = true; location.reload()")
    await page.until(f"!window.before && {TEXTS}.at(-1) === 'Then not.'")
    assert await page.run(CARDS) == before
    assert await tools.calls() == []


@pytest.mark.slow
async def test_an_edited_message_begins_a_branch_and_turns_stay_together(
    page: Page, model: OpenRouterControl
) -> None:
    await model.script(Answer(text="one two", gate="g", hold_after=1), contains="first")
    await say(page, "first")
    await page.until(f"{TEXTS}.at(-1)?.startsWith('one')")
    await say(page, "second")
    await page.until("document.querySelectorAll('#queue li').length === 1")
    assert (await page.run(TEXTS))[0] == "first"
    assert "second" not in await page.run(TEXTS), "what waits is shown where it can be taken back"
    await model.release("g")
    await page.until(f"{TEXTS}.length === 4")
    assert await page.run(TEXTS) == ["first", "one two", "second", "You said: second"]
    await page.run("[...document.querySelectorAll('li.user .about button')].at(-1).click()")
    assert await page.run("document.getElementById('draft').value") == "second"
    await say(page, "in other words")
    await page.until(f"{TEXTS}.at(-1) === 'You said: in other words'")
    assert await page.run(TEXTS) == [
        "first",
        "one two",
        "in other words",
        "You said: in other words",
    ]
    assert await page.run("document.querySelectorAll('#branches option').length") == 2


@pytest.mark.slow
async def test_the_draft_is_in_sight_however_long_the_thread_is(
    page: Page, model: OpenRouterControl
) -> None:
    await model.script(Answer(text="line\n" * 200), contains="long")
    for width, height in ((1200, 700), (390, 700)):
        await page.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        await say(page, "a long one")
        await page.until(f"{STATUS} === 'IDLE' && {TEXTS}.length > 0")
        box = "document.getElementById('send').getBoundingClientRect()"
        assert await page.run(f"{box}.bottom <= innerHeight && {box}.right <= innerWidth")
        await page.until(
            "(() => { const l = document.getElementById('messages');"
            " return l.scrollHeight - l.scrollTop - l.clientHeight < 60; })()"
        )


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

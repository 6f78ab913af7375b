"""The page that shows the API: off by default, from this server alone, and able to call."""

import json
from pathlib import Path

import httpx
import pytest

from app.edge_server import create
from edge.reasons import ROUTE_NOT_FOUND
from tests.support.browser import Page, chromium_binary, open_page
from tests.support.repository import ROOT
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

FILES = ("", "/start.js", "/openapi.json", "/swagger-ui.css", "/swagger-ui-bundle.js")
# Typing as a person does: the page listens to events, not to values.
TYPE = """(element, text) => {
  const kind = element.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
  Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(element, text);
  element.dispatchEvent(new Event("input", {bubbles: true}));
}"""
OPERATION = "#operations-LLMGateway-LLMGateway_CreateThread"


async def test_there_is_no_page_unless_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_API_PAGE", raising=False)
    transport = httpx.ASGITransport(app=create())  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        for file in FILES:
            answer = await client.get(f"/docs{file}")
            assert answer.json()["error"]["details"]["reason"] == ROUTE_NOT_FOUND.word


def test_without_its_files_the_page_stops_the_start_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGE_API_PAGE", "true")
    monkeypatch.setattr("app.edge_server._ROOT", tmp_path)
    with pytest.raises(SystemExit, match="make setup"):
        create()


async def test_the_page_and_all_it_needs_come_from_the_edge(live_stack: RunningStack) -> None:
    async with live_stack.client() as client:
        answers = [await client.get(f"/docs{file}") for file in FILES]
        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "http" not in policy
        page, start, openapi = answers[:3]
        assert "//" not in page.text + start.text
        assert openapi.json() == json.loads((ROOT / "openapi.json").read_text())
        assert (await client.post("/docs")).status_code == 404
        assert (await client.get("/docs/../openapi.json")).status_code in (404, 405)


@pytest.mark.slow
async def test_the_page_calls_the_api_with_a_key_that_was_typed_in(
    live_stack: RunningStack, tmp_path: Path
) -> None:
    binary = chromium_binary()
    if binary is None:
        pytest.skip("no chromium is installed")
    async with open_page(binary, f"{live_stack.base_url}/docs") as page:
        await type_key(page, live_stack.dave.key)
        status = await call_create_thread(page)
        await page.screenshot(tmp_path / "page.png")
        assert status == "200"
        outside = [url for url in page.requested if not url.startswith(("data:", "about:"))]
        assert all(url.startswith(live_stack.base_url) for url in outside)
        assert f"{live_stack.base_url}/api/v1/llm/gateway/create-thread" in outside
    assert (tmp_path / "page.png").stat().st_size > 10_000
    threads = await live_stack.call("llm/gateway/list-threads", key=live_stack.dave)
    assert "typed" in [thread["conversationKey"] for thread in threads.body["threads"]]


async def type_key(page: Page, key: str) -> None:
    """Open the dialog of credentials and fill in the secret key."""
    await page.until("!!document.querySelector('.auth-wrapper .authorize')")
    await page.run("document.querySelector('.auth-wrapper .authorize').click()")
    await page.until("!!document.querySelector('.auth-container input')")
    await page.run(f"({TYPE})(document.querySelector('.auth-container input'), {json.dumps(key)})")
    await page.run("document.querySelector('.auth-container .authorize').click()")
    await page.until("!!document.querySelector('.auth-container .modal-btn.auth.button')")
    await page.run("document.querySelector('.btn-done').click()")


async def call_create_thread(page: Page) -> str:
    """Open the method, change its body, execute; returns the status that the page shows."""
    await page.run(f"document.querySelector('{OPERATION} .opblock-summary-control').click()")
    await page.until(f"!!document.querySelector('{OPERATION} textarea')")
    body = json.dumps(json.dumps({"conversationKey": "typed"}))
    await page.run(f"({TYPE})(document.querySelector('{OPERATION} textarea'), {body})")
    await page.run(f"document.querySelector('{OPERATION} .execute').click()")
    cells = f"{OPERATION} .live-responses-table tbody td.response-col_status"
    answered = f"document.querySelector('{OPERATION} .live-responses-table')"
    await page.until(f"!!{answered}")
    await page.run(f"{answered}.scrollIntoView()")
    return await page.until(f"document.querySelector('{cells}')?.innerText.trim().slice(0, 3)")

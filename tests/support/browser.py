"""A headless Chromium for tests that need to see a page: spoken to by its own protocol."""

import base64
import json
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread

from devstack.processes import Command, Process

START_SECONDS = 30


def chromium_binary() -> str | None:
    """The browser, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A tab. `requested` are the addresses that it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0
        self.requested: list[str] = []

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give the browser a command and wait for its result."""
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "method": method, "params": parameters})
        while True:
            message: dict[str, Any] = json.loads((await self._socket.receive(timeout=30)).data)
            if message.get("method") == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            if message.get("id") == self._last_id:
                assert "error" not in message, message
                return message["result"]

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        done = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def until(self, script: str, seconds: float = 30) -> Any:
        """Wait until the expression is true; returns its value."""
        with anyio.fail_after(seconds):
            while True:
                value = await self.run(script)
                if value:
                    return value
                await anyio.sleep(0.05)

    async def screenshot(self, path: Path) -> None:
        """Save what the tab shows as PNG."""
        shot = await self.send("Page.captureScreenshot")
        await anyio.Path(path).write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def open_page(binary: str, url: str) -> AsyncGenerator[Page]:
    """A browser with one tab at `url`."""
    with tempfile.TemporaryDirectory(prefix="yocaso-chromium-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = (
            binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
            "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0",
            "--window-size=1300,1600", f"--user-data-dir={folder / 'profile'}", "about:blank",
        )  # fmt: skip
        process = Process(Command("chromium", command, folder / "log"))
        process.start()
        told = folder / "profile" / "DevToolsActivePort"
        try:
            # The file is there a moment before its content is.
            await anyio.to_thread.run_sync(
                process.wait_ready, lambda: told.exists() and bool(told.read_text()), START_SECONDS
            )
            port = (await anyio.Path(told).read_text()).splitlines()[0]
            async with aiohttp.ClientSession() as http:
                async with http.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                    target = await answer.json()
                async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as ws:
                    page = Page(ws)
                    await page.send("Network.enable")
                    await page.send("Page.navigate", url=url)
                    yield page
        finally:
            await anyio.to_thread.run_sync(process.stop)

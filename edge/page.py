"""Pages for development: one shows the API and can call it (`EDGE_API_PAGE`), the other is a web
chat (`EDGE_CONSOLE`). Both are off unless their switch is true.

The first is Swagger UI as its authors publish it, read from where `make setup` puts it, and
openapi.json. Everything comes from this server, and the content security policy keeps it so: a
page can load nothing from outside and send a typed-in key nowhere else.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edge.limits import Receive
from edge.streams import Send

App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

PATH = "/docs"
CONSOLE = "/console"

_CSS, _JS, _HTML = "text/css", "text/javascript", "text/html; charset=utf-8"
_KINDS = {".html": _HTML, ".css": _CSS, ".js": _JS}
_OF_SWAGGER_UI = {
    "swagger-ui.css": _CSS,
    "swagger-ui-bundle.js": _JS,
    "favicon-32x32.png": "image/png",
}
_INDEX = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Yocaso API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# No validator: the page would send the address of openapi.json to its author's server.
_START = b"""SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


Files = dict[str, tuple[str, bytes]]
"""Media type and content by path."""


class Pages:
    """Answers GET of its files, and leaves everything else to the application."""

    def __init__(self, app: App, files: Files) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        found = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        kind, body = found
        headers = {
            "content-type": kind,
            "content-length": str(len(body)),
            "content-security-policy": _POLICY,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "cache-control": "no-cache",
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


def api_page(openapi: Path, swagger_ui: Path) -> Files:
    """The page of the API. Raises FileNotFoundError where a file is missing."""
    files = {
        PATH: (_HTML, _INDEX),
        f"{PATH}/start.js": (_JS, _START),
        f"{PATH}/openapi.json": ("application/json", openapi.read_bytes()),
    }
    for name, kind in _OF_SWAGGER_UI.items():
        files[f"{PATH}/{name}"] = (kind, (swagger_ui / name).read_bytes())
    return files


def console() -> Files:
    """The web chat: plain modules, served as they stand in the folder `console`."""
    folder = Path(__file__).parent / "console"
    files = {
        f"{CONSOLE}/{file.name}": (_KINDS[file.suffix], file.read_bytes())
        for file in sorted(folder.iterdir())
        if file.suffix in _KINDS
    }
    files[CONSOLE] = files.pop(f"{CONSOLE}/index.html")
    return files

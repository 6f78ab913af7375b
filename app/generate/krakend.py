"""`krakend/krakend.json`: one endpoint for each public method that is not a stream.

`krakend/base.json` is written by hand and holds what does not depend on methods. KrakenD passes
bytes and listed headers on; who is calling, limits and errors are the edge's. Its timeouts are
longer than all that the edge may take, so that the edge always answers first: on its own timeout
KrakenD would answer 500 without a body.
"""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from app.registry import Registry
from chassis.rpc import Route, Rpc
from edge import cors
from edge import reasons as edge_reasons
from errors import Outcome, Reason
from errors.wire import to_envelope

Config = dict[str, Any]

PATH = "krakend/krakend.json"
BASE_PATH = "krakend/base.json"

MARGIN = timedelta(seconds=20)
"""What the edge may spend before a route's deadline begins to run: reading a slow body, looking a
key up, finding and fetching an issuer's keys."""

PASSED_HEADERS = (
    "Authorization",
    "Content-Encoding",  # so that the edge can refuse a compressed body by its name
    "Content-Type",
    "Idempotency-Key",
    "Traceparent",
    "Tracestate",
    "X-Api-Key",
    "X-On-Behalf-Of",
    "X-Request-Id",
)


def read_base(root: Path) -> Config:
    """The part that is written by hand."""
    return json.loads((root / BASE_PATH).read_text(encoding="utf-8"))


def config(registry: Registry, base: Config) -> Config:
    """The whole configuration."""
    extra = cast("Config", base.get("extra_config", {}))
    router = {**extra.get("router", {}), "error_body": _error_bodies()}
    cross_origin = {**extra.get("security/cors", {}), **_cors()}
    endpoints = [
        _endpoint(rpc, rpc.route, base["host"])
        for rpc in registry.routes()
        if rpc.route is not None and not rpc.route.stream
    ]
    longest = max((endpoint["timeout"] for endpoint in endpoints), key=_seconds, default="0s")
    return {
        **base,
        "timeout": longest,
        "extra_config": {**extra, "router": router, "security/cors": cross_origin},
        "endpoints": sorted(endpoints, key=lambda endpoint: endpoint["endpoint"]),
    }


def _endpoint(rpc: Rpc[Any, Any], route: Route, host: list[str]) -> Config:
    return {
        "endpoint": route.path,
        "method": "POST",
        "output_encoding": "no-op",
        "timeout": f"{math.ceil((route.deadline + MARGIN).total_seconds())}s",
        "input_headers": list(PASSED_HEADERS),
        "backend": [
            {
                "url_pattern": f"/{rpc.target}",
                "method": "POST",
                "encoding": "no-op",
                "host": host,
                "disable_host_sanitize": True,
            }
        ],
    }


def _seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def _error_bodies() -> Config:
    """What KrakenD says to paths and HTTP methods that it does not know, in our envelope."""
    return {
        str(reason.code.http_status): {
            "content_type": "application/json",
            "body": _envelope(reason),
        }
        for reason in (edge_reasons.ROUTE_NOT_FOUND, edge_reasons.METHOD_NOT_ALLOWED)
    }


def _envelope(reason: Reason) -> str:
    envelope = to_envelope(reason.error(), outcome=Outcome.NOT_STARTED)
    return json.dumps(envelope, separators=(",", ":"))


def _cors() -> Config:
    """What the edge would answer to browsers; behind KrakenD its own CORS is off."""
    return {
        "allow_methods": ["POST"],
        "allow_headers": list(cors.ALLOWED_HEADERS),
        "expose_headers": list(cors.EXPOSED_HEADERS),
    }

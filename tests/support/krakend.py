"""What KrakenD's own schema does not find in a configuration, as sentences.

The schema accepts names that only the Enterprise edition knows; the Community edition ignores them
without a word, and with them whatever they were to protect.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

Config = dict[str, Any]

NAMESPACES = frozenset(
    {"router", "security/cors", "security/http", "telemetry/logging", "telemetry/opentelemetry"}
)
"""What of `extra_config` we use; all of it is in the Community edition."""
ENTERPRISE = (
    "ai/", "auth/api-keys", "auth/basic", "documentation/", "governance/", "grpc",
    "modifier/jmespath", "modifier/request-body", "modifier/response-body",
    "modifier/response-headers", "plugin/middleware", "qos/ratelimit/router/redis",
    "qos/ratelimit/service", "qos/ratelimit/tiered", "redis", "security/policies",
    "server/static-filesystem", "server/virtualhost", "validation/response-json-schema",
    "websocket", "workflow",
)  # fmt: skip
"""Namespaces of the Enterprise edition, by the beginning of their name."""
ENTERPRISE_SETTINGS = frozenset(
    {
        "access_log_custom_format", "access_log_format", "access_log_missing_key_marker",
        "decompress_gzip", "disable_gzip", "exporters_override", "max_payload",
    }
)  # fmt: skip
"""Settings of the Enterprise edition inside namespaces of the Community edition."""


def problems(config: Config) -> list[str]:
    """Everything that is wrong with a configuration although its schema accepts it."""
    return [*_names(config), *_endpoints(config)]


def _names(config: Config) -> Iterator[str]:
    for holder in _objects(config):
        for namespace in holder.get("extra_config", {}):
            if namespace.startswith(ENTERPRISE):
                yield f"{namespace} is for the Enterprise edition only."
            elif namespace not in NAMESPACES:
                yield f"{namespace} is not among what we use."
        for name in ENTERPRISE_SETTINGS & set(holder):
            yield f"{name} is for the Enterprise edition only."
    for name in ("async_agent", "plugin"):
        if name in config:
            yield f"{name} is not among what we use."


def _endpoints(config: Config) -> Iterator[str]:
    endpoints: list[Config] = config["endpoints"]
    paths = Counter(each["endpoint"] for each in endpoints)
    patterns = Counter(_backend(each)["url_pattern"] for each in endpoints)
    for path, count in (paths + patterns).items():
        if count > 1:
            yield f"{path} stands {count} times."
    for each in endpoints:
        yield from _endpoint(each)


def _endpoint(each: Config) -> Iterator[str]:
    path, backend = each["endpoint"], _backend(each)
    if not (path.startswith("/api/v1/") and backend["url_pattern"].startswith("/")):
        yield f"{path}: a path begins with a slash, a public one with /api/v1/."
    unknown = _placeholders(backend["url_pattern"]) - _placeholders(path)
    if unknown:
        yield f"{path}: the placeholder {', '.join(sorted(unknown))} is not in the path."
    if "timeout" not in each:
        yield f"{path} has no timeout, which means two seconds."
    if (each["output_encoding"], backend["encoding"]) != ("no-op", "no-op"):
        yield f"{path} does not pass bytes on as they are."
    if any("*" in header for header in each["input_headers"]):
        yield f"{path} passes every header on."


def _backend(endpoint: Config) -> Config:
    (backend,) = endpoint["backend"]
    return backend


def _placeholders(path: str) -> set[str]:
    return set(re.findall(r"{([^}]*)}", path))


def _objects(value: object) -> Iterator[Config]:
    if isinstance(value, dict):
        found = cast("Config", value)
        yield found
        for inner in found.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _objects(inner)

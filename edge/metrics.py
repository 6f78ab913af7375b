"""What Prometheus reads of this process. Labels are routes and codes, never callers."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "edge_requests", "Answers by route and error code.", ["route", "code"], registry=REGISTRY
)
SECONDS = Histogram(
    "edge_request_seconds",
    "From arrival to the last byte of the answer, for requests that were let in.",
    ["route"],
    registry=REGISTRY,
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
IN_FLIGHT = Gauge("edge_in_flight", "Requests being served, streams included.", registry=REGISTRY)
STREAMS = Gauge("edge_streams", "Open event streams.", registry=REGISTRY)
INGRESS_REQUESTS = Counter(
    "edge_ingress_requests", "Tries of calls to Restate's ingress.", registry=REGISTRY
)
INGRESS_RETRIES = Counter(
    "edge_ingress_retries",
    "Tries after a failed one, by what failed: connect, broken, status.",
    ["failure"],
    registry=REGISTRY,
)
ABANDONED = Counter(
    "edge_abandoned_calls", "Calls given up because the handlers are down.", registry=REGISTRY
)
RATES_COUNTED = Counter(
    "edge_rates_counted",
    "Counts for rate limits, where edges share them: together, or here while the server is away.",
    ["where"],
    registry=REGISTRY,
)
JWKS_FETCHES = Counter(
    "edge_jwks_fetches", "Fetches of the issuer's keys, by result.", ["result"], registry=REGISTRY
)
KEY_LOOKUPS = Counter(
    "edge_key_lookups",
    "Look-ups of API keys, by result: found, unknown, failed.",
    ["result"],
    registry=REGISTRY,
)
USER_LOOKUPS = Counter(
    "edge_user_lookups",
    "Look-ups of what a user's tokens may claim, by result: managed, unmanaged, failed.",
    ["result"],
    registry=REGISTRY,
)


@lru_cache(maxsize=4096)
def requests(route: str, code: str) -> Counter:
    """The counter of answers of a route with a code; prometheus_client looks it up slowly."""
    return REQUESTS.labels(route, code)


@lru_cache(maxsize=1024)
def seconds(route: str) -> Histogram:
    """The histogram of a route."""
    return SECONDS.labels(route)


def exposition() -> bytes:
    """The text that Prometheus scrapes."""
    return generate_latest(REGISTRY)

"""Size, media type, pace and rate; what every answer carries; what the ports tell."""

from collections.abc import AsyncIterator

import httpx
import pytest

from edge import reasons
from errors import Code
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.ingress import FakeIngress

pytestmark = pytest.mark.anyio

ECHO, SMALL, STRICT = "/api/v1/probe/echo", "/api/v1/probe/small", "/api/v1/probe/strict"
JSON = "application/json"


@pytest.fixture
async def edge(ingress: FakeIngress) -> AsyncIterator[EdgeUnderTest]:
    async with running_edge(ingress) as edge:
        yield edge


async def test_the_largest_body_is_taken_and_one_byte_more_is_not(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    body = b'{"text":"' + b"x" * (1024 - 11) + b'"}'
    assert len(body) == 1024
    assert (await edge.post(SMALL, body)).status_code == 200
    answer = await edge.post(SMALL, body + b" ")
    assert error_of(answer).reason == reasons.BODY_TOO_LARGE.word
    assert len(ingress.seen) == 1


async def test_a_body_without_a_length_is_read_no_further_than_its_limit(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000_000:
            sent += 512
            yield b" " * 512

    headers = {"x-api-key": edge.alice.key, "content-type": JSON}
    answer = await edge.http.post(SMALL, content=endless(), headers=headers)
    assert error_of(answer).code is Code.PAYLOAD_TOO_LARGE
    assert sent < 5_000
    assert ingress.seen == []


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx",
     "application/json; charset=latin-1", "text/html; application/json"],
)  # fmt: skip
async def test_anything_but_json_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, media_type: str
) -> None:
    headers = {"x-api-key": edge.alice.key, "content-type": media_type}
    answer = await edge.http.post(ECHO, content=b"{}", headers=headers)
    assert error_of(answer).reason == reasons.MEDIA_TYPE.word
    assert ingress.seen == []


@pytest.mark.parametrize(
    "media_type", [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
async def test_json_in_utf8_is_taken(edge: EdgeUnderTest, media_type: str) -> None:
    headers = {"x-api-key": edge.alice.key, "content-type": media_type}
    assert (await edge.http.post(ECHO, content=b"{}", headers=headers)).status_code == 200


async def test_a_compressed_body_is_refused(edge: EdgeUnderTest) -> None:
    answer = await edge.post(ECHO, headers={"content-encoding": "gzip"})
    assert error_of(answer).reason == reasons.MEDIA_TYPE.word


async def test_all_violations_are_told_at_once_and_nothing_is_forwarded(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    answer = await edge.post(STRICT, {"amount": "many", "colour": "red"})
    error = error_of(answer)
    assert error.code is Code.INVALID_ARGUMENT
    named = {violation.field for violation in error.details.field_violations}
    assert named == {"name", "amount", "tags", "colour"}
    assert "many" not in answer.text
    assert ingress.seen == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"1", b'"x"', b"{}{}", b"\xff", b"\x00"])
async def test_what_is_no_json_object_is_refused(
    edge: EdgeUnderTest, ingress: FakeIngress, body: bytes
) -> None:
    assert error_of(await edge.post(ECHO, body)).code is Code.INVALID_ARGUMENT
    assert ingress.seen == []


async def test_a_key_is_limited_told_how_much_is_left_and_let_in_again(
    ingress: FakeIngress,
) -> None:
    async with running_edge(ingress, requests_per_minute=3) as edge:
        answers = [await edge.post(ECHO) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        left = [answer.headers["ratelimit-remaining"] for answer in answers]
        assert left == ["2", "1", "0", "0"]
        assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
        limited = error_of(answers[3])
        assert limited.reason == reasons.RATE_LIMITED.word
        assert limited.retry_after is not None
        assert 0 < int(answers[3].headers["retry-after"]) <= 60
        assert answers[3].headers["ratelimit-reset"] == answers[3].headers["retry-after"]
        assert (await edge.post(ECHO, key=edge.carol)).status_code == 200
        assert len(ingress.seen) == 4


async def test_a_call_without_its_scope_counts_and_is_told_what_is_left(
    ingress: FakeIngress,
) -> None:
    async with running_edge(ingress, requests_per_minute=2) as edge:
        answers = [await edge.post("/api/v1/probe/add", key=edge.ron) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [403, 403, 429]
        assert [a.headers["ratelimit-remaining"] for a in answers] == ["1", "0", "0"]
        assert error_of(answers[0]).reason == reasons.SCOPE_MISSING.word
        assert ingress.seen == []


async def test_users_whom_a_key_acts_for_share_the_limit_of_the_key(ingress: FakeIngress) -> None:
    async with running_edge(ingress, requests_per_minute=2) as edge:
        users = ["a", "b", "c"]
        answers = [await edge.post(ECHO, headers={"x-on-behalf-of": user}) for user in users]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_wrong_credentials_are_limited_by_address_and_right_ones_are_not(
    ingress: FakeIngress,
) -> None:
    async with running_edge(
        ingress, refused_credentials_per_minute=2, trusted_proxies=("127.0.0.0/8",)
    ) as edge:

        async def guess(address: str) -> httpx.Response:
            headers = {"x-api-key": "sk_guess", "x-forwarded-for": f"8.8.8.8, {address}"}
            return await edge.anonymous(ECHO, headers=headers)

        assert [(await guess("10.0.0.1")).status_code for _ in range(3)] == [401, 401, 429]
        limited = await guess("10.0.0.1")
        assert error_of(limited).reason == reasons.RATE_LIMITED_CREDENTIALS.word
        assert int(limited.headers["retry-after"]) > 0
        assert (await guess("10.0.0.2")).status_code == 401
        own = {"x-forwarded-for": "8.8.8.8, 10.0.0.1"}
        assert (await edge.post(ECHO, headers=own)).status_code == 200


async def test_wrong_credentials_of_every_kind_count_together(ingress: FakeIngress) -> None:
    guesses: list[dict[str, str]] = [
        {},
        {"x-api-key": "sk_guess"},
        {"authorization": "Bearer a.b.c"},
        {"x-api-key": "pk_guess"},
        {"x-api-key": "pk_guess", "authorization": "Bearer a.b.c"},
        {"x-api-key": "sk_guess", "authorization": "Bearer a.b.c"},
    ]
    async with running_edge(ingress, refused_credentials_per_minute=len(guesses)) as edge:
        answers = [await edge.anonymous(ECHO, headers=guess) for guess in guesses]
        assert {answer.status_code for answer in answers} == {401}
        for guess in guesses:
            limited = error_of(await edge.anonymous(ECHO, headers=guess))
            assert limited.reason == reasons.RATE_LIMITED_CREDENTIALS.word
        assert ingress.seen == []


async def test_the_address_that_an_untrusted_peer_claims_is_not_believed(
    ingress: FakeIngress,
) -> None:
    async with running_edge(ingress, refused_credentials_per_minute=1) as edge:
        claims = [{"x-api-key": "sk_guess", "x-forwarded-for": f"10.0.0.{n}"} for n in range(3)]
        statuses = [(await edge.anonymous(ECHO, headers=claim)).status_code for claim in claims]
        assert statuses == [401, 429, 429]


@pytest.mark.parametrize("given", ["abc-1.2_X", "a", "a" * 128])
async def test_a_well_formed_request_id_is_kept(
    edge: EdgeUnderTest, ingress: FakeIngress, given: str
) -> None:
    answer = await edge.post(ECHO, headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    assert ingress.seen[0].headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "ä".encode(), "-a", 'a"', "a\r"])
async def test_a_malformed_request_id_is_replaced(
    edge: EdgeUnderTest, ingress: FakeIngress, given: str | bytes
) -> None:
    answer = await edge.post(ECHO, headers={"x-request-id": given})
    assert answer.headers["x-request-id"].startswith("req_")
    assert ingress.seen[0].headers["x-request-id"] == answer.headers["x-request-id"]


GOOD_TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


async def test_trace_context_goes_through_and_comes_back(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    sent = {"traceparent": GOOD_TRACE, "tracestate": "vendor=1"}
    answer = await edge.post(ECHO, headers=sent)
    assert answer.headers["traceparent"] == GOOD_TRACE
    assert ingress.seen[0].headers["traceparent"] == GOOD_TRACE
    assert ingress.seen[0].headers["tracestate"] == "vendor=1"


@pytest.mark.parametrize(
    "given",
    ["", "01", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01", GOOD_TRACE.upper(),
     f"{GOOD_TRACE}-x"],
)  # fmt: skip
async def test_malformed_trace_context_is_replaced(
    edge: EdgeUnderTest, ingress: FakeIngress, given: str
) -> None:
    sent = {"traceparent": given, "tracestate": "vendor=1"}
    answer = await edge.post(ECHO, headers=sent)
    made = answer.headers["traceparent"]
    assert made != given
    assert ingress.seen[0].headers["traceparent"] == made
    assert "tracestate" not in ingress.seen[0].headers


async def test_every_answer_carries_security_headers_and_allows_any_origin(
    edge: EdgeUnderTest,
) -> None:
    for answer in (await edge.post(ECHO), await edge.anonymous(ECHO), await edge.post("/nope")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_is_answered_without_credentials(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    sent = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = await edge.http.options(ECHO, headers=sent)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]
    assert (await edge.http.options("/nope")).status_code == 404
    assert ingress.seen == []


async def test_listed_origins_are_allowed_and_others_are_not(ingress: FakeIngress) -> None:
    async with running_edge(ingress, cors_origins=("https://app.example",)) as edge:
        listed = await edge.post(ECHO, headers={"origin": "https://app.example"})
        assert listed.headers["access-control-allow-origin"] == "https://app.example"
        other = await edge.post(ECHO, headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "Origin"


async def test_cors_can_be_left_to_the_gateway_in_front(ingress: FakeIngress) -> None:
    async with running_edge(ingress, cors=False) as edge:
        answer = await edge.post(ECHO)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await edge.http.options(ECHO)).status_code == 405


async def test_a_method_that_is_not_post_is_told_what_is_allowed(edge: EdgeUnderTest) -> None:
    answer = await edge.http.get(ECHO)
    assert error_of(answer).reason == reasons.METHOD_NOT_ALLOWED.word
    assert answer.headers["allow"] == "POST, OPTIONS"


async def test_health_speaks_of_this_process_and_statusz_of_its_dependencies(
    ingress: FakeIngress,
) -> None:
    async with (
        running_edge(ingress, private_port=0) as edge,
        httpx.AsyncClient(trust_env=False, verify=False) as http,
    ):
        private = f"http://{edge.edge.private_address}"
        assert (await http.get(f"{private}/statusz")).json()["status"] == "ok"
        await ingress.stop()
        degraded = await http.get(f"{private}/statusz")
        assert degraded.status_code == 503
        assert degraded.json()["dependencies"] == {"restate": "down"}
        for path in ("/healthz", "/readyz"):
            assert (await edge.http.get(path)).status_code == 200
        edge.edge.draining.set()
        assert (await edge.http.get("/healthz")).status_code == 200
        assert (await edge.http.get("/readyz")).status_code == 503


async def test_metrics_count_answers_by_route_and_code_and_name_no_caller(
    ingress: FakeIngress,
) -> None:
    async with (
        running_edge(ingress, private_port=0) as edge,
        httpx.AsyncClient(trust_env=False, verify=False) as http,
    ):
        await edge.post(ECHO)
        await edge.anonymous(ECHO)
        text = (await http.get(f"http://{edge.edge.private_address}/metrics")).text
        assert 'edge_requests_total{code="OK",route="ProbeGateway/Echo"}' in text
        assert 'edge_requests_total{code="UNAUTHENTICATED",route="ProbeGateway/Echo"}' in text
        assert "edge_request_seconds_bucket" in text
        for secret in (edge.alice.key, edge.alice.key_id, "alice", "acme"):
            assert secret not in text


async def test_private_paths_are_not_public(edge: EdgeUnderTest) -> None:
    for path in ("/metrics", "/statusz"):
        assert (await edge.http.get(path)).status_code == 404


async def test_a_draining_edge_takes_no_new_request(
    edge: EdgeUnderTest, ingress: FakeIngress
) -> None:
    edge.edge.draining.set()
    error = error_of(await edge.post(ECHO))
    assert error.reason == reasons.DRAINING.word
    assert not error.is_terminal
    assert ingress.seen == []

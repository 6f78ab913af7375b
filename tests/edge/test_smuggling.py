"""Nothing but listed routes reaches the ingress, and nothing of a client but its body."""

from collections.abc import Callable

import pytest

from chassis.identity import (
    IDENTITY_HEADERS,
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
    object_key,
)
from edge import reasons
from tests.support.probe_stack import ProbeStack
from tests.support.raw_http import NOTHING, RawAnswer, one_raw, request, send_raw

pytestmark = pytest.mark.anyio

WHO = "/api/v1/probe/who"


@pytest.fixture
def alice(probe_live: ProbeStack) -> str:
    return f"X-API-Key: {probe_live.alice.key}"


# These three are the client's to choose, and say nothing of who it is.
FOR_CLIENTS = (REQUEST_ID, TRACEPARENT, TRACESTATE)
# A new header of the edge's own is covered by being there.
OWN_HEADERS = {
    name: f"{name}: mallory\r\n{name.upper()}: eve\r\n{name.replace('-', '_')}: adam"
    for name in IDENTITY_HEADERS
    if name not in FOR_CLIENTS
}
SPELLINGS = {
    "user": "X-User-Id: mallory",
    "user_twice": "X-User-Id: mallory\r\nX-User-Id: eve",
    "user_upper": "X-USER-ID: mallory",
    "user_mixed": "x-UsEr-iD: mallory",
    "user_underscores": "X_User_Id: mallory",
    "user_half_underscored": "X-User_Id: mallory",
    "tenant": "X-Tenant-Id: globex",
    "scopes": "X-Scopes: mcp:manage",
    "role": "X-Role: owner",
    "email": "X-User-Email: mallory@example.com",
    "mode": "X-Auth-Mode: firebase",
    "key_id": "X-Key-Id: key_stolen",
    "impersonator": "X-Impersonator: root",
    "restate_id": "X-Restate-Id: inv_mallory",
    "restate_signature": "X-Restate-Signature-Scheme: v1\r\nX-Restate-Jwt-V1: mallory",
    "restate_path": "X-Restate-Ingress-Path: /mallory",
    "fingerprint": "X-Idem-Hash: mallory",
    "cookie": "Cookie: session=mallory",
    "forwarded": "X-Forwarded-For: 10.0.0.1, mallory",
    "baggage": "Baggage: user=mallory",
    "delay": "Delay: 10s\r\nX-Restate-Delay: mallory",
    "connection_header": "Connection: x-tenant-id\r\nX-Tenant-Id: mallory",
    "user_in_two_cases": "x-user-id: mallory\r\nX-USER-ID: eve",
    "client_address": "X-Client-Address: 10.0.0.1\r\nX-Client-Agent: mallory",
    "another_path": "X-Original-URL: /mallory\r\nX-Rewrite-URL: /mallory",
    "another_method": "X-HTTP-Method-Override: GET",
    "restate_key": "X-Restate-Idempotency-Key: mallory\r\nIdempotency-Key: mallory",
    "restate_invocation": "X-Restate-Invocation-Id: inv_mallory\r\nX-Restate-Scope: mallory",
    **OWN_HEADERS,
}


@pytest.mark.parametrize("case", SPELLINGS)
async def test_identity_and_other_headers_of_a_client_do_not_arrive(
    probe_live: ProbeStack, alice: str, case: str
) -> None:
    plain = await one_raw(probe_live.edge_port, request(WHO, alice))
    answer = await one_raw(probe_live.edge_port, request(WHO, SPELLINGS[case], alice))
    assert answer.status == 200
    own = {"x-request-id", "traceparent"}
    expected = {k: v for k, v in plain.json()["headers"].items() if k not in own}
    seen = {k: v for k, v in answer.json()["headers"].items() if k not in own}
    assert seen == expected
    assert seen["x-user-id"] == "alice"


async def test_exactly_the_listed_headers_arrive(probe_live: ProbeStack, alice: str) -> None:
    trace = "traceparent: 00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    answer = await one_raw(
        probe_live.edge_port,
        request(WHO, alice, "Accept: */*", "User-Agent: x", trace, "tracestate: v=1"),
    )
    assert set(answer.json()["headers"]) == {
        "content-length", "content-type", "traceparent", "tracestate", "x-auth-mode", "x-key-id",
        "x-request-id", "x-restate-ingress-path", "x-scopes", "x-tenant-id", "x-user-id",
    }  # fmt: skip


COUNTER = object_key("acme", "smuggled").replace("/", "%2F")

SECOND_CREDENTIALS: dict[str, Callable[[ProbeStack], str]] = {
    "the_same_key": lambda probe: f"X-API-Key: {probe.alice.key}",
    "key_of_another_tenant": lambda probe: f"X-API-Key: {probe.carol.key}",
    "key_in_another_case": lambda probe: f"x-api-KEY: {probe.carol.key}",
    "nothing": lambda _: "X-API-Key:",
    "token": lambda _: "Authorization: Bearer a.b.c",
    "nothing_as_token": lambda _: "authorization:",
}


@pytest.mark.parametrize("case", SECOND_CREDENTIALS)
async def test_a_second_credential_is_refused_before_and_after_a_valid_one(
    probe_live: ProbeStack, alice: str, case: str
) -> None:
    before = probe_live.forwarded()
    second = SECOND_CREDENTIALS[case](probe_live)
    for headers in ((alice, second), (second, alice)):
        answer = await one_raw(probe_live.edge_port, request(WHO, *headers))
        assert answer.status == 401
        assert reason_of(answer) == reasons.CREDENTIALS_AMBIGUOUS.word
    assert probe_live.forwarded() == before


BAD_KEYS = {
    "of_100_kb": "X-API-Key: sk_" + "a" * 100_000,
    "not_ascii": "X-API-Key: sk_\xe4\xff",
    "of_spaces": "X-API-Key: \t   ",
    "without_a_value": "X-API-Key:",
    "token_of_100_kb": "Authorization: Bearer " + "a" * 100_000,
    "token_not_ascii": "Authorization: Bearer \xe4.\xff.\xfe",
}


@pytest.mark.parametrize("case", BAD_KEYS)
async def test_a_credential_that_no_library_would_send_is_refused_like_any_other(
    probe_live: ProbeStack, case: str
) -> None:
    before = probe_live.forwarded()
    answer = await one_raw(probe_live.edge_port, request(WHO, BAD_KEYS[case]))
    assert (answer.status, reason_of(answer)) == (401, reasons.CREDENTIALS_INVALID.word)
    assert probe_live.forwarded() == before


async def test_a_key_in_a_header_of_a_similar_name_is_no_key(
    probe_live: ProbeStack, alice: str
) -> None:
    for name in ("X_API_Key", "X-API_Key", "XAPIKey", "Api-Key", "X-API-Key-Id"):
        similar = f"{name}: {probe_live.carol.key}"
        alone = await one_raw(probe_live.edge_port, request(WHO, similar))
        assert (alone.status, reason_of(alone)) == (401, reasons.CREDENTIALS_MISSING.word)
        beside = await one_raw(probe_live.edge_port, request(WHO, alice, similar))
        assert beside.json()["headers"]["x-tenant-id"] == "acme"


async def test_spaces_around_a_value_are_no_part_of_it(probe_live: ProbeStack) -> None:
    header = f"X-API-Key: \t {probe_live.alice.key} \t"
    answer = await one_raw(probe_live.edge_port, request(WHO, header))
    assert answer.json()["headers"]["x-user-id"] == "alice"


async def test_whom_a_key_acts_for_is_told_once_and_by_its_name_alone(
    probe_live: ProbeStack, alice: str
) -> None:
    for other in ("X-On-Behalf-Of: eve", "x-on-BEHALF-of: eve", "X-On-Behalf-Of:"):
        for headers in (("X-On-Behalf-Of: bob", other), (other, "X-On-Behalf-Of: bob")):
            answer = await one_raw(probe_live.edge_port, request(WHO, alice, *headers))
            assert reason_of(answer) == reasons.IMPERSONATION_INVALID.word
    for similar in ("X_On_Behalf_Of: eve", "X-On_Behalf-Of: eve", "On-Behalf-Of: eve"):
        seen = (await one_raw(probe_live.edge_port, request(WHO, alice, similar))).json()["headers"]
        assert seen["x-user-id"] == "alice"
        assert "x-impersonator" not in seen


def reason_of(answer: RawAnswer) -> str:
    """The reason of a refusal."""
    return answer.json()["error"]["details"]["reason"]


PATHS = {
    "root": "/",
    "nothing": "*",
    "actor": f"/ProbeCounterActor/{COUNTER}/Add",
    "actor_called_by_the_edge": f"/ProbeCounterActor/{COUNTER}/Total",
    "send": "/ProbeGateway/Who/send",
    "api_send": f"{WHO}/send",
    "restate_health": "/restate/health",
    "restate_attach": "/restate/invocation/inv_1/attach",
    "restate_workflow": "/restate/workflow/GenerationWorkflow/run_1/output",
    "restate_awakeables": "/restate/awakeables/prom_1/resolve",
    "restate_call": "/restate/call/ProbeGateway/Who",
    "double_slash": "//ProbeGateway/Who",
    "double_slash_inside": "/ProbeGateway//Who",
    "dots": "/api/v1/probe/../probe/who",
    "encoded_dots": "/api/v1/probe/%2e%2e/probe/who",
    "encoded_letter": "/api/v1/probe/wh%6f",
    "encoded_slash": "/api/v1/probe%2fwho",
    "encoded_slash_of_a_component": "/ProbeGateway%2FWho",
    "backslash": "/ProbeGateway\\Who",
    "trailing_slash": f"{WHO}/",
    "other_case": "/api/v1/probe/WHO",
    "semicolon": f"{WHO};x=1",
    "null_byte": f"{WHO}%00",
    "absolute_form_of_another_path": "http://ingress:8080/restate/health",
    "authority_form": "ingress:8080",
    "private_paths": "/metrics",
    "statusz": "/statusz",
}


@pytest.mark.parametrize("case", PATHS)
async def test_any_other_path_stops_at_the_edge(
    probe_live: ProbeStack, alice: str, case: str
) -> None:
    before = probe_live.forwarded()
    answer = await one_raw(probe_live.edge_port, request(PATHS[case], alice))
    assert answer.status in (0, 400, 404)
    assert probe_live.forwarded() == before


async def test_an_absolute_form_target_is_its_path_and_goes_to_our_ingress_only(
    probe_live: ProbeStack, alice: str
) -> None:
    answer = await one_raw(probe_live.edge_port, request(f"http://elsewhere{WHO}", alice))
    assert answer.status in (200, 404)
    if answer.status == 200:
        assert answer.json()["headers"]["x-restate-ingress-path"] == "/ProbeGateway/Who"


async def test_a_query_does_not_travel_on(probe_live: ProbeStack, alice: str) -> None:
    answer = await one_raw(probe_live.edge_port, request(f"{WHO}?delay=10s&x=1", alice))
    assert answer.json()["headers"]["x-restate-ingress-path"] == "/ProbeGateway/Who"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_only_post_reaches_a_route(probe_live: ProbeStack, alice: str, method: str) -> None:
    before = probe_live.forwarded()
    body = b"" if method in ("GET", "TRACE") else b"{}"
    sent = request(WHO, alice, method=method, body=body, length=bool(body))
    status = (await one_raw(probe_live.edge_port, sent)).status
    assert status == 405
    assert probe_live.forwarded() == before


async def test_connect_opens_no_tunnel(probe_live: ProbeStack, alice: str) -> None:
    before = probe_live.forwarded()
    port = probe_live.restate.ingress_url.rsplit(":", 1)[1]
    sent = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: edge\r\n{alice}\r\n\r\n".encode()
    inner = b"GET /restate/health HTTP/1.1\r\nHost: x\r\n\r\n"
    for answer in await send_raw(probe_live.edge_port, sent, inner, seconds=2):
        assert answer.status >= 400
    assert probe_live.forwarded() == before


SMUGGLED = request("/api/v1/probe/add", "X-API-Key: sk_none", body=b'{"counter":"smuggled"}')

Framing = Callable[[str], bytes]

FRAMINGS: dict[str, Framing] = {
    "both_lengths_chunked_first": lambda key: request(
        WHO, key, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "length_twice": lambda key: request(
        WHO, key, "Content-Length: 2", "Content-Length: 40", body=b"{}" + SMUGGLED, length=False
    ),
    "length_list": lambda key: request(
        WHO, key, "Content-Length: 2, 40", body=b"{}" + SMUGGLED, length=False
    ),
    "length_negative": lambda key: request(WHO, key, "Content-Length: -1", length=False),
    "length_plus": lambda key: request(WHO, key, "Content-Length: +2", length=False),
    "length_hex": lambda key: request(WHO, key, "Content-Length: 0x2", length=False),
    "length_huge": lambda key: request(WHO, key, "Content-Length: " + "9" * 30, length=False),
    "transfer_unknown": lambda key: request(
        WHO, key, "Transfer-Encoding: xchunked", length=False
    ),
    "transfer_twice": lambda key: request(
        WHO, key, "Transfer-Encoding: chunked", "Transfer-Encoding: identity",
        body=b"0\r\n\r\n", length=False,
    ),
    "transfer_tab": lambda key: request(
        WHO, key, "Transfer-Encoding:\tchunked", "Content-Length: 5", body=b"0\r\n\r\n",
        length=False,
    ),
    "transfer_space_before_colon": lambda key: request(
        WHO, key, "Transfer-Encoding : chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_underscored": lambda key: request(
        WHO, key, "Transfer_Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_in_another_case_with_length": lambda key: request(
        WHO, key, "tRANSFER-eNCODING: Chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_list": lambda key: request(
        WHO, key, "Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n" + SMUGGLED,
        length=False,
    ),
    "transfer_chunked_not_last": lambda key: request(
        WHO, key, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_vertical_tab": lambda key: request(
        WHO, key, "Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_in_quotes": lambda key: request(
        WHO, key, 'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_folded": lambda key: request(
        WHO, key, "Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "transfer_in_http_1_0": lambda key: request(
        WHO, key, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED,
        version="HTTP/1.0",
    ),
    "identity_in_a_trailer": lambda key: request(
        WHO, key, "Transfer-Encoding: chunked", "Trailer: X-User-Id",
        body=b"2\r\n{}\r\n0\r\nX-User-Id: mallory\r\nX-Tenant-Id: globex\r\n\r\n", length=False,
    ),
    "header_with_space_before_colon": lambda key: request(WHO, key, "X-User-Id : mallory"),
    "header_folded": lambda key: request(WHO, key, "X-A: b\r\n X-User-Id: mallory"),
    "bare_line_feed": lambda key: request(WHO, key, "X-A: b\nX-User-Id: mallory"),
    "bare_carriage_return": lambda key: request(WHO, key, "X-A: b\rX-User-Id: mallory"),
    "null_in_header": lambda key: request(WHO, key, "X-A: b\x00c"),
}  # fmt: skip


@pytest.mark.parametrize("case", FRAMINGS)
async def test_doubtful_framing_smuggles_no_second_request_and_no_identity(
    probe_live: ProbeStack, alice: str, case: str
) -> None:
    before = probe_live.forwarded()
    answers = await send_raw(probe_live.edge_port, FRAMINGS[case](alice), seconds=3)
    forwarded = probe_live.forwarded() - before
    # Either the whole thing is refused, or it is one honest request of the caller.
    assert forwarded <= 1
    for answer in answers[:1]:
        assert answer.status in (200, 400, 404, 413, 415, 501)
        if answer.status == 200:
            assert answer.json()["headers"]["x-user-id"] == "alice"
    for answer in answers[1:]:
        assert answer.status in (400, 401, 404)


BROKEN_CHUNKS = {
    "size_with_a_sign": b"+0\r\n\r\n",
    "size_in_hex_notation": b"0x0\r\n\r\n",
    "size_negative": b"-1\r\n\r\n",
    "size_huge": b"F" * 17 + b"0\r\n\r\n",
    "size_after_a_space": b" 0\r\n\r\n",
    "bare_line_feeds": b"0\n\n",
    "extension_with_a_line_feed": b"0;a=\n\r\n\r\n",
    "more_than_its_size": b"2\r\n{}{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", BROKEN_CHUNKS)
async def test_a_body_in_broken_chunks_does_nothing_and_nothing_is_read_behind_it(
    probe_live: ProbeStack, alice: str, case: str
) -> None:
    before = probe_live.forwarded()
    chunks = BROKEN_CHUNKS[case] + SMUGGLED
    sent = request(WHO, alice, "Transfer-Encoding: chunked", body=chunks, length=False)
    answers = await send_raw(probe_live.edge_port, sent, seconds=3)
    (answer,) = answers
    assert (answer.status, reason_of(answer)) == (400, reasons.BODY_BROKEN.word)
    assert answer.headers["server"] == "yocaso"
    assert probe_live.forwarded() == before


async def test_a_smuggled_request_without_credentials_does_nothing(
    probe_live: ProbeStack, alice: str
) -> None:
    answer = await one_raw(
        probe_live.edge_port, request("/api/v1/probe/total", alice, body=b'{"counter":"smuggled"}')
    )
    assert answer.json().get("total", 0) == 0


async def test_noise_instead_of_http_ends_the_connection(probe_live: ProbeStack) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x00" * 64 + b"\r\n\r\n", b"\r\n" * 9):
        answer = await one_raw(probe_live.edge_port, noise, seconds=1)
        assert answer is NOTHING or answer.status == 400
    healthz = b"GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n"
    assert (await one_raw(probe_live.edge_port, healthz)).status == 200


async def test_http2_prior_knowledge_is_not_spoken(probe_live: ProbeStack) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    answer = await one_raw(probe_live.edge_port, preface, seconds=1)
    assert answer is NOTHING or answer.status in (400, 404, 405, 505)

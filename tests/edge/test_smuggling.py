"""Nothing but listed routes reaches the ingress, and nothing of a client but its body."""

from collections.abc import Callable

import pytest

from chassis.identity import object_key
from tests.support.probe_stack import ProbeStack
from tests.support.raw_http import NOTHING, one_raw, request, send_raw

pytestmark = pytest.mark.anyio

WHO = "/api/v1/probe/who"


@pytest.fixture
def alice(probe_live: ProbeStack) -> str:
    return f"X-API-Key: {probe_live.alice.key}"


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

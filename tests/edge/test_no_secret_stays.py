"""No credential is kept anywhere: every method is called with marked ones, then all is searched.

Credentials are keys, tokens, invitations, and the secrets that people entrust to the platform, such
as the headers of tool servers. The search covers Restate's tables, every log, the metrics of edge
and Restate, and each byte of the data directory. What it must find proves that it would find a
secret: a name that was stored, the hashes of the same keys and invitations, and the sealed forms.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.edge_server import public_routes
from app.generate.examples import EXAMPLES
from chassis import key_text
from chassis.message.secret import holds_secrets, with_secrets
from chassis.rpc import Rpc
from devstack.processes import wait_until
from devstack.stack import NODE_PORT
from devstack.toolbox.control import ToolboxControl
from tests.support.people import Person, newcomer
from tests.support.stack import API, RunningStack, running_stack

pytestmark = pytest.mark.anyio

THREADS = "llm/gateway/list-threads"
REGISTER = "llm/gateway/mcp-register-server"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


@dataclass
class Planted:
    """What was sent to the platform, and must not be found."""

    keys: list[str] = field(default_factory=list[str])
    tokens: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])

    def mark(self) -> str:
        """A new text that is nowhere yet."""
        self.others.append(f"mark{secrets.token_hex(16)}")
        return self.others[-1]

    def needles(self) -> Iterator[str]:
        """The texts to search for, and what encodings would make of them."""
        for key in self.keys:
            # The first characters are shown to people; the rest is the secret.
            yield from _forms(key[len(key_text.shown(key)) :])
        for token in self.tokens:
            # The claims are those of the user and may be known; a third part makes it a token.
            yield from _forms(token.rpartition(".")[2])
        for other in self.others:
            yield from _forms(other)


def _forms(text: str) -> Iterator[str]:
    yield text
    # Base64 has three ways to write a text, by what stands before it; without the ends, which
    # depend on their neighbours.
    for before in range(3):
        yield base64.b64encode(b" " * before + text.encode()).decode()[4:-4]


@pytest.fixture
def stack() -> Iterator[RunningStack]:
    """A platform of its own, so that nothing else is in its data. What it writes is not compressed,
    because no text is found in what is."""
    kept_by = ("WORKER__STORAGE", "BIFROST__LOCAL", "METADATA_SERVER", "LOG_SERVER")
    plain = {
        f"RESTATE_{part}__ROCKSDB_DISABLE_{what}_COMPRESSION": "true"
        for part in kept_by
        for what in ("WAL", "L0_L1")
    }
    with running_stack(restate=plain) as stack:
        yield stack


async def people(stack: RunningStack, planted: Planted) -> str:
    """A token of an administrator, with a claim that nobody asked for."""
    token = await stack.token(sub="ann", tenant_id="acme", role="owner", extra=planted.mark())
    planted.tokens.append(token)
    return token


async def keys(stack: RunningStack, planted: Planted, admin: str, **settings: Any) -> str:
    """A key for everything, rotated once."""
    scopes = sorted({rpc.route.scope for rpc in public_routes() if rpc.route is not None})
    grantable = [scope for scope in scopes if not scope.endswith("manage")]
    body = {"name": "findable", "permissions": ["conversations:read"], **settings}
    for permission in grantable:
        wider = {**body, "permissions": [permission]}
        if (await stack.call("api-keys/create", wider, token=admin)).status == 200:
            body["permissions"] = sorted({*body["permissions"], permission})
    made = (await stack.call("api-keys/create", body, token=admin)).body["result"]
    rotated = await stack.call(
        "api-keys/rotate", {"key_id": made["key_id"], "grace": "3600s"}, token=admin
    )
    planted.keys += [made["key"], rotated.body["result"]["key"]]
    return planted.keys[-1]


async def invited(stack: RunningStack, planted: Planted) -> tuple[Person, list[str]]:
    """Somebody who owns an organization, and the tokens of its invitations: one was accepted, one
    revoked, and both were tried in all the wrong ways before."""
    owner, guest = await newcomer(stack, "owner"), await newcomer(stack, "guest")
    await owner.found()
    tokens: list[str] = []
    for email in (guest.email, "nobody@example.com"):
        asked = {"email": email, "role": "member"}
        made = [await owner.call("orgs/invite-member", asked, idempotency_key=email) for _ in "12"]
        tokens.append(made[0].body["invitation"]["token"])
        assert "token" not in made[1].body["invitation"]
    taken, open_one = tokens
    typed = open_one[:-1] + ("A" if open_one[-1] != "A" else "B")
    for wrong in (open_one, typed, key_text.new(key_text.INVITATION)):
        answer = await guest.call("orgs/accept-invitation", {"token": wrong}, idempotency_key="no")
        assert answer.status >= 400, answer.body
        assert wrong not in str(answer.body)
    assert (await guest.call("orgs/accept-invitation", {"token": taken})).status == 200
    again = await (await newcomer(stack, "late")).call("orgs/accept-invitation", {"token": taken})
    assert again.status >= 400, again.body
    for headers in ({"x-api-key": taken}, {"authorization": f"Bearer {taken}"}):
        async with stack.client() as client:
            answer = await client.post(f"{API}{THREADS}?token={taken}", json={}, headers=headers)
        assert answer.status_code == 401
    open_id = (await owner.call("orgs/list-invitations")).body["invitations"][0]["invitationId"]
    revoked = await owner.call("orgs/revoke-invitation", {"invitationId": open_id})
    assert revoked.status == 200, revoked.body
    planted.keys += tokens
    planted.tokens += [owner.token, guest.token]
    return owner, tokens


async def entrusted(stack: RunningStack, planted: Planted, admin: str) -> None:
    """A secret that reaches the tool server whose header it is; others that are refused."""
    url = f"{stack.processes.cloud_url}/toolbox/mcp"
    kept, refused = planted.mark(), planted.mark()
    server = {"serverName": "kept", "url": url, "headers": {"authorization": f"Bearer {kept}"}}
    mistakes: list[dict[str, Any]] = [
        {"headers": {"authorization": f"{refused}\u00e9"}},
        {"headers": {"authorization": {"token": refused}}},
        {"headers": {"authorization": refused}, "password": refused},
        {"headers": {"authorization": refused * 200}},
        {"headers": {"authorization": refused}, "url": "http://10.0.0.1/"},
        {"headers": {}, "url": f"https://u:{refused}@mcp.example.com/"},
        {"headers": {}, "url": f"https://{refused}@[mcp.example.com/"},
    ]
    oidc: list[dict[str, Any]] = [
        {"issuer": f"https://u:{refused}@id.example.com", "audience": "app"},
        {
            "issuer": "https://id.example.com",
            "audience": "app",
            "jwks_uri": f"https://{refused}@id.example.com/jwks",
        },
    ]
    key = {"name": "refused", "permissions": ["conversations:read"], "type": "PUBLISHABLE"}
    asked = [(REGISTER, server | mistake) for mistake in mistakes]
    asked += [("api-keys/create", {**key, "oidc": each}) for each in oidc]
    for method, body in asked:
        answer = await stack.call(method, body, token=admin)
        assert answer.status == 400, body
        assert refused not in str(answer.body)
    member = await stack.token(sub="max", tenant_id="acme", role="member")
    planted.tokens.append(member)
    assert (await stack.call(REGISTER, server, token=member)).status == 403
    for repeat in range(2):
        headers = {"idempotency-key": "kept"}
        answer = await stack.call(REGISTER, server, token=admin, headers=headers)
        assert answer.status == 200, (repeat, answer.body)
        assert kept not in str(answer.body)
    add = {"serverName": "kept", "toolName": "add", "arguments": {"a": 1, "b": 2}}
    called = await stack.call("llm/gateway/mcp-call-tool", add, token=admin)
    assert called.body["status"] == "SUCCEEDED"
    toolbox = ToolboxControl(stack.processes.cloud_url)
    (heard,) = await toolbox.calls("add")
    await toolbox.aclose()
    assert heard.headers["authorization"] == f"Bearer {kept}"


async def call_everything(
    stack: RunningStack, planted: Planted, headers: dict[str, str]
) -> set[int]:
    """Every public method with its example, a mark in place of each secret; the statuses that
    were seen."""
    seen: set[int] = set()
    async with stack.client() as client:
        for rpc in public_routes():
            assert rpc.route is not None
            body = _quick(rpc, _marked(rpc, planted))
            sent = {"content-type": "application/json", **headers}
            async with client.stream("POST", rpc.route.path, content=body, headers=sent) as answer:
                if not answer.headers["content-type"].startswith("text/event-stream"):
                    await answer.aread()
                seen.add(answer.status_code)
    return seen


def _marked(rpc: Rpc[Any, Any], planted: Planted) -> bytes:
    message = rpc.request.from_json(EXAMPLES[rpc].request.to_json())
    if holds_secrets(rpc.request):
        before = len(planted.others)
        with_secrets(message, lambda _example: planted.mark())
        assert len(planted.others) > before, f"the example of {rpc.name} shows no secret"
    return message.to_json()


def _quick(rpc: Rpc[Any, Any], body: bytes) -> bytes:
    if "wait" not in rpc.request.model_fields:
        return body
    return json.dumps({**json.loads(body), "wait": "0s"}).encode()


async def be_refused(stack: RunningStack, planted: Planted, key: str, token: str) -> None:
    """Wrong credentials of every kind, and right ones in the wrong places."""
    mark = planted.mark()
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    wrong: list[dict[str, str]] = [
        {"x-api-key": f"sk_{mark}"},
        {"x-api-key": key_text.new("sk_")},
        {"x-api-key": changed},
        {"authorization": f"Bearer {mark}"},
        {"authorization": f"Basic {mark}"},
        {"authorization": f"Bearer {token[:-4]}AAAA"},
        {"authorization": f"Bearer {key}"},
        {"x-api-key": token},
        {"x-api-key": key, "authorization": f"Bearer {token}"},
        {"x-api-key": key, "x-on-behalf-of": "bob", "cookie": mark, "x-forwarded-for": mark},
    ]
    planted.keys.append(wrong[1]["x-api-key"])
    for headers in wrong:
        async with stack.client() as client:
            answer = await client.post(API + THREADS, json={}, headers=headers)
        assert answer.status_code >= 400, headers
        assert mark not in answer.text
        assert key not in answer.text
        assert token not in answer.text
    async with stack.client() as client:
        # As people do it who do not know better.
        await client.post(f"{API}{THREADS}?api_key={mark}", json={}, headers={"x-api-key": key})
        await client.post(f"{API}nowhere/{mark}", json={"token": mark}, headers={"x-api-key": key})
        await client.post(API + THREADS, content=b"{" + mark.encode(), headers={"x-api-key": key})


def tables(stack: RunningStack) -> str:
    """All that Restate tells of what it keeps."""
    restate = stack.processes.restate
    names = [row["table_name"] for row in restate.query(TABLES)]
    assert {"state", "sys_invocation", "sys_journal"} <= set(names)
    return "\n".join(json.dumps(restate.query(f"SELECT * FROM {name}")) for name in names)


def told(stack: RunningStack) -> str:
    """All that is told to operators."""
    processes = stack.processes
    ports = (f"{processes.private_url}/metrics", f"{processes.private_url}/statusz")
    restate = f"http://127.0.0.1:{processes.ports[NODE_PORT]}/metrics"
    texts: list[str] = []
    for url in (*ports, restate):
        answer = httpx.get(url, trust_env=False, timeout=30)
        assert answer.is_success, url
        texts.append(answer.text)
    return "\n".join(texts)


def files(stack: RunningStack) -> str:
    """Every byte of the data directory, which has the logs of all processes, too."""
    folder = stack.processes.options.data_path
    return "\n".join(
        path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_credential_is_found_anywhere_after_every_method_was_called_with_it(
    stack: RunningStack,
) -> None:
    planted = Planted()
    admin = await people(stack, planted)
    secret = await keys(stack, planted, admin)
    oidc = {"issuer": stack.processes.issuer_url, "audience": "yocaso-dev"}
    publishable = await keys(stack, planted, admin, type="PUBLISHABLE", oidc=oidc)
    user = await stack.token(sub="end-user", extra=planted.mark())
    planted.tokens.append(user)
    # First, because among all methods are some that end the administrator's sessions.
    await entrusted(stack, planted, admin)
    for headers in (
        {"x-api-key": secret},
        {"authorization": f"Bearer {admin}"},
        {"x-api-key": publishable, "authorization": f"Bearer {user}"},
    ):
        assert 200 in await call_everything(stack, planted, headers)
    await be_refused(stack, planted, secret, admin)
    owner, invitations = await invited(stack, planted)
    control = f"control{secrets.token_hex(8)}"
    named = {"conversationKey": "control", "name": control}
    assert (await stack.call("llm/gateway/create-thread", named, key=secret)).status == 200
    pasted = await owner.call("api-keys/revoke-leaked", {"key": secret})
    assert pasted.status == 200, pasted.body
    restate = stack.processes.restate
    # Usage is handed in a moment later, and is the last thing that is written.
    assert wait_until(
        lambda: bool(restate.query("SELECT key FROM state WHERE key LIKE 'usage%'")), 30
    )
    places = {"tables": tables(stack), "told": told(stack), "files": files(stack)}
    hashes = map(key_text.hash_of, (secret, publishable, *invitations))
    for found in (control, "sealed1.", *hashes):
        for place in ("tables", "files"):
            assert found in places[place], (found, place)
    assert "LLMGateway/ListThreads" in places["told"]
    needles = list(planted.needles())
    leaked = [
        (place, needle) for place, kept in places.items() for needle in needles if needle in kept
    ]
    assert leaked == []
    assert (len(planted.keys), len(planted.tokens)) == (7, 5)
    # One of the claims of each token, one of the refusals, two of what was entrusted, and one for
    # each secret of each method and way in.
    assert len(planted.others) >= 2 + 1 + 2 + 3


def test_the_search_would_find_a_secret_in_any_of_its_forms() -> None:
    planted = Planted(keys=[key_text.new("sk_")], tokens=["aaaa.bbbb.c-signature-of-a-token"])
    mark = planted.mark()
    for secret in (planted.keys[0], planted.tokens[0], mark):
        for before in ("", "x", "xy"):
            for kept in (
                f'{{"header": "{before}{secret}"}}',
                base64.b64encode(f"{before}{secret} and more".encode()).decode(),
            ):
                assert any(needle in kept for needle in planted.needles()), kept

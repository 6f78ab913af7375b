"""Every method with another tenant's identifiers: the same bytes as for a thing that never was.

What a request names is found by the names of its fields, so a new method is covered by being there;
one with an identifier that this test does not know fails it. Methods that name nothing and list
something tell a stranger nothing of it.
"""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.edge_server import public_routes
from app.generate.examples import EXAMPLES
from chassis.rpc import Effect, Mode, Route, Rpc
from gateways.llm import contract as llm
from tests.support.people import Person, newcomer, with_members
from tests.support.stack import API, Answer, RunningStack

pytestmark = pytest.mark.anyio

# Identifiers that the caller makes up name nothing that exists.
MADE_UP_BY_THE_CALLER = {"client_message_id", "new_conversation_key"}
# A conversation_key belongs to the user, a server_name to the tenant: here they make the caller's
# own.
MAKES_ITS_OWN = {llm.create_thread, llm.mcp_register_server}


def route_of(rpc: Rpc[Any, Any]) -> Route:
    """The route, which every public method has."""
    assert rpc.route is not None
    return rpc.route


def identifiers(rpc: Rpc[Any, Any]) -> set[str]:
    """The fields of a request that name a thing of somebody's."""
    names = ("_id", "_key", "server_name")
    fields = {name for name in rpc.request.model_fields if name.endswith(names)}
    return fields - MADE_UP_BY_THE_CALLER


def lists(rpc: Rpc[Any, Any]) -> bool:
    """Whether a method reads what its caller has, without naming it."""
    route, fields = route_of(rpc), rpc.request.model_fields.values()
    required = [each for each in fields if each.is_required()]
    return route.effect is Effect.READ and not identifiers(rpc) and not required


NAMING = [rpc for rpc in public_routes() if identifiers(rpc) and rpc not in MAKES_ITS_OWN]
NAMING_FOR_KEYS = [rpc for rpc in NAMING if Mode.SECRET_KEY in route_of(rpc).modes]
LISTING = [rpc for rpc in public_routes() if lists(rpc)]
LISTED = ("conversation_key", "key_id", "user_id", "invitation_id", "server_name")


@dataclass
class Things:
    """What the tests of this module name, who may see it, and the tenant of an organization."""

    named: dict[str, str] = field(default_factory=dict[str, str])
    owners: list[str] = field(default_factory=list[str])
    tenant_id: str = ""


@pytest.fixture(scope="module")
def things() -> Things:
    """Made by the first test that needs them."""
    return Things()


async def made(stack: RunningStack, things: Things) -> Things:
    """A thread with a run, and a key, of the tenant `acme`; an organization with a member, an
    invitation and a tool server."""
    if not things.named:
        owner, member = await with_members(stack, "owner", "member")
        invited = await owner.call("orgs/invite-member", {"role": "member"})
        server = f"private-{uuid.uuid4().hex[:8]}"
        toolbox = {"serverName": server, "url": f"{stack.processes.cloud_url}/toolbox/mcp"}
        registered = await owner.call("llm/gateway/mcp-register-server", toolbox)
        assert registered.status == 200, registered.body
        thread = f"private-{uuid.uuid4()}"
        await stack.call("llm/gateway/create-thread", {"conversationKey": thread})
        message = {"conversationKey": thread, "userMessage": {"content": "hello"}}
        sent = await stack.call("llm/gateway/send-message", message)
        admin = await stack.token(tenant_id="acme", role="owner")
        key = await stack.call("api-keys/create", {"name": "private"}, token=admin)
        things.owners = [owner.token, admin]
        things.tenant_id = (await owner.call("orgs/get")).body["organization"]["tenantId"]
        things.named = {
            "conversation_key": thread,
            "run_id": sent.body["runId"],
            "message_id": sent.body["messageId"],
            "branch_id": "main",
            "key_id": key.body["result"]["key_id"],
            "user_id": member.user_id,
            "invitation_id": invited.body["invitation"]["invitationId"],
            "server_name": server,
            # Neither exists, and nobody can tell: a stranger does not see the thread.
            "approval_id": "apr_private",
            "result_id": "res_private",
        }
    return things


def never_were(own: Things) -> dict[str, str]:
    """Names of the same form that nobody ever gave to anything."""
    never = {name: f"{value[:4]}{uuid.uuid4().hex}" for name, value in own.named.items()}
    return {**never, "server_name": f"private-{uuid.uuid4().hex[:8]}"}


def body_of(rpc: Rpc[Any, Any], named: dict[str, str]) -> dict[str, Any]:
    """The method's example, about these things."""
    body = json.loads(EXAMPLES[rpc].request.to_json())
    for name in identifiers(rpc):
        body.pop("".join(w.capitalize() if n else w for n, w in enumerate(name.split("_"))), None)
        body[name] = named[name]
    return body


def path_of(rpc: Rpc[Any, Any]) -> str:
    """As `RunningStack.call` takes it."""
    return route_of(rpc).path.removeprefix(API)


async def outsider(stack: RunningStack) -> Person:
    """Somebody with an organization of their own."""
    person = await newcomer(stack, "stranger")
    await person.found()
    return person


def assert_same_bytes(answers: list[Answer]) -> None:
    """Nothing tells one answer from the other."""
    assert answers[0].status == 404
    assert answers[0].body == answers[1].body
    kept = [
        {name: value for name, value in answer.headers.items() if name not in _CHANGING}
        for answer in answers
    ]
    assert kept[0] == kept[1]


# Of the moment, or counting the caller's own calls.
_CHANGING = {"date", "traceparent", "ratelimit-remaining", "ratelimit-reset"}
_SAME_ID = {"x-request-id": "one-and-the-same"}


@pytest.mark.parametrize("rpc", NAMING, ids=lambda rpc: rpc.target)
async def test_what_belongs_to_another_tenant_is_as_if_it_never_was(
    stack: RunningStack, things: Things, rpc: Rpc[Any, Any]
) -> None:
    own = await made(stack, things)
    route = route_of(rpc)
    # Carol's key may do what members may.
    by_person = len(route.modes) == 1 or route.scope.endswith(":manage")
    token = (await outsider(stack)).token if by_person else None
    key = None if by_person else stack.carol
    answers = [
        await stack.call(path_of(rpc), body_of(rpc, named), key=key, token=token, headers=_SAME_ID)
        for named in (own.named, never_were(own))
    ]
    assert_same_bytes(answers)


@pytest.fixture(scope="module")
def acting() -> dict[str, str]:
    """Keys that may do everything for every user of their tenant, by the name of whose they are;
    made by the first test that needs them."""
    return {}


async def acting_keys(stack: RunningStack, acting: dict[str, str]) -> dict[str, str]:
    """One of Alice's own tenant, and one of another."""
    if not acting:
        scopes = {route_of(rpc).scope for rpc in NAMING_FOR_KEYS} | {"users:impersonate"}
        wanted = {"name": "acting", "permissions": sorted(scopes)}
        admin = await stack.token(tenant_id="acme", role="owner")
        for name, token in (("own", admin), ("other", (await outsider(stack)).token)):
            created = await stack.call("api-keys/create", wanted, token=token)
            assert created.status == 200, created.body
            acting[name] = created.body["result"]["key"]
    return acting


@pytest.mark.parametrize("rpc", NAMING_FOR_KEYS, ids=lambda rpc: rpc.target)
async def test_a_key_that_acts_for_a_user_of_another_tenant_finds_nothing_of_theirs(
    stack: RunningStack, things: Things, acting: dict[str, str], rpc: Rpc[Any, Any]
) -> None:
    own, keys = await made(stack, things), await acting_keys(stack, acting)
    for user in (stack.alice.user_id, f"acme/{stack.alice.user_id}"):
        headers = {**_SAME_ID, "x-on-behalf-of": user, "x-tenant-id": "acme"}
        answers = [
            await stack.call(path_of(rpc), body_of(rpc, named), key=keys["other"], headers=headers)
            for named in (own.named, never_were(own))
        ]
        assert_same_bytes(answers)


async def test_a_key_that_acts_for_a_user_of_its_own_tenant_finds_what_is_theirs(
    stack: RunningStack, things: Things, acting: dict[str, str]
) -> None:
    own, keys = await made(stack, things), await acting_keys(stack, acting)
    headers = {"x-on-behalf-of": stack.alice.user_id}
    thread = {"conversationKey": own.named["conversation_key"]}
    state = await stack.call(
        path_of(llm.conversation_state), thread, key=keys["own"], headers=headers
    )
    assert state.status == 200


@pytest.mark.parametrize("rpc", LISTING, ids=lambda rpc: rpc.target)
async def test_what_is_listed_for_a_stranger_names_nothing_of_another_tenants(
    stack: RunningStack, things: Things, rpc: Rpc[Any, Any]
) -> None:
    own = await made(stack, things)
    answer = await stack.call(path_of(rpc), token=(await outsider(stack)).token)
    assert answer.status == 200
    for name in LISTED:
        assert own.named[name] not in str(answer.body)


async def test_the_same_methods_list_it_for_those_to_whom_it_belongs(
    stack: RunningStack, things: Things
) -> None:
    own = await made(stack, things)

    async def listed() -> bool:
        answers = [await stack.call(path_of(rpc)) for rpc in LISTING]
        for token in own.owners:
            answers += [await stack.call(path_of(rpc), token=token) for rpc in LISTING]
        shown = str([answer.body for answer in answers])
        return all(own.named[name] in shown for name in LISTED)

    assert await stack.wait_until(listed)


async def test_nobody_ends_an_organization_by_naming_it_from_another(
    stack: RunningStack, things: Things
) -> None:
    own = await made(stack, things)
    stranger = await outsider(stack)
    answers = [
        await stack.call("orgs/delete", {"confirm": name}, token=stranger.token, headers=_SAME_ID)
        for name in (own.tenant_id, f"{own.tenant_id[:-6]}zzzzzz")
    ]
    assert answers[0].status == 400
    assert answers[0].body == answers[1].body
    for token in (own.owners[0], stranger.token):
        assert (await stack.call("orgs/get", token=token)).status == 200


def test_every_identifier_of_every_method_is_known() -> None:
    known = {
        "conversation_key", "run_id", "message_id", "branch_id", "key_id", "user_id",
        "invitation_id", "approval_id", "result_id", "server_name",
    }  # fmt: skip
    assert {name for rpc in NAMING for name in identifiers(rpc)} <= known
    assert len(NAMING) > 10
    assert len(LISTING) > 5

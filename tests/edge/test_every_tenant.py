"""Every method with another tenant's identifiers: the same bytes as for a thing that never was.

What a request names is found by the names of its fields, so a new method is covered by being there;
one with an identifier that this test does not know fails it.
"""

import json
import uuid
from typing import Any

import pytest

from app.edge_server import public_routes
from app.generate.examples import EXAMPLES
from chassis.rpc import Rpc
from gateways.llm import contract as llm
from tests.support.people import newcomer, with_members
from tests.support.stack import API, RunningStack

pytestmark = pytest.mark.anyio

# Identifiers that the caller makes up name nothing that exists.
MADE_UP_BY_THE_CALLER = {"client_message_id", "new_conversation_key"}
# A conversation_key belongs to the user: here it makes a thread of the caller's own.
MAKES_ITS_OWN = {llm.create_thread}


def identifiers(rpc: Rpc[Any, Any]) -> set[str]:
    """The fields of a request that name a thing of somebody's."""
    fields = {name for name in rpc.request.model_fields if name.endswith(("_id", "_key"))}
    return fields - MADE_UP_BY_THE_CALLER


NAMING = [rpc for rpc in public_routes() if identifiers(rpc) and rpc not in MAKES_ITS_OWN]


@pytest.fixture(scope="module")
def things() -> dict[str, str]:
    """Identifiers of Alice's things, made by the first test that needs them."""
    return {}


async def made(stack: RunningStack, things: dict[str, str]) -> dict[str, str]:
    """A thread with a run, and a key, of the tenant `acme`; an organization with a member and an
    invitation."""
    if not things:
        owner, member = await with_members(stack, "owner", "member")
        invited = await owner.call("orgs/invite-member", {"role": "member"})
        thread = f"private-{uuid.uuid4()}"
        await stack.call("llm/gateway/create-thread", {"conversationKey": thread})
        message = {"conversationKey": thread, "userMessage": {"content": "hello"}}
        sent = await stack.call("llm/gateway/send-message", message)
        admin = await stack.token(tenant_id="acme", role="owner")
        key = await stack.call("api-keys/create", {"name": "private"}, token=admin)
        things |= {
            "conversation_key": thread,
            "run_id": sent.body["runId"],
            "message_id": sent.body["messageId"],
            "branch_id": "main",
            "key_id": key.body["result"]["key_id"],
            "user_id": member.user_id,
            "invitation_id": invited.body["invitation"]["invitationId"],
            # Neither exists, and nobody can tell: a stranger does not see the thread.
            "approval_id": "apr_private",
            "result_id": "res_private",
        }
    return things


def body_of(rpc: Rpc[Any, Any], named: dict[str, str]) -> dict[str, Any]:
    """The method's example, about these things."""
    body = json.loads(EXAMPLES[rpc].request.to_json())
    for name in identifiers(rpc):
        body.pop("".join(w.capitalize() if n else w for n, w in enumerate(name.split("_"))), None)
        body[name] = named[name]
    return body


@pytest.mark.parametrize("rpc", NAMING, ids=lambda rpc: rpc.target)
async def test_what_belongs_to_another_tenant_is_as_if_it_never_was(
    stack: RunningStack, things: dict[str, str], rpc: Rpc[Any, Any]
) -> None:
    own = await made(stack, things)
    assert rpc.route is not None
    path = rpc.route.path.removeprefix(API)
    people_only = len(rpc.route.modes) == 1
    stranger = await newcomer(stack, "stranger")
    await stranger.found()
    token = stranger.token if people_only else None
    key = None if people_only else stack.carol
    never = {name: f"{value[:4]}{uuid.uuid4().hex}" for name, value in own.items()}
    same_id = {"x-request-id": "one-and-the-same"}
    answers = [
        await stack.call(path, body_of(rpc, named), key=key, token=token, headers=same_id)
        for named in (own, never)
    ]
    assert answers[0].status == 404
    assert answers[0].body == answers[1].body
    kept = [
        {name: value for name, value in answer.headers.items() if name not in _CHANGING}
        for answer in answers
    ]
    assert kept[0] == kept[1]


# Of the moment, or counting the caller's own calls.
_CHANGING = {"date", "traceparent", "ratelimit-remaining", "ratelimit-reset"}


def test_every_identifier_of_every_method_is_known() -> None:
    known = {
        "conversation_key", "run_id", "message_id", "branch_id", "key_id", "user_id",
        "invitation_id", "approval_id", "result_id",
    }  # fmt: skip
    assert {name for rpc in NAMING for name in identifiers(rpc)} <= known
    assert len(NAMING) > 10

"""The routes that the edge answers itself, and what answers them.

Apart from the edge's server, so that the registry can check and describe them without running one.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from actors.conversation import contract as conversation
from actors.conversation_manager import contract as conversation_manager
from chassis.bus import BusClient
from chassis.rpc import Rpc
from edge.api_keys import ApiKeys
from edge.completions import Completions
from edge.events import EventReader
from edge.local import EdgeHandler
from edge.orgs import InvitationMaker
from edge.short_way import ShortWay
from gateways.auth.contract import api_keys, orgs
from gateways.llm import contract as llm
from gateways.llm import targets

_EVENTS = {
    llm.pull_events: EventReader.pull,
    llm.stream_events: EventReader.stream,
}
_COMPLETIONS = {
    llm.complete: Completions.complete,
    llm.stream_complete: Completions.stream,
}
_API_KEYS = {
    api_keys.api_keys_create: ApiKeys.create,
    api_keys.api_keys_rotate: ApiKeys.rotate,
    api_keys.api_keys_revoke: ApiKeys.revoke,
    api_keys.api_keys_revoke_leaked: ApiKeys.revoke_leaked,
}
_INVITATIONS = {
    orgs.orgs_invite_member: InvitationMaker.invite,
    orgs.orgs_accept_invitation: InvitationMaker.accept,
}
SERVED_BY_EDGE = {**_EVENTS, **_COMPLETIONS, **_API_KEYS, **_INVITATIONS}

# The routes whose gateway method is one decided call, and the call's target.
SHORT_WAYS = {
    llm.list_threads: ShortWay(conversation_manager.list_threads, targets.list_threads),
    llm.update_settings: ShortWay(conversation.update_settings, targets.update_settings),
    llm.update_generation_config: ShortWay(
        conversation.update_generation_config, targets.update_generation_config
    ),
    llm.send_message: ShortWay(conversation.send_message, targets.send_message),
    llm.conversation_state: ShortWay(conversation.get_state, targets.conversation_state),
    llm.list_messages: ShortWay(conversation.list_messages, targets.list_messages),
    llm.regenerate: ShortWay(conversation.regenerate, targets.regenerate),
    llm.edit_message: ShortWay(conversation.edit_message, targets.edit_message),
    llm.choose_branch: ShortWay(conversation.choose_branch, targets.choose_branch),
    llm.list_branches: ShortWay(conversation.list_branches, targets.list_branches),
    llm.get_run: ShortWay(conversation.get_run, targets.get_run),
    llm.list_runs: ShortWay(conversation.list_runs, targets.list_runs),
    llm.cancel_run: ShortWay(conversation.cancel_run, targets.cancel_run),
}


def handlers(bus: BusClient) -> Mapping[Rpc[Any, Any], EdgeHandler]:
    """The handlers of those routes."""
    reader, completions, keys = EventReader(bus), Completions(bus), ApiKeys()
    return {
        **{rpc: partial(method, reader) for rpc, method in _EVENTS.items()},
        **{rpc: partial(method, completions) for rpc, method in _COMPLETIONS.items()},
        **{rpc: partial(method, keys) for rpc, method in _API_KEYS.items()},
        **{rpc: partial(method, InvitationMaker()) for rpc, method in _INVITATIONS.items()},
    }

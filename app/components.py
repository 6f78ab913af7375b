"""The one explicit list of what exists, and where each part gets what it needs."""

from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from actors.audit_log import contract as audit_log
from actors.audit_log.handlers import AuditLog
from actors.conversation import contract as conversation
from actors.conversation.acceptance import Accepting
from actors.conversation.handlers.branches import Branches
from actors.conversation.handlers.compactions import Compactions
from actors.conversation.handlers.endings import Endings
from actors.conversation.handlers.forks import Forks
from actors.conversation.handlers.reads import Reads
from actors.conversation.handlers.reports import Reports
from actors.conversation.handlers.runs import Runs
from actors.conversation.handlers.threads import Threads
from actors.conversation.handlers.tools import Tools
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.starting import Starting
from actors.conversation_manager import contract as conversation_manager
from actors.conversation_manager.handlers import ConversationManager
from actors.firebase_bridge import client as firebase
from actors.firebase_bridge import contract as firebase_bridge
from actors.firebase_bridge.handlers import FirebaseBridge
from app.broadcast import Broadcast
from app.edge_routes import SERVED_BY_EDGE
from app.registry import Registered, Registry
from app.settings import HandlersConfig
from app.tool_servers import ToolServers
from chassis.addresses import OutgoingAddresses
from chassis.bus import BusServer
from chassis.rpc import Mode
from chassis.valkey_bus import bus_server
from gateways.auth import contract as auth
from gateways.auth.handlers.api_keys import ApiKeys as AuthApiKeys
from gateways.auth.handlers.orgs import Orgs
from gateways.llm import contract as llm
from gateways.llm.handlers.messages import MessagesGateway
from gateways.llm.handlers.threads import ThreadsGateway
from gateways.llm.tools import McpGateway
from services.api_key import contract as api_key
from services.api_key.contract import objects as api_key_objects
from services.api_key.handlers.grants import ApiKeyGrants
from services.api_key.handlers.index import ApiKeyIndex
from services.api_key.handlers.service import ApiKeys
from services.completion import contract as completion
from services.completion.handlers import Completions
from services.erasure import contract as erasure
from services.erasure.client import RestateAdmin
from services.erasure.client import open_http as open_admin
from services.erasure.handlers import Erasure
from services.openfga import contract as openfga
from services.openfga.access import Access
from services.openfga.client import OpenFgaStore
from services.openfga.handlers import OpenFGA
from services.openrouter import contract as openrouter
from services.openrouter.catalogue import Catalogue
from services.openrouter.client import OpenRouterClient
from services.openrouter.handlers import OpenRouter
from services.openrouter.http import Http
from services.openrouter.streams import ModelStreams
from services.organization import contract as organization
from services.organization.contract import objects as organization_objects
from services.organization.handlers.invitations import Invitations
from services.organization.handlers.members import Members
from services.organization.handlers.pointers import (
    OrganizationInvitations,
    OrganizationMemberships,
)
from services.organization.handlers.service import Organizations
from workflows.compaction import contract as compaction
from workflows.compaction.handlers import Compaction
from workflows.generation import contract as generation
from workflows.generation.handlers import Generation


@dataclass(frozen=True, slots=True)
class Platform:
    """All components with the parts that a process starts and stops around them."""

    registry: Registry
    bus: BusServer
    catalogue: Catalogue
    streams: ModelStreams
    authorization: OpenFgaStore
    pools: tuple[Http | httpx.AsyncClient, ...]
    tools: ToolServers


def build(config: HandlersConfig, *more: Registered) -> Platform:
    """Put the platform, and `more` beside it, together. Does no I/O: free in a test."""
    bus = bus_server(config.process.bus_path, config.process.bus_url)
    broadcast = Broadcast(bus)
    model_http = Http(config.openrouter)
    admin_http = open_admin(str(config.erasure.url))
    client = OpenRouterClient(model_http, config.openrouter)
    catalogue = Catalogue(client)
    streams = _streams(config, client, broadcast)
    authorization = OpenFgaStore(config.openfga)
    access = Access(authorization, config.openfga.remembered_seconds)
    firebase_http = firebase.open_http(config.firebase)
    gateways = [
        Registered.of(llm.component, ThreadsGateway(), MessagesGateway(), McpGateway()),
        Registered.of(auth.component, AuthApiKeys(), Orgs()),
    ]
    tools = ToolServers.of(config)
    registry = Registry(
        [
            *gateways,
            Registered.of(
                generation.component,
                Generation(streams, broadcast, config.generation, tools.calls),
            ),
            Registered.of(compaction.component, Compaction(config.compaction)),
            _conversation(config, broadcast, Accepting(catalogue, streams)),
            Registered.of(conversation_manager.component, ConversationManager()),
            Registered.of(openrouter.component, OpenRouter(catalogue)),
            Registered.of(
                firebase_bridge.component,
                FirebaseBridge(firebase.FirebaseClient(firebase_http, config.firebase)),
            ),
            Registered.of(openfga.component, OpenFGA(access)),
            *tools.registered,
            Registered.of(
                erasure.component,
                Erasure(RestateAdmin(admin_http), config.erasure),
            ),
            *_identity(config, gateways),
            Registered.of(
                completion.component, _completions(config, streams, catalogue, broadcast)
            ),
            *more,
        ],
        SERVED_BY_EDGE,
    )
    pools = (model_http, admin_http, firebase_http)
    return Platform(registry, bus, catalogue, streams, authorization, pools, tools)


def _conversation(config: HandlersConfig, hints: Broadcast, accepting: Accepting) -> Registered:
    lifecycle = Lifecycle(config.conversation, hints)
    starting = Starting(config.conversation, accepting, lifecycle)
    return Registered.of(
        conversation.component,
        Threads(accepting),
        Runs(starting, lifecycle),
        Branches(starting, lifecycle),
        Forks(lifecycle),
        Endings(lifecycle),
        Reports(lifecycle),
        Tools(config.conversation, lifecycle),
        Compactions(config.conversation, accepting, lifecycle),
        Reads(),
    )


def _identity(config: HandlersConfig, gateways: Iterable[Registered]) -> list[Registered]:
    """Keys, organizations, and the log of what is done to them."""
    addresses = OutgoingAddresses.of(config.process.outgoing_allowed_hosts)
    return [
        Registered.of(api_key.component, ApiKeys(_scopes_of_keys(gateways), addresses)),
        Registered.of(api_key_objects.index, ApiKeyIndex()),
        Registered.of(api_key_objects.grants, ApiKeyGrants()),
        Registered.of(audit_log.component, AuditLog()),
        Registered.of(organization.component, Organizations()),
        Registered.of(organization_objects.organization, Members(), Invitations()),
        Registered.of(organization_objects.membership, OrganizationMemberships()),
        Registered.of(organization_objects.invitation, OrganizationInvitations()),
    ]


def _streams(
    config: HandlersConfig, client: OpenRouterClient, broadcast: Broadcast
) -> ModelStreams:
    """The model streams of this process, with their live text on the bus."""
    streams = ModelStreams(
        client,
        limit=config.generation.streams,
        lease_seconds=config.generation.lease_seconds,
        on_delta=broadcast.on_delta,
    )
    broadcast.sent_so_far = streams.sent_so_far
    broadcast.stop = streams.stop
    return streams


def _completions(
    config: HandlersConfig, streams: ModelStreams, catalogue: Catalogue, broadcast: Broadcast
) -> Completions:
    default_model = config.conversation.default_model
    return Completions(streams, catalogue, broadcast, config.completion, default_model)


def _scopes_of_keys(gateways: Iterable[Registered]) -> frozenset[str]:
    """The scopes that some method asks of callers with a key."""
    routes = (rpc.route for each in gateways for rpc in each.component.rpcs)
    return frozenset(route.scope for route in routes if route and route.modes - {Mode.FIREBASE})

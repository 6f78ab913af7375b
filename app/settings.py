"""The settings of each process, read from the environment once."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import Field, HttpUrl

from actors.conversation.settings import ConversationSettings
from actors.firebase_bridge.settings import FirebaseSettings
from chassis import logs
from chassis.sealing import SealingKey
from chassis.settings import Section, SettingsError, load
from chassis.valkey_bus import BusUrl
from edge.settings import EdgeSettings
from services.completion.settings import CompletionSettings
from services.erasure.settings import ErasureSettings
from services.mcp.settings import McpSettings
from services.openfga.settings import OpenFgaSettings
from services.openrouter.settings import OpenRouterSettings
from workflows.compaction.settings import CompactionSettings
from workflows.generation.settings import GenerationSettings

S = TypeVar("S", bound=Section)
R = TypeVar("R")


class HandlersSettings(Section):
    """What belongs to the handlers' process itself.

    bus_path: the unix socket on which it tells edges what is new; none, and readers only poll.
    bus_url: a Valkey or Redis server in its place, where edges run on other hosts.
    restate_identity_key: the public key of our Restate, by which its requests are known.
    outgoing_allowed_hosts: hosts that tenants may name although they are private.
    preload_state: objects without a bound get their first keys with each call, which saves a wait.
        On only where Restate's `eager-state-size-limit` is set (32 KiB), else Restate would send
        a whole long thread along.
    secrets_keys: what opens the secrets that edges have sealed.
    force_replay: for tests: keep no timeouts of our own, so that each await is a replay.
    """

    bus_path: str | None = Field(default=None, validation_alias="BUS_PATH")
    bus_url: BusUrl | None = Field(default=None, validation_alias="BUS_URL")
    restate_identity_key: str | None = Field(default=None, validation_alias="RESTATE_IDENTITY_KEY")
    outgoing_allowed_hosts: tuple[str, ...] = Field(
        default=(), validation_alias="OUTGOING_ALLOWED_HOSTS"
    )
    secrets_keys: tuple[SealingKey, ...] = Field(default=(), validation_alias="SECRETS_KEYS")
    force_replay: bool = Field(default=False, validation_alias="CHASSIS_FORCE_REPLAY")
    preload_state: bool = Field(default=False, validation_alias="CHASSIS_PRELOAD_STATE")
    log_level: logs.Level = Field(default="INFO", validation_alias="LOG_LEVEL")


class RegisterSettings(Section):
    """Where `python -m app register` finds Restate, and where Restate finds the handlers."""

    restate_admin_url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:9070"), validation_alias="RESTATE_ADMIN_URL"
    )
    handlers_url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:9080"), validation_alias="HANDLERS_URL"
    )


@dataclass(frozen=True, slots=True)
class HandlersConfig:
    """Everything that the handlers' process reads."""

    process: HandlersSettings
    conversation: ConversationSettings
    generation: GenerationSettings
    openfga: OpenFgaSettings
    completion: CompletionSettings
    compaction: CompactionSettings
    openrouter: OpenRouterSettings
    firebase: FirebaseSettings
    mcp: McpSettings
    erasure: ErasureSettings

    @classmethod
    def read(cls) -> "HandlersConfig":
        """Read all sections; raises SettingsError with every mistake."""
        mistakes: list[str] = []
        config = cls(
            process=_read(HandlersSettings, mistakes),
            conversation=_read(ConversationSettings, mistakes),
            generation=_read(GenerationSettings, mistakes),
            openfga=_read(OpenFgaSettings, mistakes),
            completion=_read(CompletionSettings, mistakes),
            compaction=_read(CompactionSettings, mistakes),
            openrouter=_read(OpenRouterSettings, mistakes),
            firebase=_read(FirebaseSettings, mistakes),
            mcp=_read(McpSettings, mistakes),
            erasure=_read(ErasureSettings, mistakes),
        )
        if mistakes:
            raise SettingsError(mistakes)
        return config


def read_edge() -> EdgeSettings:
    """Read the edge's settings; raises SettingsError with every mistake."""
    # Imported here: the handlers' processes have no use for the edge.
    from app.edge_routes import SHORT_WAYS
    from edge.short_way import chosen

    settings = _read_alone(EdgeSettings)
    try:
        chosen(SHORT_WAYS, settings.short_ways)
    except ValueError as error:
        raise SettingsError([f"{error}."]) from None
    return settings


def or_end(read: Callable[[], R]) -> R:
    """What is read by a server's worker. Mistakes are told, and end it with a code of their own."""
    try:
        return read()
    except SettingsError as error:
        print(*error.mistakes, sep="\n", file=sys.stderr)
        sys.exit(2)


def read_register() -> RegisterSettings:
    """Read the settings of `register`; raises SettingsError with every mistake."""
    return _read_alone(RegisterSettings)


def read_openfga() -> OpenFgaSettings:
    """Read the settings of `authorization`; raises SettingsError with every mistake."""
    settings = _read_alone(OpenFgaSettings)
    if not settings.configured:
        raise SettingsError(["OPENFGA_API_URL: is required and not set."])
    return settings


def _read_alone(section: type[S]) -> S:
    mistakes: list[str] = []
    settings = load(section, mistakes)
    if settings is None:
        raise SettingsError(mistakes)
    return settings


def _read(section: type[S], mistakes: list[str]) -> S:
    # A section that cannot be read has left its mistakes, and then nothing is used.
    return load(section, mistakes) or section.model_construct()

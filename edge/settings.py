"""The edge's settings: `EDGE_*`, plus the addresses that it shares with other processes."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.sealing import SealingKey
from chassis.settings import Section
from chassis.valkey_bus import BusUrl

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Scope = Annotated[str, StringConstraints(pattern=r"^[a-z]+:[a-z]+$")]


def _is_rates_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("EDGE_RATES_URL must begin with redis:// or rediss://")
    return url


RatesUrl = Annotated[SecretStr, AfterValidator(_is_rates_url)]
Perhaps = Annotated[int, Field(ge=1)] | None


class SecretKeySetting(BaseModel):
    """A secret key that the operator hands out. Only the hash of the key is known here.

    sha256: hex of SHA-256 over the whole key, prefix included.
    user_id: whom the key acts as; its own service identity `svc:<key id>` when left out.
    requests_per_minute: overrides `EDGE_REQUESTS_PER_MINUTE`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: Word
    sha256: Sha256Hex
    tenant_id: Word
    scopes: frozenset[Scope]
    user_id: str | None = Field(default=None, min_length=1, max_length=256)
    requests_per_minute: Perhaps = None


class EdgeSettings(Section):
    """How this edge verifies, limits and forwards."""

    model_config = SettingsConfigDict(env_prefix="EDGE_", populate_by_name=True)

    restate_ingress_url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:8080"), validation_alias="RESTATE_INGRESS_URL"
    )
    handlers_url: HttpUrl | None = Field(default=None, validation_alias="HANDLERS_URL")
    """Where the handlers listen: lets clients hear of an outage of them in two seconds."""
    bus_path: str | None = Field(default=None, validation_alias="BUS_PATH")
    """The unix socket on which the handlers of this host tell what is new."""
    bus_url: BusUrl | None = Field(default=None, validation_alias="BUS_URL")
    """A Valkey or Redis server in its place, where edges and handlers run on several hosts."""

    outgoing_allowed_hosts: tuple[str, ...] = Field(
        default=(), validation_alias="OUTGOING_ALLOWED_HOSTS"
    )
    """Hosts that tenants may name as issuers although they are private or speak no TLS."""

    secrets_keys: tuple[SealingKey, ...] = Field(default=(), validation_alias="SECRETS_KEYS")
    """With the first, the edge seals the secrets that users send; handlers open them with any."""

    private_host: str = "127.0.0.1"
    private_port: int | None = Field(default=None, ge=0, le=65535)
    """Where /metrics and /statusz are served; nowhere when not set."""

    secret_keys: tuple[SecretKeySetting, ...] = ()

    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_jwks_uri: HttpUrl | None = None
    jwt_leeway_seconds: float = Field(default=30, ge=0, le=60)

    cors: bool = True
    """Off behind KrakenD, which answers preflights and sets the headers itself."""
    cors_origins: tuple[str, ...] = ("*",)

    requests_per_minute: int = Field(default=6000, ge=1)
    refused_credentials_per_minute: int = Field(default=300, ge=1)
    """Per address; beyond it a wrong credential is answered 429 instead of 401."""
    rates_url: RatesUrl | None = None
    """A Valkey or Redis server in which several edges count together: `redis://` or, with TLS,
    `rediss://`. None: each edge counts for itself."""
    rates_timeout_seconds: float = Field(default=0.25, gt=0)
    """After that an edge goes by its own count."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks whose X-Forwarded-For is believed."""

    short_ways: tuple[str, ...] = ()
    """Routes (`LLMGateway/SendMessage`, or `*` for all that can) that go without the gateway's
    hop: less latency and work, the same answers."""

    usage_seconds: float = Field(default=10, gt=0)
    """How often the usage of keys is handed to ApiKeyService."""

    log_level: logs.Level = Field(default="INFO", validation_alias="LOG_LEVEL")
    """At WARNING there is no line for each call."""

    api_page: bool = False
    """For development: serve a page at /docs that shows the API and can call it."""
    console: bool = False
    """For development: serve a web chat at /console."""

    body_seconds: float = Field(default=10, gt=0)
    """How long a client may take to send its body."""
    unreachable_seconds: float = Field(default=1.5, gt=0)
    """How long an ingress that cannot be reached is tried before the client gets UNAVAILABLE."""
    comment_seconds: float = Field(default=15, gt=0)
    """A comment is sent on an event stream that was silent for so long, so that it stays open."""
    drain_seconds: float = Field(default=8, ge=0)
    """How long requests in flight may take to finish after SIGTERM."""

    @model_validator(mode="after")
    def _jwt_is_whole(self) -> "EdgeSettings":
        given = [self.jwt_issuer, self.jwt_audience, self.jwt_jwks_uri]
        if any(given) and not all(given):
            raise ValueError(
                "EDGE_JWT_ISSUER, EDGE_JWT_AUDIENCE and EDGE_JWT_JWKS_URI go together: "
                "set all three or none"
            )
        return self

    @model_validator(mode="after")
    def _keys_are_distinct(self) -> "EdgeSettings":
        for attribute in ("key_id", "sha256"):
            values: list[Any] = [getattr(key, attribute) for key in self.secret_keys]
            if len(set(values)) != len(values):
                raise ValueError(f"EDGE_SECRET_KEYS has two entries with the same {attribute}")
        return self

    @property
    def jwt_leeway(self) -> timedelta:
        """How far clocks may differ."""
        return timedelta(seconds=self.jwt_leeway_seconds)

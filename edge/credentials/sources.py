"""The verifiers of one edge, put together from its settings, with what they keep open."""

from collections.abc import Sequence

from chassis.addresses import OutgoingAddresses
from edge.credentials import tokens
from edge.credentials.authenticate import Authenticator
from edge.credentials.fetching import Fetcher
from edge.credentials.grants import Grants
from edge.credentials.jwks import Jwks
from edge.credentials.publishable import PublishableKeys
from edge.credentials.secret_keys import SecretKeys
from edge.credentials.sessions import Sessions
from edge.credentials.signed import SignedTokens
from edge.credentials.tokens import IssuerTokens
from edge.platform_calls import PlatformCalls
from edge.routes import Entry
from edge.scopes import RoleScopes
from edge.settings import EdgeSettings


class Credentials:
    """Everything that verifies a credential. `authenticator` is what the edge asks."""

    def __init__(
        self, settings: EdgeSettings, entries: Sequence[Entry], calls: PlatformCalls
    ) -> None:
        # The operator names the platform's own issuer, tenants name theirs.
        self._trusted = Fetcher()
        self._checked = Fetcher(OutgoingAddresses.of(settings.outgoing_allowed_hosts))
        self._grants = Grants(calls)
        self._sessions = Sessions(calls)
        self._publishable = PublishableKeys(
            self._grants, self._checked, settings.jwt_leeway_seconds
        )
        self.jwks = _jwks(settings, self._trusted)
        self.authenticator = Authenticator(
            SecretKeys(settings.secret_keys, self._grants),
            _issuer_tokens(settings, self.jwks, RoleScopes(entries), self._sessions),
            self._publishable,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._grants.close()
        await self._sessions.close()
        await self._publishable.close()
        if self.jwks is not None:
            await self.jwks.close()
        await self._trusted.close()
        await self._checked.close()


def _jwks(settings: EdgeSettings, fetcher: Fetcher) -> Jwks | None:
    if settings.jwt_jwks_uri is None:
        return None
    return Jwks(fetcher, tokens.ALGORITHMS, url=str(settings.jwt_jwks_uri))


def _issuer_tokens(
    settings: EdgeSettings, jwks: Jwks | None, roles: RoleScopes, sessions: Sessions
) -> IssuerTokens | None:
    if jwks is None or settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    signed = SignedTokens(
        settings.jwt_issuer,
        settings.jwt_audience,
        jwks,
        settings.jwt_leeway_seconds,
        tokens.ALGORITHMS,
    )
    return IssuerTokens(signed, roles, sessions)

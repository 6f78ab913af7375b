"""Changes write the record; Apply tells Firebase; Report notes what Firebase was told."""

from datetime import datetime, timedelta

from restate import ObjectContext, ObjectSharedContext

from actors.firebase_bridge import contract
from actors.firebase_bridge.client import FirebaseClient
from actors.firebase_bridge.contract import (
    ApplyRequest,
    ApplyResponse,
    ChangeResponse,
    ClearClaimsRequest,
    ReadRequest,
    ReadResponse,
    ReportRequest,
    ReportResponse,
    RevokeSessionsRequest,
    SetClaimsRequest,
)
from actors.firebase_bridge.reasons import NOT_CONFIGURED, REQUEST_REFUSED, USER_NOT_FOUND
from actors.firebase_bridge.state import ACCOUNT, Account
from chassis.calls import send
from chassis.identity import key_segments
from chassis.serve import implements
from chassis.steps import STEP, now, step
from errors import RpcError

# Whoever waits calls Apply at once; the actor's own comes after it and finds nothing to do.
_FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=1), timedelta(hours=1)
# An hour of doubling, then every hour for a day.
_MOST_TRIES = 36
_HOPELESS = frozenset(reason.word for reason in (NOT_CONFIGURED, REQUEST_REFUSED, USER_NOT_FOUND))


class FirebaseBridge:
    """One user's claims and sessions."""

    def __init__(self, client: FirebaseClient) -> None:
        self._client = client

    @implements(contract.set_claims)
    async def set_claims(self, ctx: ObjectContext, request: SetClaimsRequest) -> ChangeResponse:
        """Let the user's tokens name this tenant and role from now on, and no others."""
        if not self._client.configured:
            raise NOT_CONFIGURED.error()
        account = await _account(ctx)
        wanted = (True, request.tenant_id, request.role)
        if account.is_late(request.tenant_id, request.tenant_revision):
            return _answer(account)
        if (account.managed, account.tenant_id, account.role) != wanted:
            account.managed, account.tenant_id, account.role = wanted
            account.revision += 1
        return self._changed(ctx, account)

    @implements(contract.clear_claims)
    async def clear_claims(self, ctx: ObjectContext, request: ClearClaimsRequest) -> ChangeResponse:
        """Let no token of the user name this tenant any more."""
        account = await _account(ctx)
        if account.is_late(request.tenant_id, request.tenant_revision):
            return _answer(account)
        if not account.managed or account.tenant_id == request.tenant_id:
            account.managed, account.tenant_id, account.role = True, "", ""
            account.revision += 1
        return self._changed(ctx, account)

    @implements(contract.revoke_sessions)
    async def revoke_sessions(
        self, ctx: ObjectContext, request: RevokeSessionsRequest
    ) -> ChangeResponse:
        """Make every sign-in so far void."""
        account = await _account(ctx)
        # Tokens tell whole seconds: the one that is running counts as before.
        since = (await now(ctx)).replace(microsecond=0) + timedelta(seconds=1)
        account.valid_since = max(since, account.valid_since or since)
        account.revision += 1
        return self._changed(ctx, account)

    @implements(contract.apply)
    async def apply(self, ctx: ObjectSharedContext, request: ApplyRequest) -> ApplyResponse:
        """Tell Firebase what is recorded, unless it knows."""
        account = await ACCOUNT.get(ctx) or Account()
        is_old = request.ticket not in (0, account.ticket)
        if is_old or account.applied == account.revision:
            return ApplyResponse()
        report = ReportRequest(revision=account.revision, ticket=request.ticket)
        try:
            await step(ctx, "apply", self._apply, bool, STEP, _user_of(ctx), account)
        except RpcError as error:
            report.failed, report.again = True, error.reason not in _HOPELESS
            send(ctx, contract.report, report, key=ctx.key())
            raise
        send(ctx, contract.report, report, key=ctx.key())
        return ApplyResponse()

    @implements(contract.report)
    async def report(self, ctx: ObjectContext, request: ReportRequest) -> ReportResponse:
        """Note what Firebase was told, and tell it again if that is not what is recorded."""
        account = await _account(ctx)
        if not request.failed:
            account.applied = request.revision
            if request.revision != account.revision:
                _apply_later(ctx, account)
        elif request.again and request.ticket == account.ticket and account.tries < _MOST_TRIES:
            account.tries += 1
            _send_apply(ctx, account)
        ACCOUNT.set(ctx, account)
        return ReportResponse()

    @implements(contract.read)
    async def read(self, ctx: ObjectSharedContext, request: ReadRequest) -> ReadResponse:
        """Read which tokens of the user count."""
        account = await ACCOUNT.get(ctx) or Account()
        return ReadResponse(
            managed=account.managed,
            tenant_id=account.tenant_id,
            role=account.role,
            valid_since=account.valid_since,
        )

    def _changed(self, ctx: ObjectContext, account: Account) -> ChangeResponse:
        if self._client.configured and account.applied != account.revision:
            _apply_later(ctx, account)
        ACCOUNT.set(ctx, account)
        return _answer(account)

    async def _apply(self, user_id: str, account: Account) -> bool:
        """Whether there was anything to tell."""
        claims = {"tenant_id": account.tenant_id, "role": account.role}
        present = {name: value for name, value in claims.items() if value}
        return await self._client.update(
            user_id,
            claims=present if account.managed else None,
            valid_since=_seconds(account.valid_since),
        )


async def _account(ctx: ObjectContext) -> Account:
    return await ACCOUNT.get(ctx) or Account()


def _apply_later(ctx: ObjectContext, account: Account) -> None:
    account.ticket += 1
    account.tries = 0
    _send_apply(ctx, account)


def _send_apply(ctx: ObjectContext, account: Account) -> None:
    delay = min(_FIRST_DELAY * 2**account.tries, _LONGEST_DELAY)
    send(ctx, contract.apply, ApplyRequest(ticket=account.ticket), key=ctx.key(), delay=delay)


def _answer(account: Account) -> ChangeResponse:
    return ChangeResponse(
        revision=account.revision,
        tenant_id=account.tenant_id,
        role=account.role,
        valid_since=account.valid_since,
    )


def _user_of(ctx: ObjectSharedContext) -> str:
    (user_id,) = key_segments(ctx.key())
    return user_id


def _seconds(at: datetime | None) -> int:
    return int(at.timestamp()) if at is not None else 0

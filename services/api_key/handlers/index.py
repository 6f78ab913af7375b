"""How a tenant's keys are kept."""

from datetime import datetime, timedelta

from restate import ObjectContext, ObjectSharedContext

from chassis.calls import send
from chassis.identity import key_segments
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.serve import implements
from chassis.state import ReadContext, get_all
from chassis.steps import new_id, now
from services.api_key import audit, changes, usage
from services.api_key.contract import (
    CreateRequest,
    KeyRequest,
    KeyResponse,
    KeyStatus,
    ListKeysRequest,
    ListKeysResponse,
    RevokeRequest,
    RotateRequest,
    UpdateRequest,
    UsageResponse,
    objects,
)
from services.api_key.contract.objects import (
    AddUsageRequest,
    AddUsageResponse,
    ChangedResponse,
    PutRequest,
    RevokePageRequest,
    RevokePageResponse,
)
from services.api_key.reasons import KEY_NOT_ACTIVE, KEY_NOT_FOUND, TOO_MANY_KEYS
from services.api_key.state import (
    HEAD,
    ISSUERS,
    KEY,
    PAGE,
    PAGE_SIZE,
    USAGE,
    Head,
    Issuers,
    KeyRecord,
    Page,
    Text,
    UsageRecord,
)

MOST_ACTIVE_KEYS = 5000
_DEFAULT_PAGE = 50
_DEFAULT_GRACE = timedelta(days=1)


class ApiKeyIndex:
    """The keys of one tenant."""

    @implements(objects.add)
    async def add(self, ctx: ObjectContext, request: CreateRequest) -> ChangedResponse:
        """Add a key."""
        head = await HEAD.get(ctx) or Head()
        if head.active >= MOST_ACTIVE_KEYS:
            raise TOO_MANY_KEYS.error()
        at = await now(ctx)
        record = KeyRecord(
            key_id=new_id(ctx, "key", at),
            settings=request.settings,
            namespace=await _namespace(ctx, request.settings.oidc and request.settings.oidc.issuer),
            texts=[Text(sha256=request.made.sha256, prefix=request.made.prefix)],
            created_at=at,
            created_by=request.created_by,
        )
        number = head.keys // PAGE_SIZE
        page = await PAGE.of(number).get(ctx) or Page()
        page.key_ids.append(record.key_id)
        PAGE.of(number).set(ctx, page)
        HEAD.set(ctx, Head(keys=head.keys + 1, active=head.active + 1))
        changed = _changed(ctx, record, at)
        permissions = " ".join(record.settings.permissions)
        audit.record(ctx, at, request.by, "api_key.created", record, permissions=permissions)
        return changed

    @implements(objects.rotate)
    async def rotate(self, ctx: ObjectContext, request: RotateRequest) -> ChangedResponse:
        """Give a key a new text; the old ones end after the grace."""
        record = await _found(ctx, request.key_id)
        at = await now(ctx)
        if record.status(at) is not KeyStatus.ACTIVE:
            raise KEY_NOT_ACTIVE.error()
        grace = _DEFAULT_GRACE if request.grace is None else request.grace
        made = Text(sha256=request.made.sha256, prefix=request.made.prefix)
        gone = changes.rotate(record, made, at, grace)
        changed = _changed(ctx, record, at, gone)
        until = f"{int(grace.total_seconds())}s"
        audit.record(ctx, at, request.by, "api_key.rotated", record, grace=until)
        return changed

    @implements(objects.update)
    async def update(self, ctx: ObjectContext, request: UpdateRequest) -> ChangedResponse:
        """Change what a key may do."""
        record = await _found(ctx, request.key_id)
        at = await now(ctx)
        if record.revoked_at is not None:
            raise KEY_NOT_ACTIVE.error()
        changes.update(record.settings, request)
        oidc = record.settings.oidc
        record.namespace = await _namespace(ctx, oidc and oidc.issuer)
        changed = _changed(ctx, record, at)
        names = " ".join(changes.named(request))
        audit.record(ctx, at, request.by, "api_key.updated", record, changed=names)
        return changed

    @implements(objects.revoke)
    async def revoke(self, ctx: ObjectContext, request: RevokeRequest) -> ChangedResponse:
        """End a key. One that is revoked stays as it is."""
        record = await _found(ctx, request.key_id)
        at = await now(ctx)
        is_news = record.revoked_at is None
        if is_news:
            record.revoked_at = at
            head = await HEAD.get(ctx) or Head()
            HEAD.set(ctx, Head(keys=head.keys, active=head.active - 1))
        changed = _changed(ctx, record, at)
        if is_news:
            why = "leaked" if request.leaked else ""
            audit.record(ctx, at, request.by, "api_key.revoked", record, why=why)
        return changed

    @implements(objects.revoke_page)
    async def revoke_page(
        self, ctx: ObjectContext, request: RevokePageRequest
    ) -> RevokePageResponse:
        """End the keys of a page; those that are over stay as they are."""
        head = await HEAD.get(ctx) or Head()
        page = await PAGE.of(request.page).get(ctx) or Page()
        records = await get_all(ctx, [KEY.of(key_id) for key_id in page.key_ids])
        at = await now(ctx)
        found = RevokePageResponse(more=(request.page + 1) * PAGE_SIZE < head.keys)
        for record in records:
            if record is not None and record.revoked_at is None:
                record.revoked_at = at
                found.puts += _changed(ctx, record, at).puts
                found.revoked += 1
                audit.record(ctx, at, request.by, "api_key.revoked", record)
        HEAD.set(ctx, Head(keys=head.keys, active=head.active - found.revoked))
        return found

    @implements(objects.get)
    async def get(self, ctx: ObjectSharedContext, request: KeyRequest) -> KeyResponse:
        """Read a key."""
        record = await _found(ctx, request.key_id)
        return KeyResponse(api_key=record.shown(await now(ctx)))

    @implements(objects.list_keys)
    async def list_keys(
        self, ctx: ObjectSharedContext, request: ListKeysRequest
    ) -> ListKeysResponse:
        """List keys, newest first. A token is the ordinal of the next key, counted from 1."""
        head = await HEAD.get(ctx) or Head()
        last = _read_token(request.page_token, head)
        first = max(1, last - (request.page_size or _DEFAULT_PAGE) + 1)
        numbers = range((first - 1) // PAGE_SIZE, (last - 1) // PAGE_SIZE + 1) if last else range(0)
        pages = await get_all(ctx, [PAGE.of(number) for number in numbers])
        ids = [key_id for page in pages if page is not None for key_id in page.key_ids]
        start = first - 1 - numbers.start * PAGE_SIZE
        wanted = ids[start : start + last - first + 1]
        records = await get_all(ctx, [KEY.of(key_id) for key_id in reversed(wanted)])
        at = await now(ctx)
        return ListKeysResponse(
            api_keys=[record.shown(at) for record in records if record is not None],
            next_page_token=str(first - 1) if first > 1 else "",
        )

    @implements(objects.usage)
    async def usage(self, ctx: ObjectSharedContext, request: KeyRequest) -> UsageResponse:
        """Read how a key was used."""
        await _found(ctx, request.key_id)
        return usage.shown(await USAGE.of(request.key_id).get(ctx) or UsageRecord())

    @implements(objects.add_usage)
    async def add_usage(self, ctx: ObjectContext, request: AddUsageRequest) -> AddUsageResponse:
        """Add what an edge has counted."""
        for key_id in dict.fromkeys(entry.key_id for entry in request.entries):
            record = await KEY.of(key_id).get(ctx)
            if record is None:
                continue
            entries = [entry for entry in request.entries if entry.key_id == key_id]
            used = await USAGE.of(key_id).get(ctx) or UsageRecord()
            usage.add(used, entries)
            USAGE.of(key_id).set(ctx, used)
            moments = [entry.last_used_at for entry in entries]
            record.last_used_at = max([*moments, record.last_used_at or moments[0]])
            KEY.of(key_id).set(ctx, record)
        return AddUsageResponse()


async def _found(ctx: ReadContext, key_id: str) -> KeyRecord:
    record = await KEY.of(key_id).get(ctx)
    if record is None:
        raise KEY_NOT_FOUND.error()
    return record


def _changed(
    ctx: ObjectContext, record: KeyRecord, at: datetime, gone: list[Text] | None = None
) -> ChangedResponse:
    """Write the record and tell every text of the key what it grants now."""
    record.revision += 1
    (tenant_id,) = key_segments(ctx.key())
    puts = [
        PutRequest(sha256=text.sha256, grant=record.grant(tenant_id, text))
        for text in (*(gone or ()), *record.texts)
    ]
    KEY.of(record.key_id).set(ctx, record)
    for each in puts:
        send(ctx, objects.put, each, key=each.sha256)
    return ChangedResponse(api_key=record.shown(at), puts=puts)


async def _namespace(ctx: ObjectContext, issuer: str | None) -> str:
    """The namespace of an issuer's users: made once, and the same for all keys that name it."""
    if not issuer:
        return ""
    issuers = await ISSUERS.get(ctx) or Issuers()
    if issuer not in issuers.namespaces:
        taken = set(issuers.namespaces.values())
        name = f"u{ctx.random().getrandbits(32):08x}"
        while name in taken:
            name = f"u{ctx.random().getrandbits(32):08x}"
        issuers.namespaces[issuer] = name
        ISSUERS.set(ctx, issuers)
    return issuers.namespaces[issuer]


def _read_token(token: str, head: Head) -> int:
    if not token:
        return head.keys
    if not (token.isascii() and token.isdecimal() and 0 < int(token) <= head.keys):
        raise PAGE_TOKEN_INVALID.error()
    return int(token)

"""The methods of API keys that the edge answers itself: those that see a key's text, and `revoke`.

For `create` and `rotate` the edge makes the key, and shows it once. What goes on to ApiKeyService
is the hash and the first characters. Its answer names the hash of the key that the call was made
with: of this one, and the key is shown; of another, and this request repeats an earlier one whose
key is gone. So nothing behind the edge ever holds a key, and a repeat cannot show one.

`revoke-leaked` is here because it is shown a key, which must not go on either. `revoke` is the one
call that `revoke-leaked` ends in; made here it goes without the gateway's hop.
"""

from typing import cast

from actors.audit_log.contract import Actor
from chassis import key_text
from chassis.identity import Caller
from edge.local import VerifiedRequest
from edge.responses import Response
from gateways.auth.contract.api_keys import (
    ApiKeyRequest,
    ApiKeyResponse,
    ApiKeysCreateRequest,
    ApiKeysRevokeLeakedRequest,
    ApiKeysRevokeLeakedResponse,
    ApiKeysRotateRequest,
)
from services.api_key import contract as api_key
from services.api_key.contract import (
    KEY_NOT_FOUND,
    CreateRequest,
    KeyRequest,
    KeyType,
    MadeKey,
    MadeKeyResponse,
    RevokeRequest,
    RotateRequest,
    objects,
)
from services.api_key.contract.objects import ReadRequest


class ApiKeys:
    """Serves the routes of keys that go without the gateway."""

    async def create(self, request: VerifiedRequest) -> Response:
        """Create an API key for the organization.

        The full key is in the answer and nowhere else; it cannot be read again, and a repeat
        with the same Idempotency-Key leaves it out. A publishable key needs `oidc`: whose users
        may use it.
        """
        asked = cast("ApiKeysCreateRequest", request.message)
        key = _new(asked.type)
        made = await request.ingress.command(
            api_key.create,
            CreateRequest(
                tenant_id=request.caller.tenant_id,
                created_by=request.caller.user_id,
                by=Actor.of(request.caller),
                settings=asked,
                made=_made(key),
            ),
        )
        return _answer(made, key)

    async def rotate(self, request: VerifiedRequest) -> Response:
        """Give a key a new text; everything else about it stays.

        The old text works until `grace` ends. The new one is in the answer and nowhere else, and
        a repeat with the same Idempotency-Key leaves it out.
        """
        asked = cast("ApiKeysRotateRequest", request.message)
        tenant_id = request.caller.tenant_id
        known = await request.ingress.call(
            api_key.get, KeyRequest(tenant_id=tenant_id, key_id=asked.key_id)
        )
        key = _new(known.api_key.type)
        made = await request.ingress.command(
            api_key.rotate,
            RotateRequest(
                tenant_id=tenant_id,
                rotated_by=request.caller.user_id,
                by=Actor.of(request.caller),
                key_id=asked.key_id,
                made=_made(key),
                grace=asked.grace,
            ),
        )
        return _answer(made, key)

    async def revoke(self, request: VerifiedRequest) -> Response:
        """End a key for good. Within ten seconds it is refused everywhere.

        A key that is revoked already stays as it is.
        """
        asked = cast("ApiKeyRequest", request.message)
        revoked = await request.ingress.command(
            api_key.revoke,
            RevokeRequest(
                tenant_id=request.caller.tenant_id,
                revoked_by=request.caller.user_id,
                by=Actor.of(request.caller),
                key_id=asked.key_id,
            ),
        )
        return Response(200, ApiKeyResponse(result=revoked.api_key).to_json())

    async def revoke_leaked(self, request: VerifiedRequest) -> Response:
        """End a key of any organization by its own text: whoever holds it can do worse.

        For a key that was found in a log or a repository. Within ten seconds it is refused
        everywhere, and its organization sees who reported it.
        """
        asked = cast("ApiKeysRevokeLeakedRequest", request.message)
        if not key_text.is_whole(asked.key):
            raise KEY_NOT_FOUND.error()
        digest = key_text.hash_of(asked.key)
        known = (await request.ingress.call(objects.read, ReadRequest(), key=digest)).grant
        if known is None:
            raise KEY_NOT_FOUND.error()
        revoked = await request.ingress.command(
            api_key.revoke,
            RevokeRequest(
                tenant_id=known.tenant_id,
                revoked_by=request.caller.user_id,
                by=_finder(request.caller, known.tenant_id),
                key_id=known.key_id,
                leaked=True,
            ),
        )
        shown = revoked.api_key
        answer = ApiKeysRevokeLeakedResponse(
            key_prefix=key_text.shown(asked.key), status=shown.status, revoked_at=shown.revoked_at
        )
        return Response(200, answer.to_json())


def _finder(caller: Caller, tenant_id: str) -> Actor:
    """Who found the key; of somebody from elsewhere the organization learns no more than the id."""
    if caller.tenant_id == tenant_id:
        return Actor.of(caller)
    return Actor(user_id=caller.user_id, request_id=caller.request_id)


def _new(kind: KeyType) -> str:
    publishable = kind is KeyType.PUBLISHABLE
    return key_text.new(key_text.PUBLISHABLE if publishable else key_text.SECRET)


def _made(key: str) -> MadeKey:
    return MadeKey(sha256=key_text.hash_of(key), prefix=key_text.shown(key))


def _answer(made: MadeKeyResponse, key: str) -> Response:
    shown = made.api_key
    if made.sha256 == key_text.hash_of(key):
        shown.key = key
    return Response(200, ApiKeyResponse(result=shown).to_json())

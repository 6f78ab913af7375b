"""`orgs/invite-member` and `orgs/accept-invitation`: the edge makes the token and takes it back.

An invitation's token is a secret like a key: what goes on is its hash, and it is shown once.
"""

from typing import cast

from actors.audit_log.contract import Actor
from chassis import key_text
from edge.local import VerifiedRequest
from edge.responses import Response
from gateways.auth.contract import orgs
from gateways.auth.contract.orgs import (
    AcceptInvitationRequest,
    OrgsAcceptInvitationRequest,
    OrgsInvitationResponse,
    OrgsInviteMemberRequest,
)
from services.organization import contract as organization
from services.organization.contract import INVITATION_NOT_FOUND, InviteRequest


class InvitationMaker:
    """Serves the routes that handle invitations' tokens."""

    async def invite(self, request: VerifiedRequest) -> Response:
        """Invite somebody to the organization.

        The token is in the answer and nowhere else: pass it on, accept-invitation takes it. A
        repeat with the same Idempotency-Key leaves it out.
        """
        asked = cast("OrgsInviteMemberRequest", request.message)
        token = key_text.new(key_text.INVITATION)
        made = await request.ingress.command(
            organization.invite,
            InviteRequest(
                tenant_id=request.caller.tenant_id,
                by=Actor.of(request.caller),
                email=asked.email,
                role=asked.role,
                lifetime=asked.expires_in,
                sha256=key_text.hash_of(token),
            ),
        )
        shown = made.invitation
        if made.sha256 == key_text.hash_of(token):
            shown.token = token
        return Response(200, OrgsInvitationResponse(invitation=shown).to_json())

    async def accept(self, request: VerifiedRequest) -> Response:
        """Accept an invitation: the caller belongs to its organization from now on.

        Fetch a new token afterwards: those that were issued before do not name the organization. A
        user belongs to one organization at a time. Repeating the call is safe.
        """
        asked = cast("OrgsAcceptInvitationRequest", request.message)
        if not key_text.is_whole_invitation(asked.token):
            raise INVITATION_NOT_FOUND.error()
        digest = key_text.hash_of(asked.token)
        joined = await request.ingress.command(
            orgs.accept_invitation, AcceptInvitationRequest(sha256=digest)
        )
        return Response(200, joined.to_json())

"""Organizations on the fake platform: people who found, invite, join and leave."""

from typing import Any

import pytest

from actors.audit_log import contract as audit_log
from actors.audit_log.contract import Actor, Entry
from actors.audit_log.handlers import AuditLog
from chassis import key_text
from chassis.identity import object_key
from errors import RpcError
from services.organization import contract
from services.organization.contract import (
    AcceptRequest,
    CreateRequest,
    Invitation,
    InviteRequest,
    ListRequest,
    MemberResponse,
    RemoveRequest,
    SetRoleRequest,
    objects,
)
from services.organization.handlers.invitations import Invitations
from services.organization.handlers.members import Members
from services.organization.handlers.pointers import (
    OrganizationInvitations,
    OrganizationMemberships,
)
from services.organization.handlers.service import Organizations
from tests.support.fake_platform import FakePlatform


def serve(platform: FakePlatform) -> None:
    """The service with its objects, and the audit log."""
    platform.serve(contract.component, Organizations())
    platform.serve(objects.organization, Members(), Invitations())
    platform.serve(objects.membership, OrganizationMemberships())
    platform.serve(objects.invitation, OrganizationInvitations())
    platform.serve(audit_log.component, AuditLog())


def person(user_id: str) -> Actor:
    """Somebody with an address of their own."""
    return Actor(user_id=user_id, email=f"{user_id}@example.com", address="203.0.113.7")


class People:
    """What people do with one organization, which `found` makes."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.tenant_id = ""
        serve(platform)

    async def found(self, user_id: str = "olga", name: str = "Socayo") -> MemberResponse:
        """An organization of somebody's, from now on the one that is meant."""
        request = CreateRequest(by=person(user_id), name=name)
        made = await self.platform.call(contract.create, request)
        self.tenant_id = made.organization.tenant_id
        return made

    async def invite(
        self, email: str = "", role: str = "member", by: str = "olga", **more: Any
    ) -> tuple[Invitation, str]:
        """An invitation and its token."""
        token = key_text.new(key_text.INVITATION)
        request = InviteRequest(
            tenant_id=self.tenant_id,
            by=person(by),
            email=email,
            role=role,
            sha256=key_text.hash_of(token),
            **more,
        )
        made = await self.platform.call(contract.invite, request)
        assert made.sha256 == key_text.hash_of(token)
        return made.invitation, token

    async def accept(self, token: str, user_id: str) -> MemberResponse:
        """Follow an invitation."""
        request = AcceptRequest(by=person(user_id), sha256=key_text.hash_of(token))
        return await self.platform.call(contract.accept, request)

    async def join(self, user_id: str, role: str = "member") -> MemberResponse:
        """Be invited and accept."""
        _, token = await self.invite(role=role)
        return await self.accept(token, user_id)

    async def set_role(self, user_id: str, role: str, by: str = "olga") -> MemberResponse:
        """Give somebody a role."""
        request = SetRoleRequest(
            tenant_id=self.tenant_id, by=person(by), user_id=user_id, role=role
        )
        return await self.platform.call(contract.set_role, request)

    async def remove(self, user_id: str, by: str = "olga") -> MemberResponse:
        """Remove somebody; who removes themselves leaves."""
        request = RemoveRequest(tenant_id=self.tenant_id, by=person(by), user_id=user_id)
        return await self.platform.call(contract.remove, request)

    async def roles(self) -> dict[str, str]:
        """The members and their roles."""
        request = ListRequest(tenant_id=self.tenant_id)
        found = await self.platform.call(contract.list_members, request)
        return {each.user_id: each.role for each in found.members}

    async def log(self, tenant_id: str = "") -> list[Entry]:
        """The audit log, oldest first."""
        await self.platform.settle()
        key = object_key(tenant_id or self.tenant_id)
        found = await self.platform.call(
            audit_log.list_entries, audit_log.ListRequest(page_size=200), key=key
        )
        return found.entries[::-1]


async def refused(call: Any) -> RpcError:
    """The error that a call ends with."""
    with pytest.raises(RpcError) as failure:
        await call
    return failure.value

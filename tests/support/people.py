"""People with tokens of the development issuer, who found organizations and join them."""

import uuid
from typing import Any

from tests.support.stack import Answer, RunningStack


class Person:
    """Somebody who signs in; their token claims what Firebase was told, as of the last refresh."""

    def __init__(self, stack: RunningStack, name: str) -> None:
        self.stack = stack
        self.user_id = f"{name}-{uuid.uuid4().hex[:8]}"
        self.email = f"{self.user_id}@example.com"
        self.token = ""

    async def refresh(self) -> None:
        """Sign in anew."""
        self.token = await self.stack.token(sub=self.user_id, email=self.email)

    async def call(self, path: str, body: Any = None, **headers: str) -> Answer:
        """A method with the person's token."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.stack.call(path, body, token=self.token, headers=named)

    async def found(self, name: str = "Socayo") -> str:
        """An organization of their own, which the token claims afterwards; its tenant id."""
        made = await self.call("orgs/create", {"name": name})
        assert made.status == 200, made.body
        await self.refresh()
        return made.body["organization"]["tenantId"]


async def newcomer(stack: RunningStack, name: str) -> Person:
    """Somebody who belongs to no organization."""
    person = Person(stack, name)
    await person.refresh()
    return person


async def with_members(stack: RunningStack, *roles: str) -> list[Person]:
    """An organization of people with these roles; the first one founded it, as its owner."""
    founder = await newcomer(stack, roles[0])
    await founder.found()
    people = [founder]
    for role in roles[1:]:
        made = await founder.call("orgs/invite-member", {"role": role})
        person = await newcomer(stack, role)
        token = made.body["invitation"]["token"]
        joined = await person.call("orgs/accept-invitation", {"token": token})
        assert joined.status == 200, joined.body
        await person.refresh()
        people.append(person)
    return people


def refused_with(answer: Answer) -> tuple[int, str]:
    """Status and reason of a refusal."""
    assert "error" in answer.body, answer.body
    return answer.status, answer.body["error"]["details"]["reason"]

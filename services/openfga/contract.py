"""What OpenFGAService offers: write who may do what, ask for it, and list what one may see.

Everything is said within one tenant: names of another tenant cannot be expressed. Relations are
written (`viewer`), permissions are asked for (`can_view`), so that the model can change without its
callers. The model is `model.fga`.
"""

from typing import Annotated

from pydantic import Field

from chassis.message import Message, ProtoEnum
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from services.openfga.reasons import CALL_REASONS

__all__ = ["CALL_REASONS"]

TenantId = Annotated[str, Field(min_length=1, max_length=128)]
UserId = Annotated[str, Field(min_length=1, max_length=256)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,49}$")]
Permission = Annotated[str, Field(pattern=r"^can_[a-z_]{1,45}$")]
Role = Annotated[str, Field(pattern=r"^(owner|admin|member)?$")]

MOST_TUPLES = 100
MOST_QUESTIONS = 50


class EntityType(ProtoEnum):
    """The types of the model."""

    ENTITY_TYPE_UNSPECIFIED = 0
    USER = 1
    TENANT = 2
    FOLDER = 3
    FILE = 4
    CONVERSATION = 5
    DEPLOYMENT = 6


class Entity(Message):
    """Somebody or something of the tenant.

    id: of a user at most 256 characters, of anything else what fits in 200 bytes together with the
        tenant's id, both percent-encoded; empty for the tenant itself.
    """

    type: EntityType = EntityType.ENTITY_TYPE_UNSPECIFIED
    id: str = Field(default="", max_length=256)


class Tuple(Message):
    """`subject` is `relation` of `object`.

    subject_relation: for a subject that stands for several: `member` with the tenant is everybody.
    """

    subject: Entity
    subject_relation: Word | None = None
    relation: Word
    object: Entity


class WriteTuplesRequest(Message):
    """Tuples that are to be there, all or none of them."""

    tenant_id: TenantId
    tuples: list[Tuple] = Field(min_length=1, max_length=MOST_TUPLES)


class WriteTuplesResponse(Message):
    """They are there."""


class DeleteTuplesRequest(Message):
    """Tuples that are to be gone, all or none of them."""

    tenant_id: TenantId
    tuples: list[Tuple] = Field(min_length=1, max_length=MOST_TUPLES)


class DeleteTuplesResponse(Message):
    """They are gone."""


class Asker(Message):
    """Who wants to know what they may do.

    role: of a member of the tenant; it is not written as a tuple, so it ends with the membership.
        Empty for users who are no members, such as those of a publishable key.
    """

    tenant_id: TenantId
    user_id: UserId
    role: Role = ""


class Question(Message):
    """May the asker do this with that?

    owner_id: who owns the object by the caller's own records. The owner may do everything, and is
        answered without OpenFGA; empty where the caller does not know.
    """

    permission: Permission
    object: Entity
    owner_id: str = Field(default="", max_length=256)


class CheckRequest(Message):
    """One question.

    fresh: nothing that was remembered, for who has to see what another process has just written.
        What this process wrote is seen at once anyway.
    """

    asker: Asker
    question: Question
    fresh: bool = False


class CheckResponse(Message):
    """False for everything that nobody has allowed."""

    allowed: bool = False


class BatchCheckRequest(Message):
    """Several questions of one asker."""

    asker: Asker
    questions: list[Question] = Field(min_length=1, max_length=MOST_QUESTIONS)
    fresh: bool = False


class BatchCheckResponse(Message):
    """An answer for each question, in their order."""

    allowed: list[bool] = Field(default_factory=list[bool])


class ListObjectsRequest(Message):
    """Everything of a type that the asker may do this with: "shared with me"."""

    asker: Asker
    permission: Permission
    type: EntityType
    fresh: bool = False


class ListObjectsResponse(Message):
    """Ids in no order.

    truncated: there may be more; OpenFGA stops at 1,000 or after three seconds.
    """

    ids: list[str] = Field(default_factory=list[str])
    truncated: bool = False


component = Component(name="OpenFGAService", kind=Kind.SERVICE, retries=REQUEST)

write_tuples = component.rpc(
    "WriteTuples", WriteTuplesRequest, WriteTuplesResponse, errors=CALL_REASONS
)
delete_tuples = component.rpc(
    "DeleteTuples", DeleteTuplesRequest, DeleteTuplesResponse, errors=CALL_REASONS
)
check = component.rpc("Check", CheckRequest, CheckResponse, errors=CALL_REASONS)
batch_check = component.rpc(
    "BatchCheck", BatchCheckRequest, BatchCheckResponse, errors=CALL_REASONS
)
list_objects = component.rpc(
    "ListObjects", ListObjectsRequest, ListObjectsResponse, errors=CALL_REASONS
)

"""Messages about branches: answering anew, editing, and going from one to another."""

from pydantic import Field

from actors.conversation.contract.run import RunStatus, UserMessage
from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from chassis.message import Int32, Message, ProtoEnum, Timestamp, UInt32


class BranchKind(ProtoEnum):
    """How a branch began. The one that every thread begins with, `main`, has none."""

    BRANCH_KIND_UNSPECIFIED = 0
    REGENERATE = 1
    EDIT = 2


class Branch(Message):
    """One way that a thread went.

    parent_branch_id: the branch that it left.
    message_id: the user's message that it answers anew, or that it has in another wording.
    active: new messages go here, and conversation-state shows it.
    """

    branch_id: str = ""
    parent_branch_id: str = ""
    message_id: str = ""
    kind: BranchKind = BranchKind.BRANCH_KIND_UNSPECIFIED
    created_at: Timestamp | None = None
    active: bool = False


class RegenerateRequest(Message):
    """Answer a user's message anew: the named one, or the one that the named answer is to."""

    message_id: str
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class EditMessageRequest(Message):
    """Say a user's message in other words, and answer that."""

    message_id: str
    user_message: UserMessage
    client_message_id: str = Field(default="", max_length=128)
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class BranchedResponse(Message):
    """The run that was started or queued, and the branch that it began, now the active one.

    message_id: the user's message that is answered.
    last_sequence: the newest event that the acceptance brought; what follows comes after it.
    """

    run_id: str = ""
    status: RunStatus = RunStatus.RUN_STATUS_UNSPECIFIED
    message_id: str = ""
    branch_id: str = ""
    last_sequence: UInt32 = 0


class ChooseBranchRequest(Message):
    """Which branch."""

    branch_id: str


class ListBranchesRequest(Message):
    """A page of branches, newest first."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class ListBranchesResponse(Message):
    """Branches, newest first; `main` is the last."""

    branches: list[Branch] = Field(default_factory=list[Branch])
    next_page_token: str = ""

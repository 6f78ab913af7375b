"""Messages, runs and branches, as clients call them."""

from restate import Context

from actors.conversation.contract.branch import Branch, BranchedResponse, ListBranchesResponse
from actors.conversation.contract.run import (
    ListMessagesResponse,
    ListRunsResponse,
    Run,
    SendMessageResponse,
)
from chassis.calls import Relayed, call, make
from chassis.identity import Caller
from chassis.serve import implements
from gateways.llm import contract, targets
from services.openrouter import contract as openrouter
from services.openrouter.contract import ListModelsRequest, ListModelsResponse


class MessagesGateway:
    """What is said in threads, and the models that answer."""

    @implements(contract.send_message)
    async def send_message(
        self, ctx: Context, request: contract.PublicSendMessageRequest
    ) -> Relayed[SendMessageResponse]:
        """Append a message and start a run that answers it.

        The answer comes at once, with the run's id; read what the model says with pull-events,
        stream-events or conversation-state. What happens while another run of the thread is
        active is the interrupt policy of the message, or else of the thread: it waits
        (`QUEUED`; at most 100 wait), is refused, or ends that run. A repeated
        `client_message_id` answers the run that it started before.
        """
        return await make(ctx, targets.send_message(_caller(ctx), request))

    @implements(contract.list_messages)
    async def list_messages(
        self, ctx: Context, request: contract.PublicListMessagesRequest
    ) -> Relayed[ListMessagesResponse]:
        """List the messages of a thread from either end.

        Those of the active branch, unless `branch_id` names another.
        """
        return await make(ctx, targets.list_messages(_caller(ctx), request))

    @implements(contract.regenerate)
    async def regenerate(
        self, ctx: Context, request: contract.PublicRegenerateRequest
    ) -> Relayed[BranchedResponse]:
        """Answer a message anew.

        `message_id` names a user's message, or the answer to it. The new answer begins a branch,
        which is the active one from then on; the old branch stays readable. While a run is
        active the interrupt policy decides, as for `send-message`.
        """
        return await make(ctx, targets.regenerate(_caller(ctx), request))

    @implements(contract.edit_message)
    async def edit_message(
        self, ctx: Context, request: contract.PublicEditMessageRequest
    ) -> Relayed[BranchedResponse]:
        """Say a message of the user in other words and answer that.

        The edited message begins a branch, which is the active one from then on; the old branch
        stays readable. While a run is active the interrupt policy decides, as for `send-message`.
        """
        return await make(ctx, targets.edit_message(_caller(ctx), request))

    @implements(contract.choose_branch)
    async def choose_branch(self, ctx: Context, request: contract.BranchRequest) -> Relayed[Branch]:
        """Make a branch the active one.

        `conversation-state` shows the active branch, and new messages continue it. Runs answer
        in the branch in which they were started.
        """
        return await make(ctx, targets.choose_branch(_caller(ctx), request))

    @implements(contract.list_branches)
    async def list_branches(
        self, ctx: Context, request: contract.PublicListBranchesRequest
    ) -> Relayed[ListBranchesResponse]:
        """List the branches of a thread, newest first; `main` is the one that it began with."""
        return await make(ctx, targets.list_branches(_caller(ctx), request))

    @implements(contract.get_run)
    async def get_run(self, ctx: Context, request: contract.RunRequest) -> Relayed[Run]:
        """Read a run: status, attempts, model, tokens, cost, times, error."""
        return await make(ctx, targets.get_run(_caller(ctx), request))

    @implements(contract.list_runs)
    async def list_runs(
        self, ctx: Context, request: contract.PublicListRunsRequest
    ) -> Relayed[ListRunsResponse]:
        """List the runs of a thread, newest first."""
        return await make(ctx, targets.list_runs(_caller(ctx), request))

    @implements(contract.cancel_run)
    async def cancel_run(self, ctx: Context, request: contract.RunRequest) -> Relayed[Run]:
        """Stop a run.

        The upstream call is closed within a second and the partial answer is kept, marked. A
        queued run is cancelled at once. A run that has ended stays as it is.
        """
        return await make(ctx, targets.cancel_run(_caller(ctx), request))

    @implements(contract.list_models)
    async def list_models(self, ctx: Context, request: ListModelsRequest) -> ListModelsResponse:
        """List the models that runs may use."""
        return await call(ctx, openrouter.list_models, request)


def _caller(ctx: Context) -> Caller:
    return Caller.from_headers(ctx.request().headers)

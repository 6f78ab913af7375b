"""Waiting without holding one of Restate's invocation slots.

Restate suspends a handler that waits when its inactivity timeout is over. Where that has to be
long (a stop must reach a silent model's run), a handler that merely sleeps would hold its slot for
just as long, and enough of them leave no slot for anything else.
"""

from restate.server_context import ServerInvocationContext

from chassis.calls import AnyContext


def free_slot(ctx: AnyContext) -> None:
    """Suspend at the next wait that is not over yet; the handler then runs again from its journal.

    Does what Restate does when the timeout is over: it closes the handler's input. The SDK has no
    public way, therefore its version is pinned and the test of the limit of streams covers this.
    """
    if isinstance(ctx, ServerInvocationContext):
        ctx.vm.notify_input_closed()

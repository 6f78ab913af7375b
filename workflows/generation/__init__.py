"""GenerationWorkflow: one run of a model over a thread, from its context to its answer.

Owns: the run's stream while it lasts, and its durable chunks so far.

Key: the run id, made by ConversationActor; a run is generated once, whatever is sent twice.

State (eager, small: the text of one answer): `chunk:<n>`, what the model said and when it
started anew; cleared when the run ends, because the thread has the answer then. Promises: the
stop, and the decision about each call that a person has to approve.

Called by: ConversationActor (one-way: Run, Stop, ResolveApproval); the edge (Partial).

Calls: ConversationActor BeginRun (where Run brought no work, because no stream was free) and
ReportToolCalls (awaited), ReportRetrying, ReportToolResult and FinishRun (one-way); MCPService
Offer (awaited); the model's stream and calls of tools through parts of their owners that live in
this process, because durable steps read and wait there.

Retries: LONG_RUNNING: what fails here is a bug or a crash; it is paused for an operator, and the
thread's watchdog settles the run meanwhile.

Failure: after an upstream failure the next fallback model is asked; the last model is asked again
while the failure's code is retryable and the bound is not spent; then the run ends FAILED with
the upstream's code. An answer of another form than was asked for is asked for once more, then
FAILED / answer.format_invalid. A run whose budget is spent ends FAILED / budget.spent. Both keep
what was said. A run that asks for tools too often ends FAILED / run.tool_rounds_spent. Older
messages that its model cannot take are left out (fitting.py). Stop, by a client or an operator,
ends it CANCELLED within a second and keeps the partial answer.
"""

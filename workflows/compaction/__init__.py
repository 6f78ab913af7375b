"""CompactionWorkflow: the older messages of one thread summarised, piece by piece.

Owns: the summary while it is made. A piece is as much as the model can take; each next one is
summarised together with the summary so far, so a long history is never in memory as a whole.

Key: the compaction id, made by ConversationActor.

State: none; the promise `done` has how it ended, for whoever waits.

Called by: ConversationActor (one-way: Run, Abandon); LLMGateway (Outcome).

Calls: ConversationActor ReadCompacted and FinishCompaction (awaited); CompletionService Complete
(awaited), which asks the model, tries again, and survives the death of a process.

Retries: LONG_RUNNING: what fails here is a bug or a crash; it is paused for an operator, and the
thread lets another compaction begin after the deadline.

Failure: that of the model, unchanged, or compaction.empty where it gave no summary; the thread is
as it was. A summary that comes after another compaction has begun is not recorded, and answered
compaction.superseded. Who waits for a compaction that was lost gets DEADLINE_EXCEEDED /
compaction.lost.
"""

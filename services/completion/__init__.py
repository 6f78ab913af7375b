"""CompletionService: one answer of a model, without a thread.

Owns: the completion while it lasts: its attempts, its place among the streams, its answer.

Called by: the edge (Complete), for `complete` and `stream-complete`; it names the topic of the bus
on which it follows. CompactionWorkflow (Complete), which follows none and has each kept to its end.

Calls: nobody; OpenRouter through the process-local streams that durable steps read by offset.

Retries: REQUEST: a client waits.

Failure: an upstream failure is tried again while its code is retryable and the bound is not spent;
then it is the answer. An answer of another form than was asked for is asked for once more, then
refused with answer.format_invalid; a budget without a token left is refused with budget.spent.
A completion that nobody follows any more and nobody can ask for again is
ended, and its upstream connection closed; CANCELLED / completion.abandoned is then heard by
nobody. When a process dies, the model is asked again as the next attempt.
"""

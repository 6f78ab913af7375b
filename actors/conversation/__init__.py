"""ConversationActor: one thread, its messages, its runs and its events.

Owns: the thread's record, the ordered log of everything that happened in it, the runs and the
queue of waiting ones. It decides which run is active and what a report of a run may change.

Key: `tenant/user/conversation_key`, each segment percent-encoded, so that the same
conversation_key of two users names two threads and nobody can reach another's.

State (lazy, because the history of a thread has no bound):
- `head`: the small record that every command reads and writes;
- `log:<page>`: 16 entries a page, one entry for each event; messages live inside the entry of
  the event that brought them, so appending and reading the newest page cost the same at message
  10 and 10,000;
- `content:<sequence>`: the content of an entry that is too large for its page;
- `run:<run id>`: the record of one run; kept as long as the thread;
- `sent:<client message id>`: what a client's own message id was used for.

Called by: LLMGateway; GenerationWorkflow (BeginRun awaited, reports one-way); the edge
(ReadEvents).

Calls: nobody. Sends one-way to GenerationWorkflow (start and stop a run),
ConversationManagerActor (activity) and itself (CheckRun, the watchdog of runs).

Retries: SINGLETON: a paused call would block the thread for ever.

Failure: a refused command changes nothing. A run that is lost (its workflow killed or paused, its
process gone) is settled FAILED / run.lost by the watchdog and the queue goes on; a cancel that
the workflow cannot answer is settled here.
"""

"""ConversationActor: one thread, its messages, its runs and its events.

Owns: the thread's record, the ordered log of everything that happened in it, the runs and the
queue of waiting ones. It decides which run is active and what a report of a run may change.

Key: `tenant/user/conversation_key`, each segment percent-encoded, so that the same
conversation_key of two users names two threads and nobody can reach another's.

State (read key by key, but for the head, because the history of a thread has no bound):
- `head`: the one record that every command reads and writes; the newest entries of the log, the
  active run and the waiting ones are in it;
- `log:<page>`: full pages of 16 entries, one entry for each event, written again only when a
  message in them is rolled back. Messages live inside the entry of the event that brought them,
  so appending and reading the newest page cost the same at message 10 and 10,000;
- `text:<sequence>`: the content of an entry that is too large for its page;
- `run:<run id>`: the record of a settled run; kept as long as the thread;
- `message:<message id>`: where a message stands in the log;
- `offshoot:<number>` (a branch), `piece:<number>`, `tip:<branch>`: the ways that the thread went
  (path.py); the newest piece of the active branch is in the head;
- `tool_approval:<approval id>`: a call of a tool that a person decides, or decided;
- `tool_result:<result id>`: the whole of a tool's result, where the model reads less of it;
- `summary:<number>`: the text that stands for older messages in the context of runs; the head has
  the places up to which the newest eight do (context.py), and those before them are cleared;
- `summaries`: the newest compactions;
- `sent:<client message id>`: what a client's own message id was used for.

Called by: LLMGateway; GenerationWorkflow (BeginRun and ReportToolCalls awaited, other reports
one-way); CompactionWorkflow (ReadCompacted and FinishCompaction, awaited); the edge (ReadEvents,
and what EDGE_SHORT_WAYS names).

Calls: nobody. Which models there are and whether a stream is free it learns in the one step that
accepts a command, from parts of OpenRouterService that live in this process (acceptance.py).
Sends one-way to GenerationWorkflow (start and stop a run, hand on a decision), CompactionWorkflow
(summarise older messages, after a run whose context was nearly full, so that no turn waits for
that; give up when the thread is deleted), ConversationManagerActor (activity) and itself (CheckRun,
the watchdog of runs; ExpireApproval).

Retries: SINGLETON: a paused call would block the thread for ever.

A thread that is being deleted (`closed`) or copied (`copying`) is there for nobody.

Failure: a refused command changes nothing. A run that is lost (its workflow killed or paused, its
process gone) is settled FAILED / run.lost by the watchdog and the queue goes on; a cancel that
the workflow cannot answer is settled here. A compaction that fails leaves the thread as it was; one
that is lost keeps others from beginning until its deadline.
"""

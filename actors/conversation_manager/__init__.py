"""ConversationManagerActor: one user's list of threads, newest activity first.

Owns: which threads a user has, and the order of their last activity.

Key: `tenant/user`, each segment percent-encoded: a list belongs to one user.

State (lazy, because a user may have any number of threads):
- `head`: the newest shelves' numbers and the count of threads;
- `thread:<conversation_key>`: name, times, and the shelf on which the thread stands now;
- `shelf:<number>`: up to 50 threads with their last activity, oldest first; shelves are linked
  both ways, and one that empties is unlinked. A thread stands on one shelf only and moves to the
  newest when something happens in it, so the newest page costs the same with any number of
  threads and no entry is ever stale. Archived threads stand in a row of shelves of their own.

Called by: LLMGateway (Register, Update, Remove, List); ConversationActor (Touch, one-way).

Calls: nobody.

Retries: SINGLETON: a paused call would block the user's list for ever.

Failure: registering is idempotent, so repeating a create-thread repairs one that stopped halfway.
"""

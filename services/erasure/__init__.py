"""ErasureService: the one component that may speak to Restate's admin port.

Owns: nothing; it erases what Restate keeps of an object beside the object's own state: finished
invocations with their journals, which hold what users wrote, and reminders that have not come.

Called by: LLMGateway (Purge, as a part of delete-thread).

Calls: nobody; Restate's admin API over HTTP (client.py).

Retries: REQUEST for bugs; an admin port that does not answer is a value of a step.

Failure: UNAVAILABLE / erasure.unreachable or erasure.busy; what was erased stays
erased, and a repeat goes on with the rest.
"""

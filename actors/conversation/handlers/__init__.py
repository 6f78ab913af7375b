"""How a conversation behaves, for clients: threads.py, runs.py, branches.py, reads.py; for
the workflow: reports.py; for the gateway, which copies and deletes: forks.py, endings.py.

Each file has one class; together they implement the contract of ConversationActor.
"""

"""How a conversation behaves, for clients: threads.py, runs.py, branches.py, reads.py; for
clients and the workflow of a run: tools.py; for that workflow: reports.py; for the gateway, which
copies and deletes: forks.py, endings.py; for the gateway and the workflow of a compaction:
compactions.py.

Each file has one class; together they implement the contract of ConversationActor.
"""

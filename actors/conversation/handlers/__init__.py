"""How a conversation behaves: threads.py, runs.py (clients), reports.py (the workflow), reads.py.

Each file has one class; together they implement the contract of ConversationActor.
"""

"""The soak: the whole platform under load for an hour while everything that can go wrong does.

`make soak` starts a stack of its own, writes and reads like clients do, kills and freezes its
processes, spoils what the model answers, and holds what came of it to the promises: no message
lost, doubled or reordered, every accepted one answered once or its run settled with an error, no
dangerous tool called twice, every reader sees every event once. Afterwards come generated calls.
The report is a folder.

- `options.py`: how long and how much; `run.py`: the order of things;
- `client.py`, `writers.py`, `readers.py`: the load, which keeps in `history.py` what it was told;
- `notebook.py`: the tools that models call, and what these were really asked to do;
- `trouble.py`: kills and faults of the vendor;
- `checks.py`: the promises, as functions over one thread; `audit.py` asks the platform for it;
- `curves.py`: memory, processor and disk; `tables.py`, `pictures.py`, `report.py`: the page;
- `generated.py`: the generated calls of `tests/contract`, as a phase.
"""

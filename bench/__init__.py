"""The benchmark: what the platform costs, as ratios measured in one run on one machine.

`make bench` starts a stack of its own, measures every row in interleaved rounds against a no-op
handler called directly at Restate's ingress, and writes `docs/benchmarks.md`. Absolute numbers
belong to the machine; the ratios are the part to trust and to compare.

- `components.py`: the no-op gateway and the single durable step, beside the platform's own;
- `model.py`: a model that answers at once, or over ten seconds;
- `load.py`: closed-loop load, from wrk where Python would measure itself;
- `measures.py`, `history.py`, `tools.py`, `identity.py`, `live.py`: one function for each row;
- `run.py`: rounds of them; `report.py`: the page;
- `compare.py`: two commits against each other (`make compare A=main B=HEAD`).
"""

"""Local cloud: one process with doubles of the hosted vendors and the switchboard of their faults.

    python -m devstack.cloud --port 8090

Each vendor is an ASGI application under a path of its own: `/openrouter`, `/issuer`, `/firebase`,
`/toolbox`. In front of each stands `faults.py`, which spoils what the vendor answers as the
switchboard says: `/` is its page for people, `/faults` the same as JSON. Paths below
`<vendor>/control/` are never spoiled: they are how tests speak to the double itself. Where the
local model runs, chats with it go to llama.cpp (`local_model.py`) and everything else to the
scripted double.
"""

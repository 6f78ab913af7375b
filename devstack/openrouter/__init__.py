"""A double of OpenRouter: a real HTTP server that says what a test told it to say.

    python -m devstack.openrouter --port 8090

`/api/v1/chat/completions` and `/api/v1/models` behave like the vendor; without a script the answer
is made from the last user message, which may ask for tools that the call offers, a line for each:

    call toolbox__add {"a": 1, "b": 2}

`/control/*` scripts answers and faults, opens gates, and tells
what was really sent to whom (`control.py` is its client, `messages.py` its vocabulary). A stream
waits at a gate after a chosen token, so tests wait for conditions and never sleep.
"""

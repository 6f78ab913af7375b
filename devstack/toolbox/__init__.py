"""A tool server of our own: real Model Context Protocol, with tools that do what tests need.

It is part of the local cloud, at `/toolbox/mcp`, behind the switchboard's faults like a vendor, and
speaks both generations of the protocol (`server.py`, on the official library). `tools.py` is what
it offers; `/toolbox/control/*` tells what was called and opens gates at which calls wait
(`control.py` is its client).
"""

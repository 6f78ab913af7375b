"""MCPService: the tool servers of tenants, by the Model Context Protocol.

Owns: the protocol (`mcp`, imported on first use, in a thread: it costs a second); which servers a
tenant has registered, and what their tools may do; connections to servers (sessions.py); calls of
tools in flight (calls.py), which runs make from their own steps, because what a call has done so
far is known in this process alone.

Key and state: the service itself has none. It owns `McpServerIndex`, key `tenant`: `servers`, all
of the tenant's registrations, at most 64. The values of their headers are sealed by the edge and
opened here, at the moment of a call.

Called by: LLMGateway; GenerationWorkflow (Offer awaited; calls.py in its steps).

Calls: its own object; the tenant's servers over HTTP (client.py, which knows no Restate), at
addresses that are checked each time a connection is made.

Retries: REQUEST for the service, a client waits; SINGLETON for the object.

Failure: a reason of reasons.py for each way in which a server can fail. A call of a tool that may
not be repeated is claimed before it is made; found claimed after a crash, it is not made again but
answered `tool.outcome_unknown`. A tool whose rule names a digest is looked at before each call; one
that is different is not called but answered `tool.changed`. Without a digest a server may change
its tools as it likes: the model has read one schema, and the server judges by another.
"""

"""The HTTP front: the one place where identity is established and codes become statuses.

A request passes these steps in this order, and each refuses with an RpcError. Before `forward` it
causes no call of Restate but look-ups of keys and users, whose answers are remembered; so a refusal
costs next to nothing behind the edge, and bad input never enters the log:

    requests     request id and trace context, headers looked up once
    cors         preflights, CORS and security headers of every answer
    routes       path and method (404, 405)
    limits       size and media type (413, 415)
    credentials  who is calling (401)
    scopes       mode, tenant and scope of the route (403)
    rates        how often (429)
    body         the route's request message, all violations at once (400)
    idempotency  the key that Restate sees, and the fingerprint of the body
    forward      the call to Restate's ingress, with the retries that are safe
    translate    whatever comes back into the answer or the error envelope

`app.Edge` runs the steps. Routes that the edge serves itself (`local`) leave after `body`: their
own calls of handlers go through `forward.HandlerCalls`, which does the last three steps. Readers of
events wait here, on the bus (events.py, lag.py), and never in Restate.
"""

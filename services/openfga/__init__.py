"""OpenFGAService: who may do what with things that are shared, and the list of them.

Owns: the OpenFGA vendor; the authorization model (model.fga, for the server as model.json); the
verdicts that this process remembers (access.py).

Called by: whoever shares things or serves what is shared.

Calls: nobody; OpenFGA over HTTP (client.py, which knows no Restate).

Retries: REQUEST for bugs; expected failures of the vendor are values of steps. Tuples are written
so that a repeat changes nothing.

Failure: nothing is allowed that OpenFGA did not allow. While it is down a check answers
UNAVAILABLE / openfga.unreachable, except for the owner of a thing, who is never asked about;
without an address UNAVAILABLE / openfga.not_configured.
"""

"""Who is calling: credentials from headers, verified, as a `Verified` caller.

`authenticate.py` decides which credential was sent and hands it to the verifier of its kind; a
verifier is anything with the matching Protocol of `verified.py`. Here are secret keys from the
settings (`secret_keys.py`) and tokens of one issuer (`tokens.py`, with `jwks.py`).
"""

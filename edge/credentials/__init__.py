"""Who is calling: credentials from headers, verified, as a `Verified` caller.

`authenticate.py` decides which credential was sent and hands it to the verifier of its kind; a
verifier is anything with the matching Protocol of `verified.py`. `sources.py` puts them together:

    secret_keys.py    keys of tenants, and keys from the settings
    publishable.py    a publishable key with the token of its user's issuer
    tokens.py         tokens of the platform's own issuer
    grants.py         what a key grants, asked of ApiKeyService
    sessions.py       which tokens of a user still count, asked of FirebaseBridgeActor
    verdicts.py       what was asked, remembered for seconds
    signed.py         signature, issuer, audience and time of a token
    jwks.py           an issuer's public keys, by way of fetching.py
"""

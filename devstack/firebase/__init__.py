"""A double of Firebase Auth: the parts of Google's Identity Toolkit that the platform uses.

`accounts.py` has the users and what their tokens claim, which the development issuer shares, so a
claim that was set here is in the next token there. `app.py` speaks HTTP: access tokens for the
service account (`key_file.py` makes one up), look-up and update of accounts, sign-in with a custom
token, refresh. Every signature is real and checked.
"""

"""Everything the outside sees, made from the registry: `python -m app generate`.

    openapi.json            openapi.py, with schemas.py and answers.py
    krakend/krakend.json    krakend.py, on top of krakend/base.json
    docs/errors.md          docs.py
    docs/permissions.md     docs.py

All are pure functions of the registry. The files are checked in, so that a reviewer sees every
public change as a diff, and a test fails when one of them is stale.
"""

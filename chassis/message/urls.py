"""Url: an address that a client sends, without a user or a password in it.

A handler refuses such an address as well (`chassis/addresses.py`), but what a handler is sent is
in Restate's log by then. So the boundary refuses it; credentials belong in a `Secret`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from chassis.message.reading import Reading
from chassis.message.violations import violation

# More than a parser would take for one: what is misspelt is no less secret.
_HAS_USER = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*[^/\\?#]*@")


def _without_user(value: str, info: ValidationInfo) -> str:
    if info.context is Reading.PUBLIC and _HAS_USER.match(value):
        raise violation("must not have a user or a password")
    return value


Url = Annotated[str, AfterValidator(_without_user)]

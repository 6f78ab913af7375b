"""How clients name the branches of a thread."""

MAIN = "main"
_PREFIX = "branch-"


def branch_id(number: int) -> str:
    """The name of a branch; the one that every thread begins with is `main`."""
    return f"{_PREFIX}{number}" if number else MAIN


def branch_number(named: str) -> int | None:
    """The branch that a name means, whether there is one or not; None for no branch's name."""
    digits = "0" if named == MAIN else named.removeprefix(_PREFIX)
    number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 11 else 0
    return number if branch_id(number) == named else None

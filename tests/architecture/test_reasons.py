"""One word means one thing: each reason is declared once, by its owner."""

import ast
from collections import Counter

from tests.support.repository import ROOT, packages, python_files


def test_no_reason_is_declared_in_two_places() -> None:
    words = Counter(
        call.args[0].value
        for path in python_files()
        if path.parts[0] in packages()
        for call in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Reason"
        and isinstance(call.args[0], ast.Constant)
    )
    assert len(words) > 50
    assert [word for word, count in words.items() if count > 1] == []

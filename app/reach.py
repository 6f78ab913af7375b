"""What a handler calls and raises, read off its code, so that a contract cannot forget it.

Starting at the handler's function, every function and method of the same package that the code
names is followed. Found are `raise REASON.error(...)` and awaited calls by contract: `call(ctx,
RPC, ...)`, `Call(RPC, ...)`, `ingress.call(RPC, ...)`, `ingress.command(RPC, ...)`. Names are
looked up, never called: module globals, what `self` holds, parameters by their annotation, locals
by the class that makes them.
One-way sends are found the same way: `send(ctx, RPC, ...)`.
What cannot be followed so (an error that a vendor's client builds from an answer) is not found;
`chassis.serve` logs a reason that its contract does not declare when it is raised.
"""

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any, cast

from chassis.rpc import Rpc
from errors import Reason

_CALLS, _SENDS = ("call", "Call", "command"), ("send",)
_MATTERS = (ast.Raise, ast.Call, ast.Name, ast.Attribute, ast.Assign)
_Functions = Mapping[tuple[str, int], ast.AST]


@dataclass
class Reach:
    """Everything found. A reason or an Rpc stands once, in the order of the code."""

    raised: dict[str, Reason] = field(default_factory=dict[str, Reason])
    called: dict[str, Rpc[Any, Any]] = field(default_factory=dict[str, Rpc[Any, Any]])
    sent: dict[str, Rpc[Any, Any]] = field(default_factory=dict[str, Rpc[Any, Any]])

    def add(self, more: "Reach") -> None:
        """Add what stands behind it; what is here already keeps its place."""
        self.raised = {**self.raised, **more.raised}
        self.called = {**self.called, **more.called}
        self.sent = {**self.sent, **more.sent}


class Follower:
    """Follows handlers, and looks at what several of them share once.

    Every process that serves handlers does this when it starts: keep one for all of them, and let
    it go after. It holds the syntax of every file that they are in, which is tens of megabytes.
    """

    def __init__(self) -> None:
        self._files: dict[str, _Functions] = {}
        self._parts: dict[ast.AST, list[ast.AST]] = {}
        self._kept: dict[tuple[FunctionType, str], _Instance | None] = {}
        # The owner is in the value, so that its id stands for no other object meanwhile.
        self._seen: dict[
            tuple[FunctionType, tuple[bool, int]], tuple[object, Reach, list[object]]
        ] = {}

    def reach_of(self, handler: Callable[..., Any]) -> Reach:
        """Follow a handler: a function, or a method bound to its object."""
        reach = Reach()
        package = package_of(handler)
        seen: set[Any] = set()
        todo: list[Any] = [handler]
        while todo:
            function, owner = _function(todo.pop())
            if function is None or function.__code__ in seen or not _within(function, package):
                continue
            seen.add(function.__code__)
            found, names = self._look(function, owner)
            reach.add(found)
            todo.extend(names)
        return reach

    def parts_of(self, function: FunctionType) -> list[ast.AST]:
        """What is in a function that matters here; nothing where its source is not known."""
        code = function.__code__
        if code.co_filename not in self._files:
            self._files[code.co_filename] = _functions(code.co_filename)
        node = self._files[code.co_filename].get((code.co_name, code.co_firstlineno))
        if node is None:
            return []
        if node not in self._parts:
            self._parts[node] = [part for part in ast.walk(node) if isinstance(part, _MATTERS)]
        return self._parts[node]

    def kept(self, init: FunctionType, name: str) -> "_Instance | None":
        """What a constructor puts under a name of its object: one of its parameters."""
        if (init, name) not in self._kept:
            self._kept[init, name] = _kept(init, name, self.parts_of(init))
        return self._kept[init, name]

    def _look(self, function: FunctionType, owner: object) -> tuple[Reach, list[object]]:
        of = owner.kind if isinstance(owner, _Instance) else owner
        key = function, (isinstance(owner, _Instance), id(of))
        if key not in self._seen:
            parts = self.parts_of(function)
            reach = Reach()
            names = [
                found
                for found in _look(parts, _Names(function, owner, parts, self), reach)
                if _function(found)[0] is not None
            ]
            self._seen[key] = owner, reach, names
        _, reach, names = self._seen[key]
        return reach, names


def package_of(handler: Callable[..., Any]) -> str:
    """The package that the handler belongs to: its component's, or the whole edge."""
    module = str(handler.__module__)
    return "edge" if module.startswith("edge.") else module.split(".handlers")[0]


def _function(found: object) -> tuple[FunctionType | None, object]:
    """The function behind what a name stands for, and the object or class that is its `self`."""
    if isinstance(found, MethodType):
        function = found.__func__
        return (function if isinstance(function, FunctionType) else None), found.__self__
    return (found, None) if isinstance(found, FunctionType) else (None, None)


def _within(function: FunctionType, package: str) -> bool:
    return function.__module__ == package or function.__module__.startswith(f"{package}.")


def _look(parts: list[ast.AST], names: "_Names", reach: Reach) -> Iterator[object]:
    """Add what this function raises and calls; yields what its names stand for."""
    for part in parts:
        if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call):
            maker = part.exc.func
            reason = names.find(maker.value) if isinstance(maker, ast.Attribute) else None
            if isinstance(reason, Reason):
                reach.raised.setdefault(reason.word, reason)
        elif isinstance(part, ast.Call) and _last_name(part.func) in (*_CALLS, *_SENDS):
            targets = reach.called if _last_name(part.func) in _CALLS else reach.sent
            for found in map(names.find, part.args[:2]):
                if isinstance(found, Rpc):
                    rpc = cast("Rpc[Any, Any]", found)
                    targets.setdefault(rpc.target, rpc)
        elif isinstance(part, ast.Name | ast.Attribute):
            yield names.find(part)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Names:
    """What the names in one function stand for, as far as that can be known without running it."""

    def __init__(
        self, function: FunctionType, owner: object, parts: list[ast.AST], follower: Follower
    ) -> None:
        self._follower = follower
        self._globals = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        self._locals: dict[str, object] = {}
        local = function.__code__.co_varnames
        self._unknown = frozenset(local)
        self._locals |= _annotated(function)
        for part in parts:
            if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
                made = self._made(part.value)
                if made is not None:
                    self._locals[part.targets[0].id] = made
        if local and owner is not None:
            self._locals[local[0]] = owner

    def find(self, node: ast.expr) -> object:
        """What a name or a chain of attributes stands for; None when that is not known."""
        if isinstance(node, ast.Name):
            if node.id in self._locals:
                return self._locals[node.id]
            return None if node.id in self._unknown else self._globals.get(node.id)
        if isinstance(node, ast.Attribute):
            holder = self.find(node.value)
            return None if holder is None else _attribute(holder, node.attr, self._follower)
        return None

    def _made(self, value: ast.expr) -> object:
        """The instance that `Class(...)` or `await Class.make(...)` gives."""
        call = value.value if isinstance(value, ast.Await) else value
        if not isinstance(call, ast.Call):
            return None
        maker = call.func
        made = self.find(maker)
        if made is None or not isinstance(made, type):
            made = self.find(maker.value) if isinstance(maker, ast.Attribute) else None
        return _Instance(cast("type[Any]", made)) if isinstance(made, type) else None


class _Instance:
    """Some object of a class, known by its class alone."""

    def __init__(self, kind: object) -> None:
        self.kind = kind


def _annotated(function: FunctionType) -> dict[str, _Instance]:
    """The parameters of a function by their annotations."""
    named = function.__globals__
    return {
        name: _Instance(named.get(kind) if isinstance(kind, str) else kind)
        for name, kind in inspect.get_annotations(function).items()
    }


def _kept(init: FunctionType, name: str, parts: list[ast.AST]) -> _Instance | None:
    for part in parts:
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Name):
            target = part.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == name:
                return _annotated(init).get(part.value.id)
    return None


def _attribute(holder: object, name: str, follower: Follower) -> object:
    """The attribute as Python would bind it, without running a property."""
    kind = holder.kind if isinstance(holder, _Instance) else holder
    try:
        found = inspect.getattr_static(kind, name)
    except AttributeError:
        init = getattr(kind, "__init__", None) if isinstance(holder, _Instance) else None
        return follower.kept(init, name) if isinstance(init, FunctionType) else None
    if isinstance(found, classmethod | staticmethod):
        inner: Any = cast("Any", found).__func__
        return MethodType(inner, kind) if isinstance(found, classmethod) else inner
    if isinstance(found, FunctionType) and not inspect.ismodule(holder):
        return MethodType(found, holder)
    return _slot(holder, name) if inspect.ismemberdescriptor(found) else found


def _slot(holder: object, name: str) -> object:
    return None if isinstance(holder, type | _Instance) else getattr(holder, name, None)


def _functions(path: str) -> _Functions:
    """Every function and method of a file by its name and first line, decorators included."""
    found: dict[tuple[str, int], ast.AST] = {}
    todo: list[ast.stmt] = ast.parse("".join(linecache.getlines(path))).body
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            todo.extend(node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            found[node.name, first] = node
    return found

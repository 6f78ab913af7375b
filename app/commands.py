"""What people ask of the platform without running it: `check`, `routes`, `generate`.

Each builds the registry as the handlers' process does, settings included, so what they show is
what would start.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from app.components import build
from app.generate import files
from app.registry import Registered, Registry, RegistryError
from app.settings import HandlersConfig
from chassis.rpc import Effect, Mode, Rpc
from edge.routes import Routes
from edge.scopes import RoleScopes


def run(options: Namespace) -> int:
    """Run the command that `options` names; what does not fit together is exit code 1."""
    try:
        registry = build(HandlersConfig.read()).registry
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return _COMMANDS[options.command](registry, options)


def check(registry: Registry, options: Namespace) -> int:
    """Show every component; the exit code is 1 when a generated file is stale."""
    stale = files.stale(registry)
    if options.json:
        _print({"components": [_component(each) for each in registry.registered], "stale": stale})
    else:
        _print_components(registry)
        for path in stale:
            print(f"{path} is stale; run: make generate")
    return 1 if stale else 0


def routes(registry: Registry, options: Namespace) -> int:
    """Show every public method."""
    shown = [_route(registry, rpc) for rpc in registry.routes()]
    if options.json:
        _print(shown)
    else:
        names = ("path", "target", "scope", "members", "credentials", "effect", "seconds", "KiB")
        _print_table(names, [_cells(route) for route in shown])
    return 0


def generate(registry: Registry, _options: Namespace) -> int:
    """Write the generated files that are stale, and name them."""
    for path in files.write(registry):
        print(path)
    return 0


_COMMANDS = {"check": check, "routes": routes, "generate": generate}


def _component(each: Registered) -> dict[str, Any]:
    component = each.component
    return {
        "name": component.name,
        "kind": component.kind.value,
        "about": each.description.splitlines()[0],
        "key": component.key,
        "retries": component.retries.name,
        "sends": list(component.sends),
        "methods": [rpc.name for rpc in component.rpcs],
    }


def _print_components(registry: Registry) -> None:
    names = ("component", "kind", "methods", "public", "retries", "key")
    rows = [
        (
            each.component.name,
            each.component.kind.value,
            str(len(each.component.rpcs)),
            str(sum(rpc.route is not None for rpc in each.component.rpcs)),
            each.component.retries.name,
            each.component.key.partition(",")[0],
        )
        for each in registry.registered
    ]
    _print_table(names, rows)
    print(f"{len(registry.rpcs())} methods fit together, {len(registry.routes())} are public.")


def _route(registry: Registry, rpc: Rpc[Any, Any]) -> dict[str, Any]:
    route = rpc.route
    assert route is not None, "routes() has public methods only"
    member = RoleScopes(Routes(registry.routes(), {}).entries).of("member")
    reach = registry.reach(rpc)
    return {
        "path": route.path,
        "target": rpc.target,
        "summary": registry.description(rpc).partition("\n")[0],
        "scope": route.scope,
        "members": route.scope in member,
        "modes": [mode.value for mode in Mode if mode in route.modes],
        "tenant_free": route.tenant_free,
        "effect": route.effect.value,
        "idempotency_key": route.effect is Effect.COMMAND,
        "deadline_seconds": route.deadline.total_seconds(),
        "body_limit_bytes": route.body_limit_bytes,
        "served_by": "edge" if route.served_by_edge else "handler",
        "stream": route.stream,
        "calls": list(reach.called),
        "errors": {reason.word: reason.code.value for reason in rpc.errors},
    }


_SHORT = {"firebase": "token", "secret-key": "secret", "publishable-key": "publishable"}


def _cells(route: dict[str, Any]) -> tuple[str, ...]:
    modes = " ".join(_SHORT[mode] for mode in route["modes"])
    return (
        route["path"],
        route["target"],
        route["scope"],
        "yes" if route["members"] else "no",
        f"{modes}{' (tenant-free)' if route['tenant_free'] else ''}",
        route["effect"] + (" stream" if route["stream"] else ""),
        f"{route['deadline_seconds']:g}",
        f"{route['body_limit_bytes'] / 1024:g}",
    )


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [names, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print(document: Any) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))

"""`yocaso doctor`: is everything there, does it run, does it fit together; and if not, what helps.

Every check is independent and never raises; what it cannot find out is its finding.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import click
import httpx

from devstack import local_model, openfga, restate
from devstack.cli.admin import Admin
from devstack.cli.connection import which_data
from devstack.cli.output import FAILED, json_option, mark, printable, write_json
from devstack.client import AwayError, Client
from devstack.data_directory import NEEDED_BYTES, stack_in
from devstack.processes import ProcessError
from errors import RpcError

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` is what to do about it."""

    name: str
    state: State
    finding: str
    remedy: str = ""


@click.command()
@which_data
@json_option
@click.pass_context
def doctor(context: click.Context, data_path: Path, as_json: bool) -> None:
    """Check this machine and the running stack.

    Tells what is wrong and what to do about it.
    """
    checks = [*machine(data_path), *stack(data_path)]
    if as_json:
        write_json({"checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            click.echo(f"{mark(check.state)} {check.name:<12} {printable(check.finding)}")
            if check.remedy:
                click.echo(f"  {'':<12} {check.remedy}")
    if any(check.state == "failed" for check in checks):
        context.exit(FAILED)


def machine(data_path: Path) -> Iterator[Check]:
    """What a stack needs before it can start."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info >= (3, 11)
    yield Check("python", "ok" if fits else "failed", version, "" if fits else "Install 3.11.")
    yield _restate_binary()
    yield _disk(data_path)
    yield _memory()
    installed = local_model.weights() is not None
    finding = "installed" if installed else "not installed; the scripted double answers"
    remedy = "" if installed else "make local-model"
    yield Check("local model", "ok" if installed else "warning", finding, remedy)
    yield _openfga_binary()
    key = bool(os.environ.get("OPENROUTER_API_KEY"))
    yield Check("openrouter", "ok", "a key is set" if key else "no key; models are local")


def _restate_binary() -> Check:
    try:
        return Check("restate", "ok", f"server {restate.server_version()}")
    except ProcessError as error:
        return Check("restate", "failed", str(error), "make setup")


def _openfga_binary() -> Check:
    if openfga.binary() is None:
        return Check("openfga", "warning", "not installed; sharing is off", "make openfga")
    return Check("openfga", "ok", f"server {openfga.version()}")


def _disk(data_path: Path) -> Check:
    there = next(path for path in (data_path.absolute(), *data_path.absolute().parents)
                 if path.exists())  # fmt: skip
    free = shutil.disk_usage(there).free
    enough = free >= NEEDED_BYTES
    return Check(
        "disk",
        "ok" if enough else "failed",
        f"{free / 1e9:.1f} GB free at {there}",
        "" if enough else f"Make room for {NEEDED_BYTES // 1_000_000} MB, or use --data.",
    )


def _memory() -> Check:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return Check("memory", "ok", "not known on this system")
    sizes = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)
    }
    free = sizes.get("MemAvailable", 0) / 1e6
    enough = free >= 1
    remedy = "" if enough else "A stack needs about 0.7 GB, with the local model 1 GB."
    return Check("memory", "ok" if enough else "warning", f"{free:.1f} GB available", remedy)


def stack(data_path: Path) -> Iterator[Check]:
    """Whether the stack in the data directory runs and fits together."""
    known = stack_in(data_path)
    if not known:
        yield Check("stack", "warning", f"none runs in {data_path.absolute()}", "yocaso dev")
        return
    yield from _processes(known)
    with Admin(known["restate_admin_url"]) as admin:
        yield from _together(known, admin)


def _together(known: dict[str, Any], admin: Admin) -> Iterator[Check]:
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("edge", lambda: _edge(known)),
        ("registration", lambda: _registration(admin, known)),
        ("invocations", lambda: _invocations(admin)),
        ("api", lambda: _api(known)),
        ("local cloud", lambda: _faults(known)),
    )
    for name, check in checks:
        yield _safely(name, check)


def _safely(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (click.ClickException, httpx.HTTPError, AwayError, RpcError) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return Check(name, "failed", text or "does not answer", "Look into the logs; see `data`.")


def _processes(known: dict[str, Any]) -> Iterator[Check]:
    yield Check("data", "ok", f"{known['data']} (logs are in {known['data']}/logs)")
    pids: dict[str, int | None] = known["pids"]
    down = [name for name, pid in pids.items() if pid is None or not _lives(pid)]
    if down:
        remedy = f"They are started again; their logs say why: {known['data']}/logs"
        yield Check("processes", "failed", f"down: {', '.join(down)}", remedy)
    else:
        yield Check("processes", "ok", ", ".join(f"{name} {pid}" for name, pid in pids.items()))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _edge(known: dict[str, Any]) -> Check:
    answer = httpx.get(f"{known['private_url']}/statusz", timeout=10, trust_env=False)
    dependencies: dict[str, str] = answer.json().get("dependencies", {})
    down = [name for name, state in dependencies.items() if state != "ok"]
    if down:
        return Check("edge", "failed", f"answers; down behind it: {', '.join(down)}")
    return Check("edge", "ok", f"{known['base_url']}, sees {', '.join(dependencies)}")


def _registration(admin: Admin, known: dict[str, Any]) -> Check:
    """Whether Restate calls the handlers that run now, and all of what they offer."""
    deployments: list[dict[str, Any]] = admin.get("/deployments")["deployments"]
    url = str(known["handlers_url"])
    ours = [each for each in deployments if str(each.get("uri", "")).rstrip("/") == url]
    if not ours:
        remedy = f"restate deployments register {url}"
        return Check("registration", "failed", f"Restate does not know {url}", remedy)
    current = {
        service["name"]: service["deployment_id"] for service in admin.get("/services")["services"]
    }
    elsewhere = [name for name, deployment in current.items() if deployment != ours[0]["id"]]
    finding = f"{len(current)} services at {url}"
    if elsewhere:
        finding = f"{', '.join(elsewhere)} are called at another version than {url}"
        return Check("registration", "warning", finding, "restate deployments list")
    return Check("registration", "ok", finding)


def _invocations(admin: Admin) -> Check:
    rows = admin.query("SELECT status, count(1) AS n FROM sys_invocation GROUP BY status")
    counted = {row["status"]: row["n"] for row in rows}
    stuck = {name: counted[name] for name in ("paused", "backing-off") if counted.get(name)}
    if stuck:
        finding = ", ".join(f"{number} {name}" for name, number in stuck.items())
        remedy = "restate invocations list --status paused,backing-off"
        return Check("invocations", "warning", finding, remedy)
    at_work = sum(counted.get(name, 0) for name in ("running", "suspended", "ready", "pending"))
    return Check("invocations", "ok", f"{at_work} at work, none stuck")


def _api(known: dict[str, Any]) -> Check:
    with Client(known["base_url"], known["secret_key"]) as client:
        client.call("list-threads", pageSize=1)
        models = client.call("list-models").get("models", [])
    return Check("api", "ok", f"a call came back; {len(models)} models")


def _faults(known: dict[str, Any]) -> Check:
    url = str(known["local_cloud_url"])
    vendors: dict[str, Any] = httpx.get(f"{url}/faults", timeout=10, trust_env=False).json()
    faulty = [name for name, vendor in vendors["vendors"].items() if vendor["fault"]]
    if faulty:
        remedy = f"curl -X DELETE {url}/faults"
        return Check("local cloud", "warning", f"faults are set: {', '.join(faulty)}", remedy)
    return Check("local cloud", "ok", f"{url}, no faults set")

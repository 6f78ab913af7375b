"""The images that the tests use: the platform's two, and stand-ins for what registries have.

`BASE`, `RESTATE_IMAGE` and `KRAKEND_IMAGE` in the environment name real images, which are pulled.
Without them a Debian with Python is made by mmdebstrap, Restate's image from the server of
`make setup`, and in KrakenD's place stands a small program of ours (`krakend_stand_in.py`).
"""

import os
from dataclasses import dataclass

from deploy.image_test.engine import ROOT, Engine
from devstack.restate import binary

PLATFORM, LOCAL_CLOUD = "localhost/yocaso-platform:test", "localhost/yocaso-local-cloud:test"
_BASE = "localhost/stand-in/python:trixie"
_RESTATE, _KRAKEND = "localhost/stand-in/restate:test", "localhost/stand-in/krakend:test"
_HERE = ROOT / "deploy" / "image_test"
_PACKAGES = "ca-certificates,python3,python3-venv,python3-pip"


@dataclass(frozen=True)
class Images:
    """Names of images that are in the store."""

    base: str
    restate: str
    krakend: str
    platform: str = PLATFORM
    local_cloud: str = LOCAL_CLOUD


def build(engine: Engine) -> Images:
    """Build what is not there yet, and the platform from the sources as they are now."""
    base = _pulled(engine, "BASE") or _debian_with_python(engine)
    restate = _pulled(engine, "RESTATE_IMAGE") or _restate(engine, base)
    krakend = _pulled(engine, "KRAKEND_IMAGE") or _krakend(engine, base)
    build_platform(engine, base, PLATFORM)
    engine.build(LOCAL_CLOUD, ROOT, "--layers", "--target", "local-cloud", base=base)
    return Images(base, restate, krakend)


def build_platform(engine: Engine, base: str, tag: str, *options: str) -> None:
    """Build the platform's image."""
    engine.build(tag, ROOT, "--layers", "--target", "platform", *options, base=base)


def _pulled(engine: Engine, variable: str) -> str | None:
    name = os.environ.get(variable)
    if name:
        engine.run("podman", "pull", "--quiet", name, seconds=600)
    return name


def _debian_with_python(engine: Engine) -> str:
    if not engine.has_image(_BASE):
        archive = engine.path / "base.tar"
        if not archive.exists():
            made = archive.with_suffix(".part.tar")
            what = ("--variant=minbase", f"--include={_PACKAGES}", "trixie", str(made))
            engine.run("mmdebstrap", *what, seconds=900)
            made.rename(archive)
        engine.run("podman", "import", "--quiet", str(archive), _BASE, seconds=300)
    return _BASE


def _restate(engine: Engine, base: str) -> str:
    if not engine.has_image(_RESTATE):
        context = binary("restate-server").resolve().parent
        engine.build(_RESTATE, context, "--file", str(_HERE / "restate.Dockerfile"), base=base)
    return _RESTATE


def _krakend(engine: Engine, base: str) -> str:
    dockerfile = str(_HERE / "krakend.Dockerfile")
    engine.build(_KRAKEND, _HERE, "--layers", "--file", dockerfile, base=base)
    return _KRAKEND

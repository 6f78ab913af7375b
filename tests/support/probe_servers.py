"""The probe's handlers and its edge as ASGI applications, for granian to load by name."""

import restate

from chassis import logs
from chassis.settings import SettingsError, load
from edge.app import Edge
from edge.settings import EdgeSettings
from tests.support import probe


def handlers() -> object:
    """The Restate endpoint."""
    return restate.app(services=probe.registry().restate_services())


def edge() -> Edge:
    """The edge, with settings from the environment."""
    logs.set_up()
    mistakes: list[str] = []
    settings = load(EdgeSettings, mistakes)
    if settings is None:
        raise SettingsError(mistakes)
    return Edge(settings, probe.registry().routes(), probe.LOCAL)

"""What a container's engine and a new deployment ask of the running programs."""

import pytest
from pydantic import HttpUrl

from app.register import register
from app.settings import RegisterSettings
from deploy.image import healthcheck
from devstack.stack import CLOUD, EDGE, HANDLERS
from tests.support.stack import RunningStack


@pytest.mark.parametrize(
    ("name", "command"), [(EDGE, "edge"), (HANDLERS, "handlers"), (CLOUD, "devstack.cloud")]
)
def test_each_program_answers_the_health_check(
    stack: RunningStack, name: str, command: str
) -> None:
    port, path = healthcheck.probe([command, "--port", str(stack.processes.ports[name])])
    assert healthcheck.status(port, path) == 200


def test_registering_again_changes_nothing(stack: RunningStack) -> None:
    settings = RegisterSettings.model_construct(
        restate_admin_url=HttpUrl(stack.processes.restate.admin_url),
        handlers_url=HttpUrl(stack.processes.handlers_url),
    )
    before = deployments(stack)
    assert "LLMGateway" in register(settings)
    assert deployments(stack) == before


def deployments(stack: RunningStack) -> list[object]:
    """What Restate knows of addresses."""
    return [row["id"] for row in stack.processes.restate.query("SELECT id FROM sys_deployment")]

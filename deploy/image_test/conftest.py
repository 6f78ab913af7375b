"""Fixtures of `make image-test`: the engine, the images, and the stack of containers."""

from collections.abc import Generator

import pytest

from deploy import compose_command
from deploy.image_test import images as built
from deploy.image_test import stack as stacks
from deploy.image_test.engine import Engine, missing_tools
from deploy.image_test.images import Images
from deploy.image_test.stack import ComposeStack


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the platform does."""
    return "asyncio"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """What builds and runs."""
    if missing := missing_tools():
        pytest.exit(f"Not installed: {', '.join(missing)}. On Debian: apt-get install them", 1)
    return Engine()


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    """The images, built from the sources as they are."""
    return built.build(engine)


@pytest.fixture(scope="session")
def stack(engine: Engine, images: Images) -> Generator[ComposeStack]:
    """The stack of compose.yaml."""
    compose = compose_command.find()
    assert compose is not None, "run it with `make image-test`, which gets docker compose"
    with stacks.running(engine, images, compose) as stack:
        yield stack

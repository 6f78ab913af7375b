"""One `yocaso dev` for all tests that leave it alive."""

from collections.abc import Iterator

import pytest

from tests.support.dev import Dev


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A stack that is ready. Do not end it; what dies in it is started again."""
    dev = Dev(tmp_path_factory.mktemp("dev"))
    dev.start()
    yield dev
    dev.stop()

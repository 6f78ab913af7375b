"""Only calls that wait while connections to the handlers are refused are given up."""

import asyncio
import time

import pytest

from devstack.processes import free_port
from edge.liveness import Liveness

pytestmark = pytest.mark.anyio


async def _wait(liveness: Liveness, seconds: float) -> bool:
    """Wait like a call; whether it was given up."""
    task = asyncio.current_task()
    assert task is not None
    waiting = liveness.enter(task)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not waiting.abandoned:
            raise
        task.uncancel()
    finally:
        liveness.leave(waiting)
    return waiting.abandoned


async def test_a_call_is_given_up_soon_while_nobody_listens() -> None:
    liveness = Liveness("127.0.0.1", free_port())
    started = time.monotonic()
    assert await asyncio.gather(_wait(liveness, 30), _wait(liveness, 30)) == [True, True]
    assert time.monotonic() - started < 2
    assert not await liveness.listening()
    await liveness.close()


async def test_a_slow_call_is_not_given_up_while_somebody_listens() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1")
    port: int = server.sockets[0].getsockname()[1]
    liveness = Liveness("127.0.0.1", port)
    assert await _wait(liveness, 1.5) is False
    assert await liveness.listening()
    await liveness.close()
    server.close()
    await server.wait_closed()


async def test_without_an_address_no_call_is_ever_given_up() -> None:
    liveness = Liveness(None, None)
    assert await _wait(liveness, 0.1) is False
    await liveness.close()

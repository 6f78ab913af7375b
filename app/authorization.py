"""`python -m app authorization`: what OpenFGA needs before this version of the platform can ask it.

To be run once for each version, before its handlers start; repeating it changes nothing. Models are
immutable, so versions that run side by side each ask with their own.
"""

import asyncio

from errors import RpcError
from services.openfga.client import OpenFgaStore
from services.openfga.settings import OpenFgaSettings

_PAUSE_SECONDS = 0.5


def prepare(settings: OpenFgaSettings, seconds: float) -> tuple[str, str]:
    """Make the store and write the model; their ids.

    Waits so long for a server that starts. Raises the RpcError of the last try.
    """
    return asyncio.run(_prepare(settings, seconds))


async def _prepare(settings: OpenFgaSettings, seconds: float) -> tuple[str, str]:
    store = OpenFgaStore(settings)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        while True:
            try:
                return await store.prepare()
            except RpcError as error:
                if error.is_terminal or loop.time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await store.aclose()

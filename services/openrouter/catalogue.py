"""The models that exist, kept in the process so that asking costs nothing.

The list is fetched in the background and kept while the vendor is away: a stale list refuses
nothing that exists for long, an absent one refuses nothing at all.
"""

import asyncio
import time
from typing import Protocol

from chassis import logs
from errors import RpcError
from services.openrouter.wire import Model

log = logs.get(__name__)

_FRESH_SECONDS = 300.0
# After a failed fetch; also how soon a model that was added today can be used at the latest.
_RETRY_SECONDS = 5.0


class ModelSource(Protocol):
    """Where the list comes from."""

    async def list_models(self) -> list[Model]:
        """All models; raises RpcError."""
        ...


class Catalogue:
    """The list of models with a lifetime. `start` fetches it and keeps it fresh."""

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._models: list[Model] = []
        self._ids: dict[str, Model] = {}
        self._fetched_at = 0.0
        self._fetching: asyncio.Task[list[Model]] | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the list fresh; needs a running loop."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the keeping."""
        for task in (self._keeper, self._fetching):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def first_unknown(self, models: list[str]) -> str | None:
        """The first of `models` that does not exist; None while nothing is known."""
        if not self._ids:
            return None
        return next((model for model in models if model not in self._ids), None)

    def facts(self, model: str) -> Model | None:
        """What the list says of a model; None while nothing is known."""
        return self._ids.get(model)

    async def models(self) -> list[Model]:
        """The list, fetched now if there is none or it is old.

        Raises the RpcError of the vendor when there is no list at all.
        """
        if time.monotonic() - self._fetched_at < _FRESH_SECONDS and self._ids:
            return self._models
        try:
            return await self._fetch()
        except RpcError:
            if self._ids:
                return self._models
            raise

    async def _fetch(self) -> list[Model]:
        # One fetch for everybody who asks at the same time.
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._source.list_models())
        models = await asyncio.shield(self._fetching)
        self._models = models
        self._ids = {model.id: model for model in models}
        self._fetched_at = time.monotonic()
        return models

    async def _keep(self) -> None:
        while True:
            pause = _FRESH_SECONDS
            try:
                await self._fetch()
            except RpcError as error:
                pause = _RETRY_SECONDS
                log.info("model list not fetched", extra=logs.fields(reason=error.reason))
            except Exception:  # a list that never grows old would be worse than a line in the log
                pause = _RETRY_SECONDS
                log.exception("model list not fetched for a reason that nobody foresaw")
            await asyncio.sleep(pause)  # noqa: TID251  # of this process, not of a handler

"""Completions on the fake platform with a scripted model."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from actors.conversation.contract.entry import Role
from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.thread import GenerationConfig
from errors import RpcError
from services.completion import contract
from services.completion.contract import CompleteRequest, CompleteResponse
from services.completion.handlers import Completions
from services.completion.settings import CompletionSettings
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import Model
from tests.support.fake_platform import FakePlatform
from tests.support.generations import Line, ProcessStreams, ScriptedModel

ASKED = CompleteRequest(
    messages=[ContextMessage(role=Role.user, content="hello")],
    generation_config=GenerationConfig(model="asked/for"),
)


class Followers:
    """Somebody waits, unless a test says that all have gone."""

    def __init__(self) -> None:
        self.gone = False
        self.followed: list[str] = []
        self.left: list[str] = []

    def abandoned(self, completion_id: str) -> bool:
        """See `reading.Followed`."""
        return self.gone

    def accompany(self, completion_id: str, request: CompleteRequest) -> None:
        """See `handlers.Followers`."""
        self.followed.append(completion_id)

    def leave(self, completion_id: str) -> None:
        """See `handlers.Followers`."""
        self.left.append(completion_id)


class Models:
    """Every model exists but one."""

    def first_unknown(self, models: list[str]) -> str | None:
        """See `handlers.Models`."""
        return "no/such" if "no/such" in models else None

    def facts(self, model: str) -> Model | None:
        """See `handlers.Models`."""
        prices = {"prompt": "0.001", "completion": "0.01"}
        return Model(id=model, name=model, max_completion_tokens=1000, pricing=prices)


class Completing:
    """The service, served, over a scripted model."""

    def __init__(self, platform: FakePlatform, model: ScriptedModel, limit: int) -> None:
        self.platform = platform
        self.model = model
        self.streams = ProcessStreams(model, limit)
        self.followers = Followers()
        service = Completions(
            cast("ModelStreams", self.streams),
            Models(),
            self.followers,
            CompletionSettings(attempts=2, chunk_seconds=0.001),
            "the/default",
        )
        platform.serve(contract.component, service)

    async def ask(self, request: CompleteRequest = ASKED) -> CompleteResponse:
        """One completion."""
        return await self.platform.call(contract.complete, request)

    async def refused(self, request: CompleteRequest = ASKED) -> RpcError:
        """The failure of one that fails."""
        with pytest.raises(RpcError) as failed:
            await self.ask(request)
        return failed.value


@asynccontextmanager
async def completing(
    *scripts: list[Line], limit: int = 10, suspends: bool = False
) -> AsyncGenerator[Completing]:
    """The service over a model with these scripts."""
    async with FakePlatform(suspends=suspends) as platform:
        it = Completing(platform, ScriptedModel(*scripts), limit)
        try:
            yield it
        finally:
            await it.streams.aclose()

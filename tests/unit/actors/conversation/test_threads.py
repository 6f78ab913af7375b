"""Opening a thread, and how it stands."""

import pytest

from actors.conversation import contract
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import (
    GenerationConfig,
    GetStateRequest,
    OpenRequest,
    Settings,
    ThreadStatus,
)
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio


async def test_a_repeat_with_the_same_content_finds_the_thread_as_it_was_opened() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        first = await thread.open("one", settings=Settings(system_prompt="be brief"))
        await platform.advance(60)
        again = await thread.open("one", settings=Settings(system_prompt="be brief"))
        assert again == first


@pytest.mark.parametrize(
    "other",
    [
        OpenRequest(name="another"),
        OpenRequest(name="one", settings=Settings(keep_last=3)),
        OpenRequest(name="one", generation_config=GenerationConfig(model="m")),
        OpenRequest(name="one", metadata={"a": "b"}),
    ],
)
async def test_a_repeat_with_other_content_is_refused(other: OpenRequest) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open("one")
        before = dict(platform.state(contract.component, thread.key))
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.open_thread, other, key=thread.key)
        assert refused.value.code is Code.ALREADY_EXISTS
        assert refused.value.reason == contract.THREAD_EXISTS.word
        assert platform.state(contract.component, thread.key) == before


async def test_a_thread_of_an_unknown_model_is_not_opened() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, models=["known"])
        with pytest.raises(RpcError) as refused:
            await thread.open(config=GenerationConfig(model="known", fallback_models=["other"]))
        assert refused.value.code is Code.MODEL_INVALID
        assert refused.value.details.model_error is not None
        assert refused.value.details.model_error.model == "other"
        assert platform.state(contract.component, thread.key) == {}


async def test_the_state_of_a_new_thread_is_what_it_was_opened_with() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        opened = await thread.open("one", config=GenerationConfig(temperature=0.5))
        state = await thread.state()
        assert state.conversation_key == "a thread"
        assert state.name == "one"
        assert state.status is ThreadStatus.IDLE
        assert state.created_at == opened.created_at
        assert state.generation_config == GenerationConfig(temperature=0.5)
        assert state.messages == []
        assert state.last_sequence == 0
        assert thread.places.asked == []


async def test_what_was_never_opened_is_not_found() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        for call in (
            platform.call(contract.get_state, GetStateRequest(), key=thread.key),
            thread.send(),
            thread.cancel("run_1"),
            thread.run("run_1"),
            thread.messages(10),
            thread.events(),
        ):
            with pytest.raises(RpcError) as refused:
                await call
            assert refused.value.reason == contract.THREAD_NOT_FOUND.word
        assert platform.state(contract.component, thread.key) == {}


async def test_totals_add_up_without_drift() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        for _ in range(10):
            run = await thread.send()
            usage = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
            await thread.finish(run.run_id, usage=usage, cost="0.1")
        run = await thread.send()
        await thread.finish(run.run_id, "", RunStatus.FAILED)
        state = await thread.state()
        assert state.total_usage == Usage(prompt_tokens=30, completion_tokens=20, total_tokens=50)
        assert float(state.total_cost_usd) == 1.0


async def test_opening_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        return [await thread.open("one"), await thread.open("one"), await thread.state()]

    assert await survives_every_crash(story) >= 8

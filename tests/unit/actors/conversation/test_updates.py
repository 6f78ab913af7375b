"""Changing a thread's settings and config, field by field."""

import pytest

from actors.conversation import contract
from actors.conversation.contract.context import ContextManagement, ContextStrategy
from actors.conversation.contract.thread import (
    GenerationConfig,
    InterruptPolicy,
    ProviderRouting,
    ProviderSort,
    ResponseFormat,
    ResponseFormatType,
    Settings,
)
from actors.conversation.contract.tools import ThreadToolRule, ToolSettings
from errors import Code, RpcError
from services.mcp.contract.tools import ApprovalRule
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


async def test_settings_that_are_not_named_stay_as_they_are() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(system_prompt="be brief", keep_last=3))
        changed = await thread.update_settings(Settings(interrupt_policy=InterruptPolicy.REJECT))
        expected = Settings(
            system_prompt="be brief", keep_last=3, interrupt_policy=InterruptPolicy.REJECT
        )
        assert changed == expected
        assert (await thread.state()).settings == expected


async def test_a_cleared_field_is_the_platforms_again() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(
            settings=Settings(system_prompt="be brief", keep_last=3),
            config=GenerationConfig(model="m", temperature=0),
        )
        assert await thread.update_settings(Settings(), "system_prompt") == Settings(keep_last=3)
        config = await thread.update_config(GenerationConfig(top_p=0.5), "model")
        assert config == GenerationConfig(temperature=0, top_p=0.5)


async def test_what_a_group_does_not_name_stays_in_it() -> None:
    always = ThreadToolRule(tool="*", approval=ApprovalRule.ALWAYS)
    tools = ToolSettings(allowed=["files"], approvals=[always])
    managed = ContextManagement(strategy=ContextStrategy.SUMMARIZE, threshold=0.5)
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(
            settings=Settings(tools=tools, context_management=managed),
            config=GenerationConfig(provider=ProviderRouting(order=["a"], only=["a", "b"])),
        )
        changed = await thread.update_settings(
            Settings(
                tools=ToolSettings(allowed=["mail"]),
                context_management=ContextManagement(target=0.2),
            )
        )
        assert changed.tools == ToolSettings(allowed=["mail"], approvals=[always])
        assert changed.context_management == ContextManagement(
            strategy=ContextStrategy.SUMMARIZE, threshold=0.5, target=0.2
        )
        config = await thread.update_config(
            GenerationConfig(provider=ProviderRouting(order=["b"], sort=ProviderSort.PRICE))
        )
        assert config.provider == ProviderRouting(
            order=["b"], only=["a", "b"], sort=ProviderSort.PRICE
        )


async def test_a_group_that_is_cleared_and_given_is_replaced() -> None:
    tools = ToolSettings(allowed=["files"], max_rounds=3)
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(tools=tools))
        given = ToolSettings(allowed=["mail"])
        changed = await thread.update_settings(Settings(tools=given), "tools")
        assert changed.tools == given


async def test_a_schema_does_not_outlive_its_response_format() -> None:
    schema = ResponseFormat(type=ResponseFormatType.JSON_SCHEMA, json_schema={"type": "object"})
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=GenerationConfig(response_format=schema))
        text = ResponseFormat(type=ResponseFormatType.TEXT)
        config = await thread.update_config(GenerationConfig(response_format=text))
        assert config.response_format == text


async def test_what_is_valid_alone_and_not_with_what_was_kept_is_refused() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        kept = Settings(context_management=ContextManagement(threshold=0.5))
        await thread.open(settings=kept)
        with pytest.raises(RpcError) as refused:
            await thread.update_settings(Settings(context_management=ContextManagement(target=0.7)))
        assert refused.value.reason == "request.invalid"
        [violation] = refused.value.details.field_violations
        assert violation.field == "settings.contextManagement"
        assert (await thread.state()).settings == kept


async def test_zero_is_a_temperature_and_not_the_absence_of_one() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=GenerationConfig(temperature=1))
        assert await thread.update_config(GenerationConfig(temperature=0)) == GenerationConfig(
            temperature=0
        )


async def test_a_changed_config_holds_for_messages_sent_from_then_on() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=GenerationConfig(model="old"))
        first, waiting = await thread.send(), await thread.send()
        await thread.update_config(GenerationConfig(model="new"))
        later = await thread.send()
        configs = [(await thread.run(r.run_id)).generation_config for r in (first, waiting, later)]
        assert [config.model for config in configs if config] == ["old", "old", "new"]


async def test_changed_settings_hold_from_the_next_run_on() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first = await thread.send("one")
        waiting = await thread.send("two")
        await thread.update_settings(Settings(system_prompt="be brief"))
        await thread.finish(first.run_id)
        work = (await thread.begin(waiting.run_id)).work
        assert work is not None
        assert work.context[0].content == "be brief"
        [(_, request), _] = platform.sent(generation.run)
        assert request.work is not None
        assert [message.content for message in request.work.context] == ["one"]


async def test_an_unknown_model_is_refused_and_changes_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, models=["known"])
        await thread.open()
        before = dict(platform.state(contract.component, thread.key))
        with pytest.raises(RpcError) as refused:
            await thread.update_config(GenerationConfig(fallback_models=["unknown"]))
        assert refused.value.code is Code.MODEL_INVALID
        assert platform.state(contract.component, thread.key) == before


async def test_the_settings_of_what_was_never_opened_are_not_found() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        for update in (
            thread.update_settings(Settings()),
            thread.update_config(GenerationConfig()),
        ):
            with pytest.raises(RpcError) as refused:
                await update
            assert refused.value.reason == contract.THREAD_NOT_FOUND.word


async def test_a_changed_thread_is_still_found_by_a_repeat_of_its_creation() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        first = await thread.open("one", settings=Settings(keep_last=3))
        await thread.update_settings(Settings(keep_last=5))
        assert await thread.open("one", settings=Settings(keep_last=3)) == first
        assert (await thread.state()).settings == Settings(keep_last=5)


async def test_updates_survive_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        await thread.open()
        settings = await thread.update_settings(Settings(keep_last=5))
        config = await thread.update_config(GenerationConfig(seed=1), "model")
        return [settings, config, await thread.state()]

    assert await survives_every_crash(story) > 10

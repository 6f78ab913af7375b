"""Playing a story once for every moment at which its process could die."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.fake_platform import FakePlatform

Story = Callable[[FakePlatform], Awaitable[Any]]


async def survives_every_crash(story: Story) -> int:
    """Fail unless the story ends the same, whenever its process dies and however it suspends.

    story: serves fresh components on the platform that it is given, makes calls, and returns
        what its callers got; states and sends are compared too.
    Returns the number of crashes.
    """
    expected, moments = await _play(story, FakePlatform())
    assert moments > 0, "a story in which nothing becomes durable proves nothing"
    suspended, _ = await _play(story, FakePlatform(suspends=True))
    assert suspended == expected, "with every handler suspended at every wait"
    for moment in range(1, moments + 1):
        died, stored = await _play(story, FakePlatform(dies_at=moment))
        assert stored > moments, f"the crash at {moment} of {moments} did not happen"
        assert died == expected, f"with a crash at {moment} of {moments}"
    return moments


async def _play(story: Story, platform: FakePlatform) -> tuple[dict[str, Any], int]:
    async with platform:
        answers = await story(platform)
        return platform.effects() | {"answers": answers}, platform.stored

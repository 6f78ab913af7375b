"""Random walks over branches, against a plain list for each."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation.settings import ConversationSettings
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform

WIDE = ConversationSettings(keep_last=1000)


@dataclass
class Tree:
    """What a thread should be: each branch as the list of its messages."""

    branches: dict[str, list[str]] = field(default_factory=lambda: {"main": list[str]()})
    active: str = "main"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000)), min_size=1, max_size=14))
@settings(max_examples=60, deadline=None)
def test_every_branch_is_what_was_said_on_its_way(moves: list[tuple[int, int]]) -> None:
    """Whatever is said, edited, answered anew and chosen; the model sees exactly the branch."""

    async def play() -> None:
        async with FakePlatform() as platform:
            thread = Conversation(platform, settings=WIDE)
            await thread.open()
            tree, ids, count = Tree(), dict[str, str](), 0

            async def answer(run_id: str, said: list[str]) -> None:
                assert await thread.asked(run_id) == said
                await thread.finish(run_id, f"a{count}")
                tree.branches[tree.active] = [*said, f"a{count}"]

            for move, pick in moves:
                count += 1
                now = tree.branches[tree.active]
                if move == 0 or not now:
                    sent = await thread.send(f"q{count}")
                    ids[f"q{count}"] = sent.message_id
                    await answer(sent.run_id, [*now, f"q{count}"])
                elif move == 3:
                    tree.active = sorted(tree.branches)[pick % len(tree.branches)]
                    await thread.choose(tree.active)
                else:
                    at = pick % (len(now) // 2) * 2
                    named = ids[now[at]]
                    if move == 1:
                        branched = await thread.regenerate(named)
                        said = now[: at + 1]
                    else:
                        branched = await thread.edit(named, f"q{count}")
                        ids[f"q{count}"] = branched.message_id
                        said = [*now[:at], f"q{count}"]
                    tree.active = branched.branch_id
                    await answer(branched.run_id, said)
                assert await thread.said() == tree.branches[tree.active]
            for branch, said in tree.branches.items():
                assert await thread.read(branch, size=3) == said
                pages = await thread.messages(3, branch_id=branch)
                assert [m.content for page in pages for m in page] == said[::-1]

    asyncio.run(play())

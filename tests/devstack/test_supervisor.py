"""The supervisor starts again what dies, ever later, and says why."""

import sys
from pathlib import Path
from typing import cast

from devstack.processes import Command, Process, wait_until
from devstack.stack import Stack
from devstack.supervisor import LONGEST_PAUSE_SECONDS, Supervisor


class Watch:
    """A supervisor over one program, with a clock that the test moves."""

    def __init__(self, folder: Path, code: str) -> None:
        arguments = (sys.executable, "-c", code)
        self.process = Process(Command("part", arguments, folder / "log"))
        self.said: list[str] = []
        self.changes: list[int | None] = []
        self.now = 0.0
        self.process.start()
        self.supervisor = Supervisor(
            cast("Stack", self),
            self.said.append,
            lambda: self.changes.append(self.process.pid),
            clock=lambda: self.now,
        )

    @property
    def processes(self) -> dict[str, Process]:
        return {"part": self.process}

    def pause_after_death(self) -> float:
        """Let it die and come back; how long that was delayed."""
        assert wait_until(lambda: not self.process.running, 20)
        starts = len(self.changes)
        self.supervisor.look()
        paused = 0.0
        while not self.process.running and len(self.changes) < starts + 2:
            self.now += 0.5
            paused += 0.5
            self.supervisor.look()
            if paused > LONGEST_PAUSE_SECONDS + 1:
                raise AssertionError("it was not started again")
        return paused


DIES = "print('no room left for me', flush=True); raise SystemExit(3)"


def test_a_first_death_is_answered_at_once_and_further_ones_ever_later(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DIES)
    pauses = [watch.pause_after_death() for _ in range(4)]
    assert pauses == [0.0, 0.5, 1.0, 2.0]
    watch.process.kill()


def test_a_death_after_a_long_life_is_a_first_one_again(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DIES)
    watch.pause_after_death()
    watch.pause_after_death()
    watch.now += 60
    assert watch.pause_after_death() == 0.0
    watch.process.kill()


def test_a_death_is_told_with_its_reason_and_a_second_one_with_the_log(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DIES)
    watch.pause_after_death()
    assert "exit code 3" in watch.said[0]
    assert not any("no room left for me" in each for each in watch.said)
    watch.pause_after_death()
    assert any("no room left for me" in each for each in watch.said)
    watch.process.kill()


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    watch = Watch(tmp_path, "raise OSError('No space left on device')")
    watch.pause_after_death()
    assert any("disk is full" in each for each in watch.said)
    watch.process.kill()


def test_every_change_of_a_process_is_published(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DIES)
    first = watch.process.pid
    watch.pause_after_death()
    watch.pause_after_death()
    assert None in watch.changes
    assert first not in watch.changes
    watch.process.kill()

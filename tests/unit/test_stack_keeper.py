"""A part that dies is started again, one that cannot start says why, and a start can be called off."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from greenlight_dagster.stack.child import Child
from greenlight_dagster.stack.keeper import Abandoned, Keeper
from greenlight_dagster.stack.parts import Part
from studio.errors import StackError
from tests.support.waiting import eventually

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[tuple[Keeper, list[str]]]:
    lines: list[str] = []
    kept = Keeper(tmp_path, lambda: os.environ, say=lines.append, changed=lambda: lines.append("changed"))
    yield kept, lines
    for made in kept.children().values():
        made.kill()


def test_a_part_that_dies_is_started_again_and_said_so(keeper: tuple[Keeper, list[str]]) -> None:
    kept, lines = keeper
    cleared: list[bool] = []
    kept.start(Part("part", lambda: SLEEP, lambda child: child.running, lambda: cleared.append(True)))
    first = kept.children()["part"]
    os.kill(first.pid, signal.SIGKILL)

    def is_back() -> bool:
        kept.look_after()
        return "part is back." in lines

    eventually(is_back)
    assert kept.children()["part"].pid != first.pid
    assert kept.children()["part"].running
    assert re.match(r"part ended \(signal SIGKILL\), and is started again in 0\.[12] s; its log is ", lines[1])
    assert cleared == [True, True]
    assert lines.count("changed") == 2


def test_a_part_that_does_not_start_shows_the_end_of_its_log(keeper: tuple[Keeper, list[str]]) -> None:
    kept, _ = keeper
    broken = [sys.executable, "-c", "raise SystemExit('no definitions')"]
    with pytest.raises(StackError, match=r"part ended with exit code 1.*\n.*no definitions"):
        kept.start(Part("part", lambda: broken, lambda _child: False))


def test_a_part_that_never_answers_is_given_up(keeper: tuple[Keeper, list[str]]) -> None:
    kept, _ = keeper
    with pytest.raises(StackError, match="does not answer after 0 s"):
        kept.start(Part("part", lambda: SLEEP, lambda _child: False, timeout=0.01, retries=5))
    assert len(kept.children()) == 1


def test_a_first_start_is_tried_again_with_another_command(keeper: tuple[Keeper, list[str]]) -> None:
    kept, _ = keeper
    commands = iter([["false"], SLEEP])
    kept.start(
        Part("part", lambda: next(commands), lambda child: child.running and "time.sleep" in argv(child), retries=1)
    )
    assert kept.children()["part"].running


def argv(child: Child) -> str:
    try:
        return " ".join(psutil.Process(child.pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_a_start_can_be_called_off(keeper: tuple[Keeper, list[str]]) -> None:
    kept, _ = keeper
    kept.abandon.set()
    with pytest.raises(Abandoned):
        kept.start(Part("part", lambda: SLEEP, lambda _child: False))
    assert kept.children()["part"].running  # for the stop to end


def test_of_two_starts_the_error_of_one_calls_the_other_off(keeper: tuple[Keeper, list[str]]) -> None:
    kept, _ = keeper
    broken = Part("broken", lambda: ["false"], lambda _child: False)
    silent = Part("silent", lambda: SLEEP, lambda _child: False)
    with pytest.raises(StackError, match="The broken ended"):
        kept.together(lambda: kept.start(silent), lambda: kept.start(broken))
    with pytest.raises(Abandoned):
        kept.together(lambda: None)

"""A processor that something slows down is seen, though it shows in no counter."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from bench.guard import pace
from bench.guard.pace import Pace
from bench.summary import slowed

FAST, SLOW = 1e-4, 1.8e-4
Read = Callable[..., list[float]]


def readings(*paces: float) -> Read:
    """One processor, which takes these seconds one after the other."""
    left = list(paces)
    return lambda _: [left.pop(0)]


def blocks(read: Read, count: int) -> list[dict[str, float]]:
    """What is seen beside so many blocks."""
    watched, found = Pace([0], read=read), []
    for _ in range(count):
        with watched.watch() as seen:
            pass
        found.append(seen)
    return found


def tables(blocks: pd.DataFrame) -> Any:
    """The tables of a run with these blocks."""
    return SimpleNamespace(blocks=blocks)


def test_a_block_before_or_after_which_the_processor_is_slow_is_told() -> None:
    paces = [FAST] * 8 + [FAST, SLOW] + [SLOW, FAST] + [FAST, FAST]
    seen = pd.DataFrame(blocks(readings(*paces), 7))
    assert seen["slowed"].tolist() == pytest.approx([1, 1, 1, 1, 1.8, 1.8, 1])
    (said,) = slowed(tables(seen))
    assert said.startswith("a processor ran at 56% of its usual speed beside 29% of the b")


def test_a_machine_that_is_seldom_slowed_is_no_matter() -> None:
    assert slowed(tables(pd.DataFrame({"slowed": [1.0] * 19 + [1.8]}))) == []
    assert slowed(tables(pd.DataFrame({"process": [0]}))) == []


def test_a_clock_that_sinks_for_good_is_the_usual_one_after_a_while() -> None:
    found = blocks(readings(*[FAST] * 20, *[SLOW] * 2 * pace.KEPT), 10 + pace.KEPT)
    assert (found[10]["slowed"], found[-1]["slowed"]) == pytest.approx((1.8, 1))


def test_each_processor_has_its_own_usual() -> None:
    watched = Pace([0, 1], read=lambda _: [FAST, SLOW])
    assert [watched.read() for _ in range(3)][-1] == [1, 1]


@pytest.mark.parametrize("still", [True, False])
def test_where_workers_never_stand_still_nothing_is_read(still: bool) -> None:
    with Pace([0], still, readings(FAST, FAST)).watch() as seen:
        pass
    assert seen == ({"slowed": 1} if still else {})


def test_a_failure_in_the_block_stays_one() -> None:
    with pytest.raises(KeyError), Pace([0], read=readings(FAST, FAST)).watch():
        raise KeyError


def test_the_work_is_done_on_each_processor_and_the_thread_may_go_anywhere_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed, seen = os.sched_getaffinity(0), []
    real = pace.work
    monkeypatch.setattr(pace, "work", lambda: seen.append(os.sched_getaffinity(0)) or real())
    assert all(seconds > 0 for seconds in pace.timed(sorted(allowed)))
    assert seen == [{cpu} for cpu in sorted(allowed)]
    with pytest.raises(OSError):
        pace.timed([max(allowed) + 4096])
    assert os.sched_getaffinity(0) == allowed

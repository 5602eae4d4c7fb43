"""Workers of a heat: one goes, the others stand."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from bench.client import Failure
from bench.lineup import Lineup
from tests.conftest import worker

HELLO = {"mode": "plain", "device": "cpu", "precision": "fp32", "threads": 1}


def stopped(lineup: Lineup[str], name: str) -> bool:
    process = psutil.Process(lineup.workers[name].process.pid)
    return bool(process.status() == psutil.STATUS_STOPPED)


@pytest.mark.parametrize("stops", [True, False])
def test_idle_ones_stand_where_they_can_be_stopped(tmp_path: Path, stops: bool) -> None:
    with Lineup[str](stops) as lineup:
        for name in ("one", "two"):
            lineup.enter(name, worker("toy", tmp_path / name))
            with lineup.turn(name) as running:
                running.call("hello", 30, **HELLO)
        assert [stopped(lineup, n) for n in ("one", "two")] == [stops, stops]
        with lineup.turn("one"):
            assert not stopped(lineup, "one") and stopped(lineup, "two") == stops


def test_who_dies_in_its_turn_leaves_and_the_others_stay(tmp_path: Path) -> None:
    with Lineup[str](True) as lineup:
        for name in ("crash", "toy"):
            lineup.enter(name, worker(name, tmp_path / name))
        with pytest.raises(Failure, match="SIGKILL"), lineup.turn("crash") as running:
            running.call("hello", 30, **HELLO)
            running.signal(signal.SIGKILL)
            running.call("hello", 30, **HELLO)
        assert list(lineup.workers) == ["toy"]


def test_all_are_ended(tmp_path: Path) -> None:
    with Lineup[str](True) as lineup:
        lineup.enter("toy", worker("toy", tmp_path / "log"))
        process = lineup.workers["toy"].process
        with lineup.turn("toy"):
            pass
    assert process.poll() is not None

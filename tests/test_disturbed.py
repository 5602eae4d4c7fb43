"""Blocks under a foreign load are marked and kept, measured again, and do not decide a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import schedule, stats, store, summary
from bench.cases import Contender
from bench.race import Race
from bench.stats import Block, Watched
from tests.conftest import fakes, go
from tests.plans import GRAPHS, PLAN

pytestmark = pytest.mark.alone

# -- the race --------------------------------------------------------------------------------------

ONE, OTHER = Contender("toy", "plain"), Contender("toy", "other")


RACE = replace(PLAN, contenders=(ONE, OTHER))


class Scripted:
    """Sees a foreign load in these blocks, by number."""

    def __init__(self, *loaded: int) -> None:
        self.loaded, self.count = loaded, 0

    @contextmanager
    def watch(self, group: int) -> Iterator[dict[str, Any]]:
        found: dict[str, Any] = {}
        yield found
        found |= {"window": 0.1, "foreign": 0.1 * (self.count in self.loaded)}
        self.count += 1


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The blocks of a race of six rounds of two, some of them under foreign load."""
    monkeypatch.setattr(schedule, "BLOCK", 0.01)
    monkeypatch.setattr(schedule, "ROUNDS", (3, 6))

    def run(*loaded: int, **changes: Any) -> Any:
        plan = replace(RACE, **changes)
        journal = store.Run.create(tmp_path / "run", {"plan": plan.to_json()})
        race = Race(journal, plan, GRAPHS, fakes(*plan.contenders))
        race.guard = Scripted(*loaded)  # type: ignore[assignment]
        list(go(race))
        return store.load(journal.folder)

    return run


def test_a_quiet_race_has_no_marks_and_no_more_rounds(blocks: Any) -> None:
    tables = blocks()
    assert len(tables.blocks) == 12 and not tables.samples["marked"].any()
    assert (tables.blocks["disturbance"] == "").all()


def test_a_disturbed_round_is_marked_kept_and_taken_again_whole(
    blocks: Any, tmp_path: Path
) -> None:
    tables = blocks(2, 3, 7)  # both blocks of round 1, one of round 3
    found = tables.blocks
    assert sorted(found.query("disturbance != ''")["round"]) == [1, 1, 3]
    assert found.groupby("round").size().to_dict() == dict.fromkeys(range(8), 2)
    shown = summary.summarise(store.Run.open(tmp_path / "run"), tables)
    assert sorted(shown["disturbed"]) == [1, 2] and (shown["blocks"] == 8).all()


def test_at_most_a_third_of_the_rounds_is_taken_again(blocks: Any) -> None:
    tables = blocks(*range(100))
    assert tables.blocks["round"].nunique() == 6 + 2


def test_nothing_is_taken_again_that_the_budget_does_not_hold(blocks: Any) -> None:
    tables = blocks(*range(100), budget=1e-6)
    assert tables.blocks["round"].nunique() == 1


# -- the verdict -----------------------------------------------------------------------------------

PROCESSES, ROUNDS = 5, 12


def races(seed: int, load: float, slower: float, other: float) -> tuple[Watched, Watched]:
    """Two equal contenders. A neighbour meets the one in a share `load` of its blocks, the other in
    a share `other`, and makes them slower by a factor."""
    source = np.random.default_rng(seed)

    def one(share: float, machine: dict[Block, float]) -> Watched:
        own = source.normal(0, 0.01, PROCESSES)
        hit = {block for block in machine if source.random() < share}
        times = {
            block: [float(np.exp(noise + own[block[0]])) * (slower if block in hit else 1)]
            for block, noise in machine.items()
        }
        return Watched(times, hit)

    rounds = [(p, r) for p in range(PROCESSES) for r in range(ROUNDS)]
    noise = {block: float(source.normal(0, 0.05)) for block in rounds}
    return one(load, noise), one(other, noise)


def verdict(one: Any, other: Any) -> str:
    return stats.verdicts([stats.ratio(one, other)])[0]


def test_a_neighbour_that_meets_one_of_two_does_not_decide() -> None:
    one, other = races(1, load=0.8, slower=1.5, other=0.0)
    assert verdict(dict(one), dict(other)) == "SLOWER"  # without the marks
    assert verdict(one, other) in ("SAME", "UNDECIDED")


def test_what_is_left_out_does_not_bias_the_ratio() -> None:
    found = [stats.ratio(*races(seed, 0.5, 1.5, 0.2)) for seed in range(400)]
    logs = np.log([ratio.value for ratio in found])
    assert abs(logs.mean()) < 3 * logs.std() / np.sqrt(len(logs))
    false = np.mean([not ratio.low <= 1 <= ratio.high for ratio in found])
    assert false < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(found))


def test_a_process_that_was_disturbed_throughout_stays_a_replicate() -> None:
    times = {(process, round_): [1.0 + process] for process in range(3) for round_ in range(4)}
    throughout = Watched(times, {block for block in times if block[0] == 2} | {(0, 1)})
    assert stats.median(throughout) == stats.median(times)
    assert len(stats.unmarked(times, throughout.marked)) == 11

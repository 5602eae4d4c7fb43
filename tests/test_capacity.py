"""The largest batch that fits: the search, the limit, and what has nothing to do with memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import capacity, cases, gate, parity, store, summary, weights
from bench.capacity import GAP, Try
from bench.cases import Contender
from bench.client import Failure
from bench.errors import BenchError
from tests.conftest import fake, fakes
from tests.test_memory import BATCH, GRAPH, HELD, TAKEN
from tests.test_race import GRAPHS, PLAN


@pytest.mark.parametrize("largest", [0, 1, 2, 3, 7, 31, 32, 33, 100, 777, 1000])
def test_the_search_finds_it_within_its_gap(largest: int) -> None:
    tries = capacity.search(lambda batch: Try(batch, batch <= largest, None), most=1000)
    fit = max((t.batch for t in tries if t.fits), default=0)
    fail = min((t.batch for t in tries if not t.fits), default=1001)
    assert fit <= largest < fail
    assert fail - fit <= max(1, GAP * fit)
    assert len(tries) == len({t.batch for t in tries}) <= 17


def tried(folder: Path, batch: int, limit: int | None, name: str = "hungry") -> Try:
    files = parity.save(folder, GRAPH, weights.weights(GRAPH), *weights.batch(GRAPH, BATCH))
    start = lambda: gate.start(fake(name), "cpu", "fp32", 1, folder / "logs")
    return capacity.attempt(start, files, "train", batch, limit)


def test_a_batch_is_repeated_pictures_and_takes_what_it_takes(tmp_path: Path) -> None:
    one, five = (tried(tmp_path, batch, None) for batch in (1, 5))
    assert one.peak and five.peak
    assert five.peak - one.peak == pytest.approx(4 * TAKEN, rel=0.01)


def test_a_process_beyond_the_limit_is_ended(tmp_path: Path) -> None:
    found = tried(tmp_path, 30, HELD + 5 * TAKEN)
    assert (found.fits, found.peak) == (False, None)
    assert found.reason == f"more than the limit of {HELD + 5 * TAKEN} bytes"


def test_a_framework_that_is_out_of_memory_does_not_fit(tmp_path: Path) -> None:
    found = tried(tmp_path, 1, None, "greedy")
    assert not found.fits and "1 TiB" in found.reason


def test_another_failure_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="boom"):
        tried(tmp_path, 1, None, "raises")


def test_the_journal_has_the_search_and_the_table_its_result(tmp_path: Path) -> None:
    who = Contender("hungry", "plain")
    limit = HELD + 6 * TAKEN
    plan = replace(PLAN, contenders=(who,), models=("one",), phases=("train",),
                   largest_batch=True, memory_limit=limit)  # fmt: skip
    run = store.Run.create(tmp_path / "run", {"plan": plan.to_json()})
    graphs = {"one": GRAPHS["one"]}
    (said,) = capacity.explore(run, plan, graphs, fakes(who))
    (entry,) = run.entries()
    assert said == (
        "one train hungry plain",
        f"batch {entry['batch']}, {entry['batch'] + 1} is too large",
    )
    assert 3 <= entry["batch"] <= 5 and entry["limit"] == limit  # the interpreter has its part too
    assert list(capacity.explore(run, plan, graphs, fakes(who))) == []  # it is known
    tables = store.load(run.folder)
    assert tables.largest["too_large"].tolist() == [entry["batch"] + 1]
    frame = summary.summarise(run, tables)
    assert frame["largest_batch"].tolist() == [entry["batch"]]


def test_a_plan_of_an_older_run_searches_nothing() -> None:
    old = {k: v for k, v in PLAN.to_json().items() if k not in ("largest_batch", "memory_limit")}
    assert cases.Plan.from_json(old) == PLAN


@pytest.mark.parametrize(("text", "bytes_"), [("4G", 2**32), ("512M", 2**29), ("7", 7)])
def test_a_limit_has_a_unit(text: str, bytes_: int) -> None:
    assert cases.bytes_of(text) == bytes_


@pytest.mark.parametrize("text", ["", "G", "0G", "4GB", "-1", "1.5G"])
def test_a_wrong_limit_says_what_is_right(text: str) -> None:
    with pytest.raises(BenchError, match="not a size such as 512M or 4G"):
        cases.bytes_of(text)

"""What the tables are grouped by is quick, and is what pandas would have found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import stats, store, summary
from bench.store import Tables
from tests import journals

TRUTH = {
    (who, model, phase): seconds
    for who, seconds in (("torch eager", 0.1), ("jax nnx", 0.2))
    for model in ("lenet5", "alexnet")
    for phase in ("inference", "train")
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    lines = list(journals.times(TRUTH))
    for line in lines[::5]:
        line |= {"window": 1.0, "foreign": 0.9}  # disturbed
    return store.load(journals.written(tmp_path_factory.mktemp("runs") / "run", lines))


def slowly(samples: pd.DataFrame, by: list[str]) -> dict[tuple[object, ...], stats.Watched]:
    """The same by pandas, a sample at a time."""
    found = {}
    for key, group in samples.groupby(by):
        blocks: dict[Any, pd.DataFrame] = dict(
            iter(group.groupby(["process", "round"], sort=False))
        )
        values = {block: rows["seconds"].tolist() for block, rows in blocks.items()}
        marked = [block for block, rows in blocks.items() if rows["marked"].any()]
        found[tuple(key)] = stats.Watched(values, marked)
    return found


@pytest.mark.parametrize("by", [summary.CASE, ["run", "model"]])
@pytest.mark.parametrize("shuffled", [False, True])
def test_blocks_are_those_that_pandas_finds(tables: Tables, by: list[str], shuffled: bool) -> None:
    samples = tables.samples
    if shuffled:
        samples = samples.iloc[np.random.default_rng(0).permutation(len(samples))]
    assert samples["marked"].any() and not samples["marked"].all()
    found, expected = summary.grouped(samples, by), slowly(samples, by)
    assert list(found) == list(expected) and found == expected
    assert [list(b) for b in found.values()] == [list(b) for b in expected.values()]
    assert [b.marked for b in found.values()] == [b.marked for b in expected.values()]


def test_samples_that_lack_a_value_belong_to_no_case(tables: Tables) -> None:
    samples = tables.samples.assign(threads=tables.samples["threads"].where(
        tables.samples["model"] == "lenet5"
    ))  # fmt: skip
    found = summary.grouped(samples, summary.CASE)
    assert found == slowly(samples, summary.CASE) and len(found) == len(TRUTH) / 2
    assert summary.grouped(samples.iloc[:0], summary.CASE) == {}


def test_blocks_of_one_case_and_of_none(tables: Tables) -> None:
    case, blocks = next(iter(summary.grouped(tables.samples, summary.CASE).items()))
    rows = summary.Index(tables.samples, summary.CASE).of(
        dict(zip(summary.CASE, case, strict=True))
    )
    assert summary.blocks(rows) == blocks
    assert summary.blocks(tables.samples.iloc[:0]) == {}


def test_an_index_has_the_rows_of_a_case_in_their_order(tables: Tables) -> None:
    index = summary.Index(tables.blocks, ["framework", "model", "weather"])
    found = index.of({"framework": "jax", "model": "lenet5", "weather": "fine"})
    expected = tables.blocks.query("framework == 'jax' and model == 'lenet5'")
    pd.testing.assert_frame_equal(found, expected)
    none = index.of({"framework": "mxnet", "model": "lenet5"})
    assert none.empty and list(none) == list(tables.blocks)


def test_an_empty_table_has_an_index(tmp_path: Path) -> None:
    empty = store.load(journals.written(tmp_path / "run", []))
    assert summary.Lines(empty).of("memory", dict.fromkeys(summary.CASE, "")).empty

"""Frameworks that cheat, and one that does not, in one race: each is detected and named."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest

from bench import store, summary
from bench.cases import Contender, Plan
from bench.graph import Graph, Tensor, build
from bench.race import Race
from tests.conftest import fakes, go

pytestmark = pytest.mark.alone
NAMES = ("toy", "hasty", "tiring", "fickle", "remembering")


def work(x: Tensor) -> Tensor:
    return x.conv(8, 5).relu().global_avgpool().dense(5)


GRAPH: Graph = build(work, "work", (3, 32, 32))
PLAN = Plan(
    contenders=tuple(Contender(name, "plain") for name in NAMES), models=("work",),
    phases=("inference",), batches=(4,), device="cpu", precision="fp32", threads=1,
    profile="smoke", budget=20.0, processes=2, within=0.1, seed=1,
)  # fmt: skip


RACES = 3  # in one of them: a neighbour on the machine gives everybody two speeds, or hides a drift

Table = Callable[[int], pd.DataFrame]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The rows by framework, of a race of all of them: the first, or another if that is asked."""

    @cache
    def raced(number: int) -> pd.DataFrame:
        header = {"plan": PLAN.to_json(), "machine": {"matrix_product": 1e11}}
        header["models"] = {"work": {"macs": GRAPH.macs}}
        run = store.Run.create(tmp_path_factory.mktemp("fakes") / f"run{number}", header)
        race = Race(run, PLAN, {"work": GRAPH}, fakes(*PLAN.contenders))
        list(go(race))
        return summary.summarise(run, store.load(run.folder)).set_index("framework")

    return raced


def in_one(table: Table, name: str, mark: str) -> bool:
    """Whether a contender has a number and this mark, or with "" none."""
    rows = (table(number).loc[name] for number in range(RACES))
    return any(
        row["status"] == "ok" and (row["marks"].startswith(mark) if mark else not row["marks"])
        for row in rows
    )


def test_an_honest_framework_has_no_mark(table: Table) -> None:
    assert in_one(table, "toy", "")


def test_one_that_does_not_wait_has_no_number(table: Table) -> None:
    hasty = table(0).loc["hasty"]
    assert hasty["status"] == "wrong" and pd.isna(hasty["median"])
    assert hasty["reason"].startswith("not synchronised: ")


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("tiring", "drifts by +"),
        ("fickle", "two kinds of samples, "),
        ("remembering", "faster than possible: "),
    ],
)
def test_what_must_be_known_stands_beside_the_number(table: Table, name: str, mark: str) -> None:
    assert in_one(table, name, mark)

"""Frameworks that cheat, and one that does not, in one race: each is detected and named."""

from __future__ import annotations

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
PEER = Contender("toy", "other")  # as honest: what the machine does to both is not one's own
PLAN = Plan(
    contenders=(*(Contender(name, "plain") for name in NAMES), PEER), models=("work",),
    phases=("inference",), batches=(4,), device="cpu", precision="fp32", threads=1,
    profile="smoke", budget=20.0, processes=2, within=0.1, seed=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows by framework, of a race of all of them."""
    header = {"plan": PLAN.to_json(), "machine": {"matrix_product": 1e11}}
    header["models"] = {"work": {"macs": GRAPH.macs}}
    run = store.Run.create(tmp_path_factory.mktemp("fakes") / "run", header)
    race = Race(run, PLAN, {"work": GRAPH}, fakes(*PLAN.contenders))
    list(go(race))
    rows = summary.summarise(run, store.load(run.folder))
    return rows[rows["mode"] == "plain"].set_index("framework")


def test_an_honest_framework_has_no_mark(table: pd.DataFrame) -> None:
    assert (table.loc["toy", "status"], table.loc["toy", "marks"]) == ("ok", "")


def test_one_that_does_not_wait_has_no_number(table: pd.DataFrame) -> None:
    hasty = table.loc["hasty"]
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
def test_what_must_be_known_stands_beside_the_number(
    table: pd.DataFrame, name: str, mark: str
) -> None:
    assert table.loc[name, "status"] == "ok"
    assert mark in table.loc[name, "marks"]  # a busy machine may add another

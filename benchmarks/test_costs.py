"""The costs of the harness; see README.md beside this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pytest_benchmark.fixture import BenchmarkFixture

from bench import compare, models, stats, steps, store, summary
from bench.cli import bench
from bench.store import Run
from bench.summary import CASE

FEW = {"rounds": 3, "warmup_rounds": 1}


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet152", "efficientnet_b7"])
def test_building_a_graph(benchmark: BenchmarkFixture, name: str) -> None:
    models.discover()
    assert benchmark(models.load, name).nodes


def test_a_graph_as_json(benchmark: BenchmarkFixture) -> None:
    assert benchmark(models.load("resnet152").to_json)


# -- a million samples ----------------------------------------------------------------------------


def test_loading_a_million_samples(benchmark: BenchmarkFixture, many: Run) -> None:
    tables = benchmark.pedantic(store.load, (many.folder,), **FEW)
    benchmark.extra_info["samples"] = len(tables.samples)


def test_the_table_of_a_million_samples(benchmark: BenchmarkFixture, many: Run) -> None:
    frame = benchmark.pedantic(summary.summarise, (many, store.load(many.folder)), **FEW)
    assert (frame["status"] == "ok").all()


def test_comparing_a_million_samples_with_as_many(benchmark: BenchmarkFixture, many: Run) -> None:
    assert len(benchmark.pedantic(compare.compare, (many, many), rounds=1))


def test_the_report_of_a_million_samples(
    benchmark: BenchmarkFixture, many: Run, tmp_path: Path
) -> None:
    if "report" not in bench.list_commands(None):  # type: ignore[arg-type]
        pytest.skip("this revision has no `bench report`")
    arguments = ["report", str(many.folder), "--out", str(tmp_path / "report")]
    done = benchmark.pedantic(CliRunner().invoke, (bench, arguments), rounds=1)
    assert done.exit_code == 0, done.output


# -- statistics -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blocks() -> list[stats.Blocks]:
    """Two contenders of 10 processes of 20 blocks of 50 samples."""
    random = np.random.default_rng(1)
    return [
        {(p, r): random.lognormal(0, 0.05, 50).tolist() for p in range(10) for r in range(20)}
        for _ in range(2)
    ]


def test_a_median_with_its_interval(
    benchmark: BenchmarkFixture, blocks: list[stats.Blocks]
) -> None:
    assert benchmark(lambda: stats.median(blocks[0]).interval())


def test_a_ratio_with_its_interval(benchmark: BenchmarkFixture, blocks: list[stats.Blocks]) -> None:
    assert benchmark(lambda: stats.ratio(*blocks).interval())


def test_the_verdicts_of_a_table_of_500(benchmark: BenchmarkFixture) -> None:
    random = np.random.default_rng(2)
    ratios = [stats.Estimate(float(v), 0.02, 8) for v in random.lognormal(0, 0.05, 500)]
    assert len(benchmark(stats.verdicts, ratios)) == 500


@pytest.mark.parametrize("nights", [30, 90])
def test_the_steps_of_110_series(benchmark: BenchmarkFixture, nights: int) -> None:
    times = np.random.default_rng(3).lognormal(0, 0.05, (110, nights)).tolist()
    steps.find(times)  # draws the shuffles, once for all series of this length
    assert len(benchmark.pedantic(steps.find, (times,), rounds=3)) == 110


def test_grouping_the_samples_of_a_case(benchmark: BenchmarkFixture, many: Run) -> None:
    group = next(iter(store.load(many.folder).samples.groupby(CASE)))[1]
    assert benchmark(summary.blocks, group)

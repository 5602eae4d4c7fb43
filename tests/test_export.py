"""`bench export`: what other programs read is what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.stats import Stats

from bench import export, store, summary
from bench.export import pytest_benchmark
from bench.store import Run
from tests.conftest import Command
from tests.nights import night

ENTRIES = {  # what github-action-benchmark asks of customSmallerIsBetter
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "unit": {"type": "string", "minLength": 1},
            "value": {"type": "number"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return night(
        tmp_path / "run", 1, {"jax": 2.0}, fails="mxnet", frameworks=("torch", "jax", "mxnet")
    )


def written(run: Run, kind: str) -> Any:
    (path,) = export.write(run, export.find(kind), run.folder.parent / "out" / "file.json")
    return json.loads(path.read_text(encoding="utf-8"))


def compared(*files: Path, **options: str) -> str:
    """What the real `pytest-benchmark compare` says."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "pytest_benchmark", "compare", *map(str, files), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=files[0].parent)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


# -- pytest-benchmark -----------------------------------------------------------------------------


def test_pytest_benchmark_compares_two_runs(run: Run, tmp_path: Path) -> None:
    other = night(tmp_path / "other", 2, {"torch": 3.0})
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for source, file in zip((run, other), files, strict=True):
        assert export.write(source, export.find("pytest-benchmark"), file) == [file]
    said = compared(*files, group_by="group", columns="median,rounds,iterations", csv="out.csv")
    assert "benchmark 'lenet5 train, batch 4, fp32, cpu, 2 threads': 4 tests" in said
    assert "mxnet" not in said
    rows = pd.read_csv(tmp_path / "out.csv")
    assert len(rows) == 16
    samples = store.load(run.folder).samples
    medians = samples.groupby("framework")["seconds"].median()
    torch = rows[rows["name"].str.endswith("torch plain")]["median"]
    assert torch.iloc[0] == pytest.approx(medians["torch"], rel=0.1)


def test_it_can_also_group_by_what_a_case_is_made_of(run: Run, tmp_path: Path) -> None:
    export.write(run, export.find("pytest-benchmark"), tmp_path / "one.json")
    said = compared(tmp_path / "one.json", group_by="param:framework", columns="min")
    assert "benchmark 'framework=torch': 4 tests" in said


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 50, 51])
def test_statistics_are_those_of_pytest_benchmark(count: int) -> None:
    seconds = np.random.default_rng(count).standard_exponential(count) + 0.1
    theirs = Stats()
    for value in seconds:
        theirs.update(float(value))
    ours = pytest_benchmark.statistics(seconds)
    assert ours.keys() == theirs.as_dict().keys()
    outliers = {"outliers", "iqr_outliers", "stddev_outliers"}
    for name, value in theirs.as_dict().items():
        assert ours[name] == (value if name in outliers else pytest.approx(value)), name


def test_every_case_that_has_a_number_is_there(run: Run) -> None:
    found = written(run, "pytest-benchmark")
    assert len(found["benchmarks"]) == 8
    assert len({one["fullname"] for one in found["benchmarks"]}) == 8
    one = found["benchmarks"][0]
    assert one["params"]["framework"] == "torch" and one["stats"]["rounds"] == 4 * 2 * 3
    assert one["stats"]["iterations"] == 2
    assert found["machine_info"]["cpu"] == {"brand_raw": "Imaginary CPU", "count": 4}
    assert found["commit_info"]["id"] == "abc" and found["commit_info"]["dirty"] is False


# -- github-action-benchmark ----------------------------------------------------------------------


def test_github_action_benchmark_gets_what_its_schema_asks(run: Run) -> None:
    found = written(run, "github-action-benchmark")
    jsonschema.validate(found, ENTRIES)
    assert len(found) == 8 == len({one["name"] for one in found})
    frame = summary.summarise(run, store.load(run.folder))
    medians = frame["median"].dropna()
    assert [one["value"] for one in found] == pytest.approx((medians * 1e3).tolist())
    half = max(frame["high"][0] - frame["median"][0], frame["median"][0] - frame["low"][0])
    assert float(found[0]["range"].removeprefix("± ")) == pytest.approx(half * 1e3, rel=1e-3)


def test_one_process_has_no_range(tmp_path: Path) -> None:
    found = written(night(tmp_path / "run", 1, processes=1), "github-action-benchmark")
    jsonschema.validate(found, ENTRIES)
    assert all("range" not in one for one in found)


def test_names_are_the_same_in_every_run(run: Run, tmp_path: Path) -> None:
    """Else no chart has a second point."""
    names = [one["name"] for one in written(run, "github-action-benchmark")]
    again = night(tmp_path / "again", 5, versions={"torch": "9.9"}, revision="xyz")
    assert [one["name"] for one in written(again, "github-action-benchmark")] == names


# -- tables, and the command ----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_a_file_of_samples(command: Command, run: Run, kind: str, read: Any) -> None:
    done = command("export", str(run.folder), "--format", kind, "--out", f"x/samples.{kind}")
    assert (done.status, done.out) == (0, f"x/samples.{kind}\n")
    samples = store.load(run.folder).samples
    frame = read(f"x/samples.{kind}")
    assert frame["seconds"].tolist() == samples["seconds"].tolist()
    assert list(frame.columns) == store.SAMPLES
    assert not Path(run.folder / "export").exists()


@pytest.mark.parametrize("kind", export.formats())
def test_every_format_has_a_place_of_its_own(command: Command, run: Run, kind: str) -> None:
    done = command("export", str(run.folder), "--format", kind)
    assert done.status == 0
    paths = [Path(line) for line in done.out.splitlines()]
    assert paths and all(path.is_file() and path.parent == run.folder / "export" for path in paths)


def test_a_format_that_there_is_not(command: Command, run: Run) -> None:
    done = command("export", str(run.folder), "--format", "pytest_benchmark")
    assert done.status == 2 and "Did you mean 'pytest-benchmark'?" in done.err


def test_the_formats_are_the_files() -> None:
    assert set(export.formats()) == {
        "csv", "parquet", "pytest-benchmark", "github-action-benchmark",
    }  # fmt: skip

"""What README says of the reference run is what its samples give."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from bench import store
from scripts import readme
from tests import journals
from tests.conftest import REPOSITORY

TRUTH = {
    ("torch eager", "lenet5", "inference"): 0.001, ("torch eager", "lenet5", "train"): 0.003,
    ("jax nnx", "lenet5", "inference"): 0.002, ("jax nnx", "lenet5", "train"): 0.002,
}  # fmt: skip
PLAN = {
    "contenders": [journals.who("torch eager"), journals.who("jax nnx")], "models": ["lenet5"],
    "phases": ["inference", "train"], "batches": [4], **journals.CELL,
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with a README and a run."""
    times = journals.times(TRUTH, time=pd.Timestamp("2026-11-25T01:42:00+00:00").timestamp())
    run = store.Run.open(journals.written(tmp_path / "run", times))
    run.replace(run.header() | {"plan": PLAN, "created": "2026-11-25T01:00:00+00:00"})
    (tmp_path / "README.md").write_text(f"# It\n\n{readme.BEGIN}\nold\n{readme.END}\n\nmore\n")
    return tmp_path


def call(place: Path, *options: str) -> Result:
    arguments = [str(place / "run"), "--readme", str(place / "README.md"), *options]
    return CliRunner().invoke(readme.main, arguments)


def test_readme_has_chart_verdicts_and_times_and_keeps_the_rest(place: Path) -> None:
    assert call(place).exit_code == 0
    said = (place / "README.md").read_text()
    assert said.startswith("# It\n\n") and said.endswith(f"{readme.END}\n\nmore\n")
    assert "2026-11-25, 42 minutes with the gate" in said
    assert "old" not in said and "(run/charts/overview.svg)" in said
    assert (place / "run/charts/overview.svg").read_text().startswith("<svg")
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert sum(line.startswith("| `") for line in rows) == 23
    assert [line.split()[1] for line in rows[-2:]] == ["torch", "jax"]  # fastest inference first


def test_readme_says_what_was_trained_and_how() -> None:
    recipe = {"epochs": 12, "data": "digits"}
    rows = [
        {**journals.who("torch eager"), "model": model, "seed": seed, **recipe}
        for model in ("plain20", "plain56")
        for seed in (0, 1, 2)
    ]
    rows += [row | journals.who("jax nnx") for row in rows]
    said = readme.trained(pd.DataFrame(rows))
    who = "torch eager, jax nnx"
    for part in ("bench train", "2 networks", "3 seeds", "12 epochs of digits", who):
        assert part in said
    assert readme.trained(pd.DataFrame(rows[:0])) == ""


def test_check_says_whether_it_is_what_the_run_gives(place: Path) -> None:
    first = call(place, "--check")
    assert first.exit_code == 1 and first.output.count("not what the run gives") == 3
    assert not (place / "run/summary.csv").exists()
    call(place)
    assert call(place, "--check").exit_code == 0
    table = place / "run/summary.csv"
    table.write_text(table.read_text().replace("ok", "wrong", 1))
    done = call(place, "--check")
    assert done.exit_code == 1 and done.output.count("summary.csv") == 1


def test_a_readme_without_marks_is_refused(place: Path) -> None:
    (place / "README.md").write_text("# It\n")
    done = call(place)
    assert done.exit_code == 2 and "README has no lines" in done.output


def test_the_committed_tables_are_those_of_the_committed_samples() -> None:
    if not readme.REFERENCE.is_dir():
        pytest.skip("no reference run is committed yet: results/reference is missing")
    run = store.Run.open(readme.REFERENCE)
    tables = store.load(readme.REFERENCE)
    for name, frame in readme.derived(run, tables).items():
        fresh, kept = (pd.read_csv(f) for f in (io.StringIO(readme.text(frame)), run.folder / name))
        pd.testing.assert_frame_equal(fresh, kept, rtol=1e-4)
    said = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert readme.section(run, tables, "results/reference") in said

"""`bench history`: steps where there are some, and only there, and what changed with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import history, steps
from bench.charts import fonts
from bench.errors import BenchError
from scripts import alarms
from tests.conftest import Command
from tests.nights import MACHINE, night

# -- steps in series ------------------------------------------------------------------------------


def series(levels: Sequence[float], noise: float = 0.02, seed: int = 1) -> list[float]:
    random = np.random.default_rng(seed)
    return [level * float(np.exp(noise * random.standard_normal())) for level in levels]


def places(times: Sequence[float]) -> list[int]:
    return [step.index for step in steps.find([times])[0]]


def test_a_step_is_found_with_its_place_and_its_size() -> None:
    (step,) = steps.find([series([1.0] * 15 + [1.3] * 10)])[0]
    assert step.index == 15
    assert step.factor == pytest.approx(1.3, rel=0.03)
    assert step.p_value < 0.01


@pytest.mark.parametrize(
    ("levels", "where"),
    [
        ([1.0] * 25, []),
        ([1.0] * 12 + [0.5] * 12, [12]),
        ([1.0] * 12 + [1.2] * 8 + [1.5] * 12, [12, 20]),
        ([1.0] * 20 + [1.3] * 8 + [1.0] * 20, [20, 28]),  # mended
        ([1.0] * 10 + [1.3] * 10 + [1.6] * 10 + [2.0] * 10, [10, 20, 30]),
        ([1.0] * 4, []),  # too few to tell
        ([1.0] * 12 + [9.0] + [1.0] * 12, []),  # one odd night
        ([1.0] * 12 + [9.0] * 2 + [1.0] * 12, []),
        ([], []),
    ],
)
def test_steps_of_many_kinds(levels: list[float], where: list[int]) -> None:
    assert places(series(levels)) == where


def test_a_series_that_never_moves_has_no_step() -> None:
    assert places([1.0] * 20) == []


def test_steps_that_many_make_at_once_are_believed_sooner() -> None:
    """Five nights of a slower level: not of one series among 20, but of half of them."""
    calm = [series([1.0] * 20, seed=n) for n in range(20)]
    slow = [series([1.0] * 15 + [1.3] * 5, seed=n) for n in range(20)]
    assert not any(steps.find([slow[0], *calm[1:]]))
    found = steps.find([*slow[:10], *calm[10:]])
    assert all(found[:10]) and not any(found[10:])


def test_the_threshold_is_benjamini_and_hochbergs() -> None:
    assert steps.benjamini_hochberg([0.01, 0.02, 0.03, 0.5]) == pytest.approx(0.05 * 3 / 4)
    assert steps.benjamini_hochberg([0.02, 0.5]) == pytest.approx(0.05 / 2)
    assert steps.benjamini_hochberg([0.03, 0.5]) == 0
    assert steps.benjamini_hochberg([]) == 0


@pytest.mark.parametrize("cuts", steps.CUTS)
@pytest.mark.parametrize("count", [9, 16, 41])
def test_shuffled_ranks_are_searched_as_ruptures_searches(cuts: int, count: int) -> None:
    random = np.random.default_rng(count)
    rows = np.array([random.permutation(count) + 1.0 for _ in range(20)])
    for row, gained in zip(rows, steps.gains(rows, cuts), strict=True):
        bounds = [0, *steps.best(row, cuts)]
        pieces = [row[start:end] for start, end in pairwise(bounds)]
        left = sum(len(piece) * piece.var() for piece in pieces)
        assert count * row.var() - left == pytest.approx(gained)


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    one, two = series([1.0] * 8 + [1.1] * 8), series([1.0] * 16, seed=2)
    first = steps.find([one])
    steps.luck.cache_clear()
    steps.find([two] * 30)
    assert steps.find([one]) == first


@pytest.mark.parametrize("name", alarms.NOISES)
@pytest.mark.parametrize(("count", "length"), [(1, 12), (1, 40), (15, 25)])
def test_histories_without_a_step_have_one_no_more_often_than_in_5_of_100(
    name: str, count: int, length: int
) -> None:
    random = np.random.default_rng(20)
    repeats = 300 if count == 1 else 100
    wrong = sum(
        alarms.alarmed(alarms.nights(alarms.NOISES[name], random, count, length))
        for _ in range(repeats)
    )
    assert alarms.rate(wrong, repeats)[-1] == "" and wrong / repeats <= 0.1


# -- the histories of runs ------------------------------------------------------------------------


def nights(
    folder: Path, levels: Sequence[Mapping[str, float]], changes: Mapping[int, object] | None = None
) -> None:
    """A run a night; from each night of `changes` on, torch has another version."""
    version = "1.0"
    for number, slower in enumerate(levels, start=1):
        version = str((changes or {}).get(number, version))
        night(folder / f"night{number:02}", number, slower, drift=0.01, versions={"torch": version})


CALM: Mapping[str, float] = {}
SLOW: Mapping[str, float] = {"torch": 1.25}


@pytest.fixture
def slowed(tmp_path: Path) -> Path:
    """Torch is slower from the night of its new version on."""
    nights(tmp_path / "results", [CALM] * 12 + [SLOW] * 8, {13: "2.0", 18: "2.1"})
    return tmp_path / "results"


def test_a_step_is_named_with_its_version(slowed: Path) -> None:
    frame = history.table(history.find([slowed]))
    assert list(frame.columns) == history.COLUMNS
    assert len(frame) == 20 * 8
    found = frame[frame["step"] != ""]
    assert set(found["framework"]) == {"torch"} and len(found) == 4
    assert set(found["run"]) == {"night13"} and set(found["step"]) == {"SLOWER"}
    assert set(map(tuple, found["changed"])) == {("torch 1.0 -> 2.0",)}
    assert set(found["together"]) == {4}
    assert found["factor"].tolist() == pytest.approx([1.25] * 4, rel=0.03)
    assert set(found["version"]) == {"2.0"}


def test_each_run_has_its_level(slowed: Path) -> None:
    frame = history.table(history.find([slowed]))
    one = frame.query("framework == 'torch' and model == 'lenet5' and phase == 'train'")
    assert one["run"].is_monotonic_increasing
    assert one["level"].nunique() == 2
    assert one["level"].iloc[0] == pytest.approx(one["seconds"].iloc[:12].median())
    assert one["level"].iloc[12] == pytest.approx(one["seconds"].iloc[12:].median())
    assert (one["low"] < one["seconds"]).all() and (one["seconds"] < one["high"]).all()


def test_another_commit_is_named(tmp_path: Path) -> None:
    for number in range(1, 21):
        slow = number > 10
        night(tmp_path / f"n{number:02}", number, {"torch": 1.3, "jax": 1.3} if slow else {},
              revision="bbb" if slow else "aaa")  # fmt: skip
    frame = history.table(history.find([tmp_path]))
    found = frame[frame["step"] != ""]
    assert len(found) == 8 and set(map(tuple, found["changed"])) == {("revision aaa -> bbb",)}
    assert set(found["together"]) == {8}  # everybody: not a framework


def test_a_history_without_a_step_has_none(tmp_path: Path) -> None:
    nights(tmp_path, [CALM] * 20)
    frame = history.table(history.find([tmp_path]))
    assert (frame["step"] == "").all() and history.alarms(frame) == 0


def test_machines_and_changed_networks_are_series_of_their_own(tmp_path: Path) -> None:
    night(tmp_path / "a", 1)
    night(tmp_path / "b", 2, machine=MACHINE | {"processor": "Other CPU"})
    night(tmp_path / "c", 3, models={"lenet5": {"digest": "another", "macs": 1000}})
    found = history.collect(history.find([tmp_path]))
    lengths = sorted(len(one.points) for one in found if one.case["model"] == "lenet5")
    assert lengths == [1] * 12
    assert len({one.machine for one in found}) == 2


def test_a_new_step_alarms_once(slowed: Path) -> None:
    """On the night on which it comes to light, and no more."""
    runs = history.find([slowed])
    alarmed = [n for n in range(12, 21) if history.alarms(history.table(runs[:n]))]
    assert alarmed and alarmed[0] < 20
    assert alarmed == list(range(alarmed[0], alarmed[-1] + 1)) and len(alarmed) <= 2


def test_runs_come_in_the_order_of_their_dates(tmp_path: Path) -> None:
    night(tmp_path / "later", 9)
    night(tmp_path / "x" / "earlier", 3)
    found = history.find([tmp_path / "later", tmp_path / "x", tmp_path / "later"])
    assert [run.folder.name for run in found] == ["earlier", "later"]


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"{tmp_path} is no run and holds none"):
        history.find([tmp_path])


# -- the command ----------------------------------------------------------------------------------


def test_the_exit_status_is_for_ci(command: Command, tmp_path: Path) -> None:
    nights(tmp_path / "results", [CALM] * 12 + [SLOW] * 8)
    runs = sorted((tmp_path / "results").iterdir())
    count = next(n for n in range(13, 21) if history.alarms(history.table(history.find(runs[:n]))))
    some = [str(path) for path in runs[:count]]
    assert command("history", *some).status == 1
    assert command("history", *some, "--fail-on", "nothing").status == 0
    assert command("history", *some[:-1]).status == 0
    done = command("history", "results")  # long known
    assert done.status == 0 and "SLOWER by 1.2" in done.out and "4 steps in 20 runs" in done.out


def test_what_became_faster_is_a_change_and_no_regression(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights(tmp_path / "results", [CALM] * 12 + [{"torch": 0.8}] * 8)
    monkeypatch.setattr(history.Series, "is_new", lambda *_: True)
    assert command("history").status == 0
    assert command("history", "--fail-on", "change").status == 1


def test_json_is_the_table(command: Command, slowed: Path) -> None:
    rows = json.loads(command("history", str(slowed), "--json").out)
    frame = history.table(history.find([slowed]))
    assert len(rows) == len(frame) and list(rows[0]) == history.COLUMNS
    assert [row["step"] for row in rows] == frame["step"].tolist()
    assert pd.DataFrame(rows)["seconds"].tolist() == pytest.approx(frame["seconds"].tolist())


def test_the_chart_is_a_file_in_a_language_or_an_error(
    command: Command, slowed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "chinese", lambda: ("Any", tmp_path / "any.ttf"))  # many have none
    runs = [run.folder for run in history.find([slowed])]
    places = [tmp_path / name for name in ("h.json", "zh.json", "few.json")]
    asked = [(slowed,), (slowed,), (runs[0],)]
    for place, what, lang in zip(places, asked, ("en", "zh", "en"), strict=True):
        words = [*map(str, what), "--chart", str(place), "--lang", lang, "--fail-on", "nothing"]
        done = command("history", *words)
        assert done.status == 0
    assert "draw several runs" in done.err and not places[2].exists()
    titles = [json.loads(place.read_text())["title"] for place in places[:2]]
    assert titles[0] != titles[1]
    done = command("history", str(slowed), "--chart", "h.gif")
    assert done.status == 2 and "gif" in done.err and "svg" in done.err


def test_false_alarms_are_measured_by_a_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = night(tmp_path / "run", 1, processes=8)
    monkeypatch.setattr(alarms, "SERIES", (1, 2))
    monkeypatch.setattr(alarms, "NIGHTS", (6, 8))
    monkeypatch.setattr(alarms, "FACTORS", (3.0,))
    monkeypatch.setattr(alarms, "PROCESSES", (3,))
    monkeypatch.setattr(alarms, "NOISES", {"normal": alarms.normal})
    with pytest.raises(SystemExit):
        alarms.main([str(run.folder), "--histories", "20"])
    out = capsys.readouterr().out
    for words in ("Histories without a step", "run, drawn", "run, in order", "Two runs", "normal"):
        assert words in out
    assert "| 5 of 20 | 200% | 8 nights | 100% |" in out

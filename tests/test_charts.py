"""Charts say what the tables say, to everyone who reads them, in both languages."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from bench import charts
from bench.charts import fonts, panels, payback, pictures, plane, theme, words
from bench.charts.data import Data, gather
from bench.errors import BenchError
from tests.conftest import REPOSITORY, Command
from tests.nights import MACHINE, night
from tests.runs import Made

PHASES = ("inference", "forward", "train", "step")
SCALING = {"threads"}  # what needs several runs


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Everything that a chart of one run could want; `caffe` is refused in every cell."""
    made = Made(frameworks=("torch", "jax", "mxnet", "theano", "caffe"), batches=(1, 8),
                phases=PHASES, refuses={"caffe": "no such operator"})  # fmt: skip
    return gather([made.write(tmp_path_factory.mktemp("runs") / "rich")])


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """What `bench run` measures without options: one batch, two phases."""
    return gather([Made().write(tmp_path_factory.mktemp("runs") / "quick")])


@pytest.fixture(scope="module")
def scaling(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("runs")
    return gather([Made(threads=n).write(folder / f"of{n}") for n in (1, 2, 4)])


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Torch becomes slower with a new version; jax has one process on the last night."""
    folder = tmp_path_factory.mktemp("runs")
    who = ("torch", "jax", "mxnet", "theano")
    for number in range(10, 26):
        late = number > 18
        night(folder / f"n{number:02}", number, {"torch resnet50": 1.3 if late else 1.0},
              frameworks=who, versions={"torch": "1.1" if late else "1.0"},
              processes=1 if number == 25 else 4, machine=MACHINE | {"memory_bytes": 16 * 2**30},
              version="0.1")  # fmt: skip
    return gather([folder / f"n{number}" for number in range(25, 9, -1)])


@pytest.fixture(scope="module")
def specs(rich: Data, scaling: Data, nights: Data) -> dict[str, dict[str, Any]]:
    several = charts.draw(scaling, only=SCALING).specs, charts.draw(nights, only=["history"]).specs
    return {**charts.draw(rich).specs, **several[0], **several[1]}


def rows(spec: dict[str, Any]) -> pd.DataFrame:
    """What a chart carries."""
    (found,) = spec["datasets"].values()
    return pd.DataFrame(found)


# -- which charts there are -----------------------------------------------------------------------


def test_every_chart_is_drawn_from_data_that_feed_it(specs: dict[str, Any]) -> None:
    assert set(specs) == set(charts.CHARTS)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_becomes_a_picture_without_a_browser(name: str, specs: dict[str, Any]) -> None:
    svg = pictures.converted(specs[name], ["svg"])["svg"].decode()
    assert svg.startswith("<svg") and "NaN" not in svg
    assert all(contender in svg for contender in ("torch", "jax", "mxnet", "theano"))


def test_what_the_data_cannot_feed_is_left_out_with_the_reason(quick: Data) -> None:
    reasons = charts.draw(quick).left_out
    assert set(reasons) == {"batch", "backward", "threads", "history"}
    assert "only batch 4" in reasons["batch"] and "--batch" in reasons["batch"]
    assert "measured: inference, train" in reasons["backward"]
    assert "only 2 threads" in reasons["threads"]
    assert "several runs" in reasons["history"]


def test_nothing_to_pay_back_is_said(tmp_path: Path) -> None:
    made = Made(frameworks=("mxnet", "theano")).write(tmp_path / "r")
    drawn = charts.draw(gather([made]), only=["payback"])
    assert "nothing to pay back" in drawn.left_out["payback"]


def test_nothing_measured_leaves_all_out(tmp_path: Path) -> None:
    made = Made(frameworks=("caffe",), refuses={"caffe": "no"}).write(tmp_path / "none")
    drawn = charts.draw(gather([made]))
    assert drawn.specs == {} and set(drawn.left_out) == set(charts.CHARTS)


def test_a_chart_holds_its_data_and_asks_for_nothing_else(specs: dict[str, Any]) -> None:
    for spec in specs.values():
        text = json.dumps(spec, allow_nan=False)  # raises for NaN
        assert '"url"' not in text


# -- that they say what the tables say ------------------------------------------------------------


def test_times_are_those_of_the_summary_the_fastest_on_top(rich: Data, specs: Any) -> None:
    drawn = rows(specs["speed"])
    measured = rich.measured
    assert sorted(drawn["median"].dropna()) == pytest.approx(sorted(measured["median"] * 1e3))
    for _, panel in drawn.dropna(subset="median").groupby("panel"):
        assert panel.sort_values("rank")["median"].is_monotonic_increasing
        assert len(panel) == 4


def test_a_contender_without_a_time_stands_last_with_the_reason(specs: Any) -> None:
    drawn = rows(specs["speed"])
    refused = drawn[drawn["contender"] == "caffe"]
    assert len(refused) == 2 * 2 * 4 and set(refused["text"]) == {"unsupported"}
    assert set(refused["rank"]) == {4}


def test_ratios_and_verdicts_are_those_of_the_summary(rich: Data, specs: Any) -> None:
    drawn = rows(specs["ratios"]).sort_values("ratio")
    measured = rich.measured.sort_values("ratio")
    assert drawn["ratio"].to_list() == pytest.approx(measured["ratio"].to_list())
    said = drawn[drawn["verdict"] != "the fastest"]["verdict"].value_counts().to_dict()
    assert said == measured["verdict"].value_counts().to_dict()
    assert (drawn[drawn["verdict"] == "the fastest"]["ratio"] == 1).all()


def test_a_history_is_that_of_the_table_its_steps_marked_and_in_front(
    nights: Data, specs: Any
) -> None:
    drawn, table = rows(specs["history"]), nights.history
    assert len(drawn) == len(table) == 16 * 4 * 2 * 2
    assert sorted(drawn["ms"]) == pytest.approx(sorted(1e3 * table["seconds"]))
    assert drawn["low"].isna().sum() == 4 * 2 * 2  # one process: no interval
    steps = drawn[drawn["step"].notna()]
    assert set(steps["step"]) == {"SLOWER"} and set(steps["run"]) == {"n19"}
    assert set(steps["contender"]) == {"torch"} and set(steps["model"]) == {"resnet50"}
    assert steps["text"].str.fullmatch(r"×1\.[23]\d  1\.1").all()  # the version, no commit, is new
    assert set(steps["label"]) == {"2026-11-19"}
    assert set(drawn[drawn["number"] == 0]["run"]) == {"n10"}
    order = specs["history"]["facet"]["sort"]
    assert {name.split(",")[0] for name in order[:2]} == {"torch"} and "resnet50" in order[0]


def test_a_history_needs_a_case_in_two_runs(scaling: Data) -> None:
    reason = charts.draw(scaling, only=["history"]).left_out["history"]
    assert "no case was measured in two runs" in reason


def test_the_mean_over_networks_is_geometric(specs: Any) -> None:
    drawn = rows(specs["overview"])
    of = drawn[drawn["contender"] == "theano"]
    for _, panel in of.groupby("panel"):
        mean = panel[panel["network"] == "mean"]["ratio"].item()
        others = panel[panel["network"] != "mean"]["ratio"]
        assert mean == pytest.approx(float(np.exp(np.log(others).mean())))


def test_there_is_no_mean_for_who_was_not_measured_on_all(specs: Any) -> None:
    drawn = rows(specs["overview"])
    refused = drawn[drawn["contender"] == "caffe"]
    assert set(refused[refused["network"] == "mean"]["text"]) == {"–"}
    assert set(refused[refused["network"] != "mean"]["text"]) == {"unsupported"}


def test_backward_is_train_less_forward(specs: Any) -> None:
    drawn = rows(specs["backward"]).dropna(subset="contender")
    ratio = drawn["backward"] / drawn["forward"]
    assert ratio.to_list() == pytest.approx([(3.2 - 1.1) / 1.1] * len(drawn), rel=0.1)
    assert ((drawn["low"] < ratio) & (ratio < drawn["high"])).all()


def test_throughput_is_images_per_second(rich: Data, specs: Any) -> None:
    drawn = rows(specs["batch"])
    expected = rich.measured["batch"] / rich.measured["median"]
    assert sorted(drawn["images"]) == pytest.approx(sorted(expected))


def test_threads_are_compared_with_the_fewest(specs: Any) -> None:
    drawn = rows(specs["threads"]).dropna(subset="contender")
    assert (drawn[drawn["threads"] == 1]["speedup"] == 1).all()
    torch = drawn[(drawn["contender"] == "torch") & (drawn["threads"] == 4)]["speedup"]
    assert torch.to_list() == pytest.approx([4**0.85] * 4, rel=0.1)


def test_a_case_that_several_runs_have_is_drawn_once_by_the_last(tmp_path: Path) -> None:
    made = [Made(batches=(1, 8), noise=noise) for noise in (0.01, 0.02)]
    runs = [m.write(tmp_path / f"r{i}") for i, m in enumerate(made)]
    both, last = (charts.draw(gather(r), only=["batch"]).specs["batch"] for r in (runs, runs[1:]))
    assert rows(both)["images"].to_list() == rows(last)["images"].to_list()


@pytest.mark.parametrize(
    ("first_call", "median", "steps"), [(2.0, 0.05, 21), (1.0, 0.1, None), (2.05, 0.05, 22)]
)
def test_a_first_call_is_paid_back_when_the_totals_meet(
    first_call: float, median: float, steps: int | None
) -> None:
    quickest = {"first_call": 1.0, "median": 0.1}
    row = {"first_call": first_call, "median": median}
    found = payback.caught_up(row, quickest)
    assert found == steps
    if found:
        totals = [r["first_call"] + (found - 1) * r["median"] for r in (row, quickest)]
        assert totals[0] <= totals[1] + 1e-9


def test_an_interval_of_decades_is_cut_and_says_so() -> None:
    frame = pd.DataFrame({"panel": "p", "v": [1.0, 2.0], "l": [0.9, 1e-6], "h": [1.1, 5.0]})
    cut = panels.clipped(frame, "panel", "v", "l", "h")
    assert cut["from"].to_list() == pytest.approx([0.9, 1 / panels.REACH])
    assert cut["to"].to_list() == pytest.approx([1.1, 5.0])
    assert cut["below"].to_list() == [False, True] and not cut["above"].any()


# -- that everyone can read them ------------------------------------------------------------------


def test_units_machine_and_date_are_in_every_caption(specs: Any) -> None:
    for spec in specs.values():
        caption = " ".join(spec["title"]["subtitle"])
        assert "Imaginary CPU, 4 processors, 16 GiB" in caption and "2026-11-25" in caption
    units = {
        "speed": "ms",
        "memory": "MiB",
        "batch": "images per second",
        "payback": "first call, s",
    }
    for name, unit in units.items():
        assert unit in json.dumps(specs[name])


def test_every_style_differs_in_light_and_dark(specs: Any) -> None:
    """What is named in a chart and not in the theme would be black on black."""
    styles = set(re.findall(r'"style": "(\w+)"', json.dumps(list(specs.values()))))
    light, dark = (theme.config(dark=dark)["style"] for dark in (False, True))
    assert styles == set(light) == set(dark)
    assert all(light[name]["color"] != dark[name]["color"] for name in styles)


def test_no_two_contenders_share_colour_and_shape() -> None:
    names = [f"f{i}" for i in range(40)]
    look = plane.look(names)
    colours = theme.config()["range"]["category"]
    shapes = look["shape"].to_dict()["scale"]["range"]
    assert len({(colours[i % len(colours)], shapes[i]) for i in range(40)}) == 40


def test_lines_are_told_apart_without_colour_and_named_at_their_end(specs: Any) -> None:
    for name in ("batch", "threads"):
        assert '"strokeDash"' in json.dumps(specs[name]) and '"shape"' in json.dumps(specs[name])
        drawn = rows(specs[name]).dropna(subset="name")
        for _, panel in drawn.groupby("panel"):
            assert set(panel["name"]) == {"torch", "jax", "mxnet", "theano"}


def test_verdicts_differ_in_shape_and_stand_in_words(specs: Any) -> None:
    drawn = rows(specs["ratios"])
    said = drawn[drawn["verdict"] != "the fastest"]
    assert all(v in t for v, t in zip(said["verdict"], said["text"], strict=True))
    text = json.dumps(specs["ratios"])
    assert '"range": ["square", "diamond", "circle", "triangle-right", "triangle-left"]' in text


@given(st.lists(st.floats(0, 300), min_size=1, max_size=30), st.floats(1, 40))
def test_names_stand_apart_and_near(positions: list[float], gap: float) -> None:
    moved = plane.apart(sorted(positions), gap)
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(moved))
    assert np.mean(moved) == pytest.approx(np.mean(positions), abs=1e-6)


def test_names_that_do_not_touch_are_not_moved() -> None:
    assert plane.apart([0, 20, 90], 15) == [0, 20, 90]


def test_markup_in_a_name_is_shown(tmp_path: Path) -> None:
    made = Made(frameworks=("torch", "<b>x</b>&"), models=("lenet5",)).write(tmp_path / "r")
    spec = charts.draw(gather([made]), only=["speed"]).specs["speed"]
    svg = pictures.converted(spec, ["svg"])["svg"].decode()
    assert "<b>" not in svg and "&lt;b&gt;x&lt;/b&gt;&amp;" in svg


def test_modes_are_named_where_a_framework_has_several(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [("torch", "eager", True), ("torch", "compile", False), ("jax", "nnx", True)],
        columns=["framework", "mode", "tuned"],
    )
    named = charts.data.named(frame)["contender"].to_list()
    assert named == ["torch eager", "torch compile untuned", "jax"]


# -- Chinese --------------------------------------------------------------------------------------


def said() -> set[str]:
    """Every text that a chart's code hands to `say`, TITLE and SHOWS included."""
    found = set()
    for path in (REPOSITORY / "bench" / "charts").glob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        found |= {
            constants[name] for name in ("TITLE", "SHOWS", "ALL", "BASE") if name in constants
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and node.args:
                argument = node.args[0]
                found |= {argument.value} if isinstance(argument, ast.Constant) else set()
    return found


def test_every_word_of_a_chart_has_its_chinese() -> None:
    assert len(said()) > 25
    assert said() - set(words.ZH) == set()


def test_chinese_charts_say_the_same_in_chinese(rich: Data, specs: Any) -> None:
    drawn = charts.draw(rich, "zh").specs
    assert set(drawn) == set(specs) - SCALING - {"history"}
    for name, spec in drawn.items():
        assert spec["title"]["text"] == words.ZH[specs[name]["title"]["text"]]
        assert len(rows(spec)) == len(rows(specs[name]))


def test_without_a_font_chinese_is_refused_and_says_what_to_install(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Made().write(tmp_path / "r")
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path / "nowhere"])
    done = command("chart", "r", "--lang", "zh")
    assert done.status == 2 and "no font with Chinese in" in done.err
    assert "Noto Sans CJK SC" in done.err and not (tmp_path / "r" / "charts").exists()


def test_a_font_is_found_by_its_file_the_better_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path / "nowhere", tmp_path])
    (tmp_path / "deep").mkdir()
    for name in ("wqy-zenhei.ttc", "deep/NotoSansCJK-Regular.ttc", "Arial.ttf"):
        (tmp_path / name).touch()
    assert fonts.chinese() == ("Noto Sans CJK SC", tmp_path / "deep/NotoSansCJK-Regular.ttc")


def has_chinese() -> bool:
    try:
        return bool(fonts.chinese())
    except BenchError:
        return False


@pytest.mark.skipif(not has_chinese(), reason="no font with Chinese on this machine")
def test_chinese_is_drawn_with_glyphs_not_with_boxes(quick: Data) -> None:
    """Characters that a font lacks are all drawn as the same box."""
    font = pictures.font("zh")

    def drawn(text: str) -> bytes:
        mark = {"type": "text", "text": text, "fontSize": 40}
        spec = {"data": {"values": [{}]}, "mark": mark, "config": {"font": font}}
        return bytes(vl_convert.vegalite_to_png(spec))

    assert drawn("前") != drawn("后")
    assert (
        font.split(", ")[-2]
        in charts.draw(quick, "zh", ["speed"], font).specs["speed"]["config"]["font"]
    )


# -- the command ----------------------------------------------------------------------------------


def test_the_command_draws_the_newest_run_and_says_what_it_left_out(
    command: Command, tmp_path: Path
) -> None:
    for name in ("20260101-000000-1", "20260102-000000-1"):
        Made(models=("lenet5",)).write(tmp_path / "results" / name)
    done = command("chart", "--only", "speed,threads")
    assert done.status == 0
    assert done.out.split() == ["results/20260102-000000-1/charts/speed.svg"]
    assert (tmp_path / done.out.strip()).read_text().startswith("<svg")
    assert "left out: threads: only 2 threads" in done.err


def test_the_command_writes_every_format(command: Command, tmp_path: Path) -> None:
    Made(models=("lenet5",)).write(tmp_path / "r")
    done = command(
        "chart", "r", "--only", "speed", "--format", "svg,png,json", "--out", "o", "--json"
    )
    answer = json.loads(done.out)
    assert answer == {"written": ["o/speed.svg", "o/speed.png", "o/speed.json"], "left_out": {}}
    assert (tmp_path / "o/speed.png").read_bytes().startswith(b"\x89PNG")
    assert "vega-lite" in json.loads((tmp_path / "o/speed.json").read_text())["$schema"]


WRONG = {
    "chart": (["--only", "sped"], ["unknown chart 'sped'", "Did you mean 'speed'?"]),
    "format": (["--format", "pdf"], ["unknown format 'pdf'", "Choices: json, png, svg"]),
    "language": (["--lang", "de"], ["unknown language 'de'", "Choices: en, zh"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word_says_what_is_right(command: Command, tmp_path: Path, what: str) -> None:
    Made().write(tmp_path / "r")
    arguments, expected = WRONG[what]
    done = command("chart", "r", *arguments)
    assert done.status == 2 and done.out == ""
    assert [text for text in expected if text not in done.err] == []


def test_no_run_at_all_and_two_of_one_name_are_refused(command: Command, tmp_path: Path) -> None:
    assert "no run in results" in command("chart").err
    for folder in ("a", "b"):
        Made().write(tmp_path / folder / "r")
    assert "two runs are called r" in command("chart", "a/r", "b/r").err


def test_no_chart_at_all_ends_with_3(command: Command, tmp_path: Path) -> None:
    Made().write(tmp_path / "r")
    assert command("chart", "r", "--only", "threads").status == 3

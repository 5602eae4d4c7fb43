"""The report holds every figure, leads each to its samples, and runs nothing that it shows."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import charts, report
from bench.charts import pictures
from bench.charts.data import Data, gather
from bench.errors import BenchError
from bench.report import files, samples, verdicts
from tests.conftest import Command
from tests.runs import Made

EVIL = '<script>window.hit=1</script><img src=x onerror="window.hit=1">'
NETWORK = "</script><script>window.hit=1</script>"
REASON = "<i>no</i> operator"


class Parsed(HTMLParser):
    """The elements of a page, and its text, scripts and styles apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.code: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        inside = self.elements[-1][0] if self.elements else ""
        (self.code if inside in ("script", "style") else self.words).append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]

    @property
    def payload(self) -> Any:
        return json.loads(next(code for code in self.code if code.startswith("{")))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    made = Made(frameworks=("jax", "torch", "caffe", EVIL), models=("lenet5", NETWORK),
                refuses={"caffe": REASON}, samples=3)  # fmt: skip
    return gather([made.write(tmp_path_factory.mktemp("runs") / "evil")])


@pytest.fixture(scope="module")
def folder(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "out"
    assert report.write(data, place) == place / "index.html"
    return place


@pytest.fixture(scope="module")
def page(folder: Path) -> Parsed:
    return Parsed((folder / "index.html").read_text())


# -- the folder -----------------------------------------------------------------------------------


def test_the_folder_has_page_pictures_and_tables(folder: Path, data: Data) -> None:
    drawn = charts.draw(data).specs
    pictures = {f"{name}.{kind}" for name in drawn for kind in ("svg", "png", "json")}
    assert {path.name for path in (folder / "pictures").iterdir()} == pictures
    tables = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert tables == {"summary", "blocks", "warmups", "memory", "processes", "outcomes",
                      "verdicts", "stops"} | set(files.others(data))  # fmt: skip


def test_every_sample_is_in_one_file(folder: Path, data: Data) -> None:
    found = [pd.read_csv(path) for path in (folder / "tables" / "samples").iterdir()]
    assert len(found) == 4
    whole = pd.concat(found)
    columns = ["framework", "model", "phase", "process", "round", "sample"]
    expected = data.tables.samples.sort_values(columns)
    assert whole.sort_values(columns)["seconds"].to_list() == pytest.approx(
        expected["seconds"].to_list()
    )
    assert set(whole["framework"]) == {"torch", "jax", EVIL}


def test_names_that_look_alike_in_a_file_name_have_files_of_their_own() -> None:
    rows = [dict.fromkeys(files.PLACE, 1) | {"model": model} for model in ("a/b", "a b", "a_b")]
    names = list(files.names(pd.DataFrame(rows)).values())
    assert len(set(names)) == 3 and not any("/" in name or " " in name for name in names)


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time that a report takes."""
    monkeypatch.setattr(pictures, "write", lambda *_: [])


@pytest.mark.usefixtures("unpainted")
def test_a_report_is_written_over_but_nothing_else_is(data: Data, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(BenchError, match="holds something else than a report"):
        report.write(data, tmp_path)
    with pytest.raises(BenchError, match="is a file"):
        report.write(data, tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "index.html").write_text("a former report")
    report.write(data, tmp_path / "old")
    assert "former" not in (tmp_path / "old" / "index.html").read_text()


@pytest.mark.usefixtures("unpainted")
def test_the_command_says_where_the_page_is(command: Command, tmp_path: Path) -> None:
    Made(models=("lenet5",)).write(tmp_path / "results" / "r")
    done = command("report", "--json")
    assert json.loads(done.out) == {"page": "results/r/report/index.html"}
    assert (tmp_path / "results/r/report/index.html").is_file()
    assert command("report", "nowhere").status == 2


# -- the page -------------------------------------------------------------------------------------


def test_nothing_comes_from_elsewhere(page: Parsed) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or ""), (tag, attributes)
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy is not None and policy.startswith("default-src 'none'")
    assert "eval" not in policy and "connect" not in policy


def test_markup_is_text(page: Parsed) -> None:
    assert len(page.all("script")) == 3
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert any(EVIL in words for words in page.words)
    assert any(NETWORK in words for words in page.words)
    assert any(REASON in words for words in page.words)


def test_the_payload_closes_no_script(folder: Path, page: Parsed) -> None:
    text = (folder / "index.html").read_text()
    assert text.count("</script>") == 3
    models = {
        row["model"] for row in next(iter(page.payload["specs"]["speed"]["datasets"].values()))
    }
    assert models == {"lenet5", NETWORK}


def test_verdicts_are_first_and_are_those_of_the_summary(page: Parsed, data: Data) -> None:
    sections = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert sections == ["verdicts", "charts", "tables"]
    found = verdicts.cells(data)
    assert found[0].label == "lenet5, inference"
    assert verdicts.counts(found) == data.summary["verdict"].value_counts().to_dict()
    for cell in found:
        rows = data.measured[
            (data.measured["model"] == cell.model) & (data.measured["phase"] == cell.phase)
        ]
        assert cell.fastest is not None
        assert cell.fastest.contender == rows.sort_values("median")["contender"].iloc[0]
        assert [word.reason for word in cell.failed] == [REASON]


def test_every_figure_leads_to_its_samples(page: Parsed, data: Data, folder: Path) -> None:
    rows = page.all("tr", **{"class": "opens"})
    assert len(rows) == len(data.measured) == 12
    links = {a["href"] for a in page.all("a") if (a["href"] or "").startswith("#row-")}
    assert {f"#{row['id']}" for row in rows} <= links
    ids = {f"#{attributes['id']}" for _, attributes in page.elements if "id" in attributes}
    assert {a["href"] for a in page.all("a") if (a["href"] or "").startswith("#")} <= ids
    for row in rows:
        index = str(row["data-row"])
        known = page.payload["samples"][index]
        case = data.summary.loc[int(index)]
        table = data.tables.samples
        same = (table["framework"] == case["framework"]) & (table["model"] == case["model"])
        own = table[same & (table["phase"] == case["phase"])]
        assert [ms for *_, ms in known["rows"]] == pytest.approx(
            (own["seconds"] * 1e3).to_list(), rel=1e-4
        )
        assert known["count"] == len(own) == 27
        assert set(own["seconds"]) <= set(pd.read_csv(folder / known["file"])["seconds"])


def test_a_large_run_is_thinned_on_the_page_and_says_so(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MOST", 100)  # of 324
    drawn = samples.drawn(data)
    assert sum(len(row["rows"]) for row in drawn.values()) <= 110
    assert sum(row["count"] for row in drawn.values()) == 324


def test_rows_can_be_chosen_by_network_device_framework_and_phase(page: Parsed) -> None:
    filters = {d["data-filter"] for d in page.all("details")}
    assert filters == {"model", "device", "framework", "phase"}
    boxes = {box["value"] for box in page.all("input")}
    assert boxes == {"torch", "jax", "caffe", EVIL, "lenet5", NETWORK, "cpu", "inference", "train"}
    for row in page.all("tr", **{"class": "opens"}):
        assert {"data-model", "data-device", "data-framework", "data-phase"} <= set(row)


def test_what_was_left_out_is_said(page: Parsed) -> None:
    assert any("only batch 4 was measured" in words for words in page.words)


@pytest.mark.usefixtures("unpainted")
def test_claims_stand_between_verdicts_and_charts(data: Data, tmp_path: Path) -> None:
    claim = {"id": "light", "statement": {"en": "Small <b>is</b> fast.", "zh": "小者快。"},
             "verdict": "UNDECIDED", "effect": {"metric": "slope", "value": 0.51234},
             "interval": [0.1, 0.9], "missing": ["more networks"]}  # fmt: skip
    empty = claim | {"effect": {"metric": "", "value": None}, "interval": None, "missing": []}
    report.write(data, tmp_path / "r", [claim, empty])
    page = Parsed((tmp_path / "r" / "index.html").read_text())
    sections = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert sections == ["verdicts", "claims", "charts", "tables"]
    text = " ".join(page.words)
    for words in ("Small <b>is</b> fast.", "小者快。", "more networks", "0.512", "0.1 to 0.9"):
        assert words in text


def test_runs_of_several_situations_name_what_differs(tmp_path: Path) -> None:
    runs = [Made(threads=n, models=("lenet5",)).write(tmp_path / f"of{n}") for n in (1, 2)]
    labels = [cell.label for cell in verdicts.cells(gather(runs))]
    assert labels == ["inference, 1 thread, run of1", "train, 1 thread, run of1",
                      "inference, 2 threads, run of2", "train, 2 threads, run of2"]  # fmt: skip

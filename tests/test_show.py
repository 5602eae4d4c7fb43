"""`bench show`: the layer table in every format, and what contradicts itself."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from bench import envs, layers, models
from bench.graph import Tensor, build, network
from tests.conftest import Command

ZOO = f"{Path(__file__).with_name('networks.py')}:zoo"
NETWORKS = [*models.discover(), ZOO]


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = layers.layers(models.load(name))["layers"]
    return found


# -- the document's rows --------------------------------------------------------------------------


def test_alexnets_first_layers_are_the_documents() -> None:
    conv, _, pool, *_ = rows("alexnet")
    assert conv == {
        "name": "conv1", "op": "conv", "kernel": "11*11 / 4", "output": [96, 55, 55],
        "size": "55 = (227-11)/4+1", "arithmetic": "(11*11*3)*96 + 96", "params": 34_944,
        "macs": 105_415_200, "activation_bytes": 1_161_600, "training_only": False,
    }  # fmt: skip
    assert pool == {
        "name": "maxpool1", "op": "maxpool", "kernel": "3*3 / 2", "output": [96, 27, 27],
        "size": "27 = (55-3)/2+1", "arithmetic": "", "params": 0,
        "macs": 0, "activation_bytes": 279_936, "training_only": False,
    }  # fmt: skip


def test_a_table_on_standard_output_has_each_number_in_one_line(command: Command) -> None:
    lines = command("show", "alexnet").out.splitlines()
    (conv,) = (line for line in lines if line.startswith("  conv1 "))
    for word in ("11*11 / 4", "96*55*55", "55 = (227-11)/4+1", "(11*11*3)*96 + 96", "34,944"):
        assert word in conv
    (pool,) = (line for line in lines if line.startswith("  maxpool1 "))
    assert "96*27*27" in pool and "27 = (55-3)/2+1" in pool


def test_floor_is_written_where_a_division_leaves_a_rest() -> None:
    first = rows("resnet50")[0]
    assert (first["kernel"], first["size"]) == ("7*7 / 2 pad 3", "112 = floor((224+2*3-7)/2)+1")


def test_height_and_width_are_both_written_where_they_differ() -> None:
    @network(3, 64, 49)
    def net(x: Tensor) -> Tensor:
        return x.conv(4, (3, 5), stride=(2, 1), pad=(1, 0)).maxpool(1, 2).global_avgpool().dense(2)

    conv, pool, *_ = map(layers.row, build(net).nodes)
    assert conv["size"] == "32 = floor((64+2*1-3)/2)+1, 45 = 49-5+1"
    assert conv["kernel"] == "3*5 / 2*1 pad 1*0"
    assert pool["size"] == "16 = floor((32-1)/2)+1, 23 = (45-1)/2+1"


@pytest.mark.parametrize(
    ("name", "weighted", "depth"),
    [("lenet5", 5, 5), ("alexnet", 8, 8), ("vgg16", 16, 16), ("googlenet", 58, 22),
     ("resnet50", 54, 50)],
)  # fmt: skip
def test_depth_is_the_number_in_the_networks_name(name: str, weighted: int, depth: int) -> None:
    found = layers.layers(models.load(name))
    assert (found["weighted_layers"], found["depth"]) == (weighted, depth)
    assert f"{weighted} layers with weights, {depth} on the longest way" in layers.totals(found)


# -- arithmetic -----------------------------------------------------------------------------------

OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b, ast.Div: lambda a, b: a / b,
}  # fmt: skip


def evaluated(text: str) -> Fraction:
    """The number that a formula of whole numbers, + - * / and floor() stands for, exactly."""

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int(number)):
                return Fraction(number)
            case ast.BinOp(left=left, op=op, right=right):
                return Fraction(OPERATORS[type(op)](value(left), value(right)))
            case ast.Call(func=ast.Name(id="floor"), args=[inner]):
                return Fraction(math.floor(value(inner)))
        raise AssertionError(f"{ast.unparse(node)} is no arithmetic")

    return value(ast.parse(text, mode="eval").body)


def test_arithmetic_is_exact() -> None:
    assert evaluated("floor((224+2*3-7)/2)+1") == 112
    assert evaluated("(224+2*3-7)/2+1") != 112
    with pytest.raises(AssertionError):
        evaluated("2**3 if x else print()")


@pytest.mark.parametrize("name", NETWORKS)
def test_arithmetic_gives_the_number_it_stands_for(name: str) -> None:
    for row in rows(name):
        assert evaluated(row["arithmetic"] or "0") == row["params"], row["name"]
        stated = [part.split(" = ") for part in row["size"].split(", ") if part]
        for number, formula in stated:
            assert evaluated(formula) == int(number), row["name"]
        written, output = {int(number) for number, _ in stated}, row["output"]
        if row["op"] in ("conv", "maxpool", "avgpool"):
            assert written == set(output[1:]), row["name"]
        elif stated:
            assert written == set(output[:1]), row["name"]


@pytest.mark.parametrize("name", NETWORKS)
def test_totals_are_those_of_the_rows(name: str) -> None:
    found = layers.layers(models.load(name))
    for key in ("params", "macs", "activation_bytes"):
        assert found[key] == sum(row[key] for row in found["layers"])
    training = sum(row["params"] for row in found["layers"] if row["training_only"])
    assert found["training_only_params"] == training


# -- formats --------------------------------------------------------------------------------------


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of a Markdown table, as a reader of GitHub sees them."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).disable("linkify").parse(text)
    assert [t.type for t in tokens].count("table_open") == 1
    found: list[list[str]] = []
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            found.append([])
        if before.type in ("th_open", "td_open"):
            parts = token.children or []
            assert {part.type for part in parts} <= {"text", "text_special"}, token.content
            found[-1].append("".join(part.content for part in parts))
    return found


def plain(row: dict[str, Any]) -> list[str]:
    name = row["name"] + " (training only)" * row["training_only"]
    output = "*".join(map(str, row["output"]))
    sizes = [str(row[key]) for key in ("params", "macs", "activation_bytes")]
    return [name, row["op"], row["kernel"], output, row["size"], row["arithmetic"] or "0", *sizes]


@pytest.mark.parametrize("name", NETWORKS)
def test_markdown_csv_and_json_have_the_same_rows(command: Command, name: str) -> None:
    found = json.loads(command("show", name, "--format", "json").out)
    header, *comma = csv.reader(io.StringIO(command("show", name, "--format", "csv").out))
    head, *marked = markdown_rows(command("show", name, "--format", "md").out)
    assert header == head == list(layers.COLUMNS)
    assert comma == [plain(row) for row in found["layers"]]
    numbers = slice(layers.WORDS, None)
    for row in marked:
        row[numbers] = [cell.replace(",", "") for cell in row[numbers]]
    assert marked == comma


def test_markdown_says_what_it_is_and_takes_no_markup_from_a_network(command: Command) -> None:
    text = command("show", ZOO, "--format", "md").out
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "Networks &lt;b&gt;for pictures&lt;/b&gt; &amp; tables" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a | b, 2 * 3 * 4" in html
    assert layers.totals(layers.layers(models.load(ZOO))) in text


def test_json_is_the_format_json(command: Command) -> None:
    done = command("show", "lenet5", "--json")
    assert done.out == command("show", "lenet5", "--format", "json").out
    found = json.loads(done.out)
    assert found["paper"].startswith("LeNet-5: LeCun, Bottou, Bengio, Haffner")
    assert found["definition"] == models.load("lenet5").doc
    assert (found["name"], found["input"], found["params"]) == ("lenet5", [1, 32, 32], 61_706)


@pytest.mark.parametrize("name", models.discover())
def test_the_paper_and_the_definition_stand_above_the_table(command: Command, name: str) -> None:
    words = " ".join(command("show", name).out.split())
    paper, graph = layers.paper(name), models.load(name)
    assert paper
    above, table, _ = words.partition(f"{name}: input ")
    assert table
    assert " ".join(f"{paper} {graph.doc}".split()) in above


def test_a_users_file_says_its_paper_too() -> None:
    assert layers.paper(ZOO).startswith("Networks <b>for pictures</b> & tables")


def test_what_only_training_computes_is_marked(command: Command) -> None:
    text = command("show", ZOO).out
    assert "head1.conv1 (training only)" in text
    assert "conv1 (training only)" not in text.replace("head1.conv1 (training only)", "").replace(
        "head2.conv1 (training only)", ""
    )
    graph = models.load(ZOO)
    extra = graph.params - graph.evaluated().params
    assert f"{extra:,} of them in training only" in text


# -- words that are wrong -------------------------------------------------------------------------

WRONG = {
    "model": (["resnet-50"], ["'resnet-50'", "'resnet50'", "vgg16"]),
    "framework": (["lenet5", "--framework", "troch"], ["'torch'", "Choices: "]),
    "format": (["lenet5", "--format", "cvs"], ["'cvs'", "'csv'", "csv, json, md, table"]),
    "two formats": (["lenet5", "--json", "--format", "csv"], ["--json", "--format csv"]),
    "diagram of a program": (
        ["lenet5", "--diagram", "--framework", "torch"],
        ["--diagram", "--framework", "choose one"],
    ),
    "diagram as JSON": (["lenet5", "--diagram", "--json"], ["--diagram is SVG", "--json"]),
    "diagram as CSV": (["lenet5", "--diagram", "--format", "csv"], ["SVG", "--format"]),
    "program as CSV": (["lenet5", "--framework", "torch", "--format", "csv"], ["--format csv"]),
    "out of a table": (["lenet5", "--out", "x.svg"], ["--out", "--diagram"]),
    "out to nowhere": (["lenet5", "--diagram", "--out", "no/x.svg"], ["--out no/x.svg: No such"]),
    "diagram of no model": (["lenet", "--diagram"], ["'lenet5'"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word_ends_with_2_and_says_what_is_right(
    command: Command, what: str, tmp_path: Path
) -> None:
    arguments, words = WRONG[what]
    done = command("show", *arguments)
    assert (done.status, done.out) == (2, "")
    assert [word for word in words if word not in done.err] == []
    assert list(tmp_path.iterdir()) == []


def test_a_framework_that_cannot_be_had_ends_with_3(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        envs, "ensure_all", lambda chosen, *_: {f.name: envs.Unavailable("no way") for f in chosen}
    )
    done = command("show", "lenet5", "--framework", "torch")
    assert (done.status, done.out) == (3, "")
    assert "no way" in done.err

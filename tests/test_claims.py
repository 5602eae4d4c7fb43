"""The document's statements as declared, the user's own, and the commands that judge them."""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from bench import claims
from bench.claims import plan, versus
from bench.claims.expect import Expectation
from bench.claims.rule import RULES, SAYS
from bench.claims.words import ZH, Message, translated
from bench.cli.commands.run import limit
from bench.errors import BenchError
from bench.session import Options
from bench.stats import Estimate
from bench.store import load
from tests.conftest import REPOSITORY, Command
from tests.journals import times, written

COUNTED = (
    "alexnet-conv1", "alexnet-pool1", "alexnet-groups", "zfnet-conv1", "vgg-shape",
    "small-kernels", "googlenet-size", "googlenet-depth", "inception-reduction", "bottleneck",
    "light-nets",
)  # fmt: skip
MEASURED = (
    "vanishing-gradient", "degradation", "light-is-fast", "theano-build", "caffe-fast",
    "caffe2-keeps", "pytorch-fastest", "keras-wrapping", "mxnet-memory", "mxnet-scaling",
    "paddle-cluster", "mindspore-graph",
)  # fmt: skip
REFERENCE = REPOSITORY / "results" / "reference"
SHARED = REPOSITORY.parent / "shared"
KEYS = {"id", "statement", "verdict", "effect", "interval", "evidence", "missing"}
MINE = """
[[claim]]
id = "mine"
en = "PyTorch is faster than TensorFlow."
population = "both"
for = "it is"
against = "it is not"
[[claim.test]]
rule = "ratio"
subject = ["torch"]
rivals = ["tensorflow"]
expect = "less"
"""


def strict(text: str) -> list[dict[str, Any]]:
    """JSON without NaN and Infinity, which are none."""
    rows: list[dict[str, Any]] = json.loads(text, parse_constant=pytest.fail)
    return rows


def mine(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(MINE.replace(old, new) if old else MINE)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    truth = {("torch eager", net, "train"): 0.5 for net in ("lenet5", "alexnet")}
    truth |= {("tensorflow function", net, "train"): 1.0 for net in ("lenet5", "alexnet")}
    return written(tmp_path / "results" / "run", times(truth))


# -- what is declared -----------------------------------------------------------------------------


def test_every_statement_of_the_document_is_declared() -> None:
    assert tuple(claim.id for claim in claims.load()) == COUNTED + MEASURED


@pytest.mark.skipif(not SHARED.exists(), reason="the document is not beside the repository")
def test_sentences_are_the_document_s() -> None:
    listed = re.findall(r"^\| ([\w-]+) \|", (SHARED / "CLAIMS.md").read_text(), re.MULTILINE)
    assert set(listed) - {"id", "---"} == set(COUNTED + MEASURED)
    document = "".join((SHARED / "SOURCE.txt").read_text().split())
    for claim in claims.load():
        for line in claim.zh.splitlines():
            assert "".join(line.split()).replace("**", "") in document.replace("**", ""), claim.id


def test_each_says_what_counts_for_and_against_it() -> None:
    for claim in claims.load():
        assert all(
            (claim.zh, claim.en, claim.population, claim.supports, claim.opposes, claim.tests)
        )


def test_rules_are_explained() -> None:
    text = (REPOSITORY / "docs" / "claims.md").read_text()
    assert {kind for kind in RULES if f"`{kind}`" not in text} == set()


# -- the commands ---------------------------------------------------------------------------------


def test_without_a_run_nothing_that_is_measured_is_decided(command: Command) -> None:
    rows = {row["id"]: row for row in strict(command("claims", "--json").out)}
    assert tuple(rows) == COUNTED + MEASURED
    assert all(rows[name].keys() >= KEYS for name in rows)
    for name in COUNTED:
        assert rows[name]["verdict"] != "UNDECIDED" and rows[name]["evidence"]
    for name in MEASURED:
        assert rows[name]["verdict"] == "UNDECIDED" and rows[name]["missing"]
        assert rows[name]["evidence"] == [] and rows[name]["interval"] is None


def test_the_newest_run_is_judged_where_none_is_named(command: Command, run: Path) -> None:
    named, newest = command("claims", str(run), "--json"), command("claims", "--json")
    assert named.out == newest.out and named.status == 0
    row = next(row for row in strict(named.out) if row["id"] == "pytorch-fastest")
    assert row["effect"]["value"] == pytest.approx(0.5, rel=0.1)
    assert row["interval"][0] < 0.5 < row["interval"][1]
    assert row["verdict"] == "UNDECIDED" and "keras" in row["missing"][0]


def test_one_statement_is_shown_with_its_evidence(command: Command, run: Path) -> None:
    shown = command("claims", str(run), "pytorch-fastest")
    assert "灵活性不以速度为代价" in shown.out and "alexnet" in shown.out
    assert "would decide it: both in the same cells" in shown.out
    rows = strict(command("claims", str(run), "pytorch-fastest", "--json").out)
    assert [row["id"] for row in rows] == ["pytorch-fastest"]
    cell = rows[0]["evidence"][0]
    assert cell["contender"] == "torch eager" and cell["low"] < cell["value"] < cell["high"]


def test_what_is_compared_has_its_chinese() -> None:
    """The finding's words on no run at all: those of every test, of every rule and verdict."""
    assert set(RULES) <= set(ZH)
    for judged in claims.judge(claims.load(), load()):
        for outcome in judged.outcomes:
            what = outcome.finding.metric.partition(", expected ")[0]
            assert what in ZH, f"{judged.claim.id}: {what!r} has no Chinese"
            chinese = translated(outcome.finding.metric, "zh")
            assert ("，应为 " in chinese) == (what != "not measured")
    assert translated(Message("of {count} tests hold", count=3), "zh") == "项检验成立（共 3 项）"
    assert translated(Message(SAYS, what="{my} own", expected="< 1"), "zh") == "{my} own，应为 < 1"


ENGLISH = re.compile(r"\b(no|not|with|least|both|from|limit|some|many|and|to|each|same)\b")
REPLICATES = (versus.PROCESSES, versus.NETWORKS, "seeds (bench train --seeds)")
FOUND = [Estimate(0.9, 0.0, 0), Estimate(0.9, 0.02, 2), Estimate(0.9, 0.2, 2), Estimate(0.95, 9, 2)]


@pytest.mark.parametrize("runs", [(), (REFERENCE,)], ids=["nothing", "reference"])
def test_what_would_decide_it_has_its_chinese(runs: tuple[Path, ...]) -> None:
    """Of every statement, on no run at all and on one of few networks."""
    said = [text for judged in claims.judge(claims.load(), load(*runs)) for text in judged.missing]
    assert said
    for text in said:
        assert not ENGLISH.search(translated(text, "zh")), text


@pytest.mark.parametrize("replicate", REPLICATES)
@pytest.mark.parametrize("found", FOUND, ids=str)
def test_so_has_how_much_more_it_takes(found: Estimate, replicate: str) -> None:
    text = Expectation("less", 0.95).wanting(found, replicate)
    chinese = translated(text, "zh")
    assert text != chinese and not ENGLISH.search(chinese)
    assert chinese.startswith(f"{found.value:.3g}")
    assert translated("more of mine", "zh") == "more of mine"


@pytest.mark.parametrize("english", [text for text in ZH if "{" in text])
def test_the_chinese_of_a_message_has_its_parts(english: str) -> None:
    english_parts, chinese_parts = (
        {name for _, name, _, _ in Formatter().parse(text) if name}
        for text in (english, ZH[english])
    )
    assert english_parts == chinese_parts


def test_a_message_that_has_no_chinese_is_said_as_it_is() -> None:
    message = Message("{a} of mine", a=Message("{one} and {other}", one=1, other="{2}"))
    assert (message, translated(message, "zh")) == ("1 and {2} of mine", "1 与 {2} of mine")


def test_verdicts_in_chinese(command: Command) -> None:
    chinese, english = command("claims", "--lang", "zh"), command("claims")
    assert "证实" in chinese.out and "CONFIRMED" not in chinese.out
    assert "CONFIRMED" in english.out and "证实" not in english.out


def test_what_counts_for_and_against_has_its_chinese(command: Command) -> None:
    for claim in claims.load():
        texts = [
            key for key in ("population", "for", "against", "note") if key != "note" or claim.note
        ]
        assert sorted(claim.chinese) == sorted(texts), claim.id
    chinese = command("claims", "small-kernels", "--lang", "zh").out
    assert "更多的 ReLU" in chinese and "Whether more ReLUs" not in chinese
    assert "Whether more ReLUs" in command("claims", "small-kernels").out


def test_a_word_that_is_neither_run_nor_statement(command: Command) -> None:
    done = command("claims", "pytorch-fast")
    assert done.status == 2 and "Did you mean 'pytorch-fastest'?" in done.err


def test_a_claim_of_one_s_own(command: Command, run: Path, tmp_path: Path) -> None:
    path = mine(tmp_path)
    (row,) = strict(command("claims", str(run), "--file", str(path), "--json").out)
    assert (row["id"], row["verdict"], row["missing"]) == ("mine", "CONFIRMED", [])
    assert "PyTorch is faster" in command("claims", "--file", str(path), "--lang", "zh").out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"ratio"', '"ration"', "[[claim]] mine: test 1: unknown rule 'ration'. Did you mean"),
        ('rule = "ratio"', "", "[[claim]] mine: test 1: rule is missing; choices: counted"),
        ('"less"', '"lower"', "unknown expect 'lower'. Choices: equal, less"),
        ('expect = "less"', "", "expect is missing; choices: less, not more"),
        ('["torch"]', '["torc"]', "unknown framework 'torc'. Did you mean 'torch'?"),
        ('["torch"]', '["torch fast"]', "unknown mode of torch 'fast'"),
        ('["torch"]', '"torch"', "subject = 'torch' is no list of texts"),
        ('["tensorflow"]', '["torch"]', "nobody but the subject is left"),
        ('rivals = ["tensorflow"]', "", "subject and rivals, or pairs"),
        ('"less"', '"less"\nbound = 0', "bound = 0: a positive number"),
        ('"less"', '"less"\nmargin = true', "margin = True is no number"),
        ('"less"', '"less"\nmargin = 1', "margin = 1: a share of the bound"),
        ('"less"', '"less"\nmodels = ["lenet"]', "unknown network 'lenet'"),
        ('"less"', '"less"\nphases = ["training"]', "unknown phase 'training'"),
        ('"less"', '"less"\nmetrics = "x"', "unknown key of the rule 'ratio' 'metrics'"),
        ('for = "it is"', "", "for is missing or not a text"),
        ('id = "mine"', "", "[[claim]] 1: id is missing"),
        ("[[claim]]", "[[claims]]", "unknown key 'claims'. Did you mean 'claim'?"),
        ("[[claim.test]]", "chinese = 1\n[[claim.test]]", "[[claim]] mine: chinese is no table"),
        (
            "[[claim.test]]",
            '[claim.chinese]\nfro = "a"\n[[claim.test]]',
            "chinese: unknown key 'fro'. Did you mean 'for'?",
        ),
        ("[[claim.test]]", "[claim.test]", "at least one [[claim.test]] must judge it"),
        ("[[claim]]", "[[claim", "mine.toml: "),
    ],
)
def test_a_mistake_in_a_file_is_named(
    command: Command, tmp_path: Path, old: str, new: str, said: str
) -> None:
    done = command("claims", "--file", str(mine(tmp_path, old, new)))
    assert (done.status, done.out) == (2, "")
    assert said in done.err and "mine.toml" in done.err


def test_two_claims_of_one_name_or_no_file(command: Command, tmp_path: Path) -> None:
    path = mine(tmp_path)
    path.write_text(MINE + MINE)
    assert "2 claims have the id 'mine'" in command("claims", "--file", str(path)).err
    assert "no such file" in command("claims", "--file", "nowhere.toml").err


# -- what a run for claims measures ---------------------------------------------------------------


def test_a_run_for_claims_measures_what_they_name() -> None:
    chosen = claims.select(claims.load(), "keras-wrapping,mindspore-graph")
    options = plan.options(chosen, Options(budget="1h"))
    assert set((options.framework or "").split(",")) == {
        "keras", "tensorflow", "torch", "jax", "mindspore",
    }  # fmt: skip
    assert set((options.mode or "").split(",")) == {"default", "torch", "jax", "pynative"}
    assert (options.batch, options.model, options.budget) == ("1,4", None, "3600.0s")


def test_of_chosen_frameworks_only_their_own_modes_are_measured() -> None:
    chosen = claims.select(claims.load(), "keras-wrapping,mindspore-graph")
    options = plan.options(chosen, Options(framework="keras,torch", budget="1h"))
    assert (options.framework, options.mode) == ("keras,torch", "default,torch,jax")
    with pytest.raises(BenchError, match="unknown framework 'keros'"):
        plan.options(chosen, Options(framework="keros"))


def test_the_budget_holds_training_too() -> None:
    chosen = claims.select(claims.load(), "all")
    options = plan.options(chosen, Options(budget="40m", model="lenet5"))
    assert (options.budget, options.model) == ("1800.0s", "lenet5")
    assert plan.training_budget(chosen, Options(budget="40m")) == 600
    assert plan.trained(chosen) == [
        "plain56",
        "plain20",
        "plain56_bare",
        "plain20_bare",
        "resnet56",
    ]


def test_a_run_for_claims_takes_no_longer_than_its_budget() -> None:
    assert limit(None, Options(budget="90s"), "all") == 90
    assert limit("2m", Options(budget="90s"), "all") == 120
    assert limit(None, Options(budget="90s"), None) == inf  # that budget is of measuring alone
    with pytest.raises(BenchError, match="--time-limit 'soon' is not a positive duration"):
        limit("soon", Options(), None)


@pytest.mark.parametrize(
    ("name", "how"), [("degradation", "bench train"), ("vgg-shape", "bench claims")]
)
def test_what_needs_no_stopwatch_says_how(command: Command, name: str, how: str) -> None:
    done = command("run", "--for-claims", name)
    assert done.status == 2 and f"no stopwatch is needed: {how}" in done.err


def test_claims_are_chosen_by_name() -> None:
    known = claims.load()
    assert [c.id for c in claims.select(known, "vgg-shape, caffe-fast,vgg-shape")] == [
        "vgg-shape", "caffe-fast",
    ]  # fmt: skip
    with pytest.raises(BenchError, match="unknown claim"):
        claims.select(known, "vgg")

"""The gate opens for a correct framework and closes for each planted mistake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from bench import chance, conformance, gate, moving, parity, reference
from bench.cases import Contender
from bench.errors import Unavailable
from bench.graph import Graph, Node, Tensor, build
from bench.parity import Checker, Referee, Verdict, compare, expected
from bench.reference import Array, Arrays
from bench.reference.network import sgd
from bench.subjects import Subject, Training
from tests.conftest import fake, fakes, mistaken

TOY = Contender("toy", "plain")
MISTAKES = (
    "padding", "pooling_stride", "pooling_padding", "epsilon", "lrn_alpha", "lrn_constant", "relu",
    "concat_order", "classes_reversed", "gradient_not_divided", "gradient_missing", "not_a_number",
    "parameter_too_many",
)  # fmt: skip


def everything(x: Tensor) -> Tensor:
    """A network with each of the things that get changed by hand."""
    x = x.conv(6, 3, stride=2, pad=1, bias=False).batchnorm().relu()
    x = x.lrn(size=5, alpha=1e-2, beta=0.75, k=2.0).maxpool(3, 2, pad=1)
    x = x.conv(16, 1).relu().concat(x.conv(3, 3, pad=1))  # 16: Caffe2's IDEEP wants multiples
    return x.dropout(0.5).global_avgpool().dense(5)


def network(name: str) -> Graph:
    return build(everything, name, (3, 21, 27))


def judge(tmp_path: Path, name: str = "toy", **changes: object) -> gate.Gate:
    return replace(gate.Gate(fakes(Contender(name, "plain")), "cpu", 1, tmp_path), **changes)  # type: ignore[arg-type]


def silent(what: str, verdicts: list[Verdict]) -> None:
    pass


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """A worker whose framework has the mistake that the network's name says."""
    with mistaken(tmp_path_factory.mktemp("wrong")) as checker:
        yield checker


def test_what_max_pooling_cannot_change_is_kept_once() -> None:
    referee = Referee(conformance.case("maxpool_of_maxpool"))
    one, every = referee.training, referee.sharing
    differ = {k for k in one if not np.array_equal(one[k].value, every[k].value)}
    assert differ and differ < set(one)
    assert {k for k in one if one[k].value is not every[k].value} == differ
    assert all(every[k].bound >= one[k].bound for k in one)


def test_referees_compute_one_at_a_time_and_each_thing_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Referee] = []
    alone = Lock()

    def gradients(self: Referee, every: bool = False) -> dict[str, parity.Expected]:
        with_nobody = alone.acquire(blocking=False)
        asked.append(self)
        time.sleep(0.05)  # time for others to come in, were they let
        assert with_nobody
        alone.release()
        return {}

    monkeypatch.setattr(Referee, "gradients", gradients)
    one, two = Referee(network("none")), Referee(network("relu"))
    wanted = [(one, "training"), (two, "sharing"), (two, "training"), (one, "training")]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: pair[0].expects(pair[1]), wanted))
    assert found == [{}] * 4 and sorted(map(id, asked)) == sorted(map(id, (one, two, two)))


def test_a_correct_framework_passes(wrong: Checker) -> None:
    verdicts = wrong.check(Referee(network("none")))
    assert [v.status for v in verdicts] == ["ok", "ok"]
    assert all(v.worst_error < v.bound and v.worst_tensor for v in verdicts)  # type: ignore[operator]
    assert {v.parameters for v in verdicts} == {network("none").params}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_refused(wrong: Checker, mistake: str) -> None:
    verdicts = wrong.check(Referee(network(mistake)))
    refused = [v for v in verdicts if v.status in ("wrong", "error")]
    assert refused and all(v.reason for v in refused)


def halved(x: Tensor) -> Tensor:
    return x.conv(4, 1).maxpool(2, 2).flatten().dense(3)


@pytest.mark.parametrize(("declared", "status"), [("each wins", "ok"), ("", "wrong")])
def test_maxima_that_rounding_makes_equal_may_all_win_where_that_is_declared(
    declared: str, status: str, tmp_path: Path
) -> None:
    """By chance two maxima of a real network were one number in float32."""
    referee = Referee(build(halved, "halved", (2, 8, 8)))
    referee.x[..., 1::2] = referee.x[..., ::2]
    who = Contender("toy", "every_maximum")
    with gate.start(fake("toy", mode=who.mode), "cpu", "fp32", 1, tmp_path) as worker:
        verdicts = Checker(worker, who, tmp_path, declared).check(referee)
    assert [v.status for v in verdicts] == ["ok", status]


def test_every_conformance_case_passes_in_a_correct_framework(tmp_path: Path) -> None:
    verdicts = judge(tmp_path).conform([TOY], silent)
    assert [v for v in verdicts if not v.ok] == []
    assert len(verdicts) == 4 * (len(conformance.CASES) + len(chance.CASES)) + 1


NORMALISED = [g for g in conformance.cases() if any(n.op.kind == "batchnorm" for n in g.nodes)]


@pytest.mark.parametrize("graph", conformance.cases(), ids=lambda graph: graph.name)
def test_rounding_cannot_turn_what_the_steps_of_a_case_come_to(graph: Graph) -> None:
    """Neither by a tie, which is no part of their bound, nor because training is unstable."""
    referee = Referee(graph, conformance.BATCH)
    losses, turned = with_ties_turned(referee)
    assert max(losses) < 200
    for name, wanted in referee.after_steps.items():
        assert wanted.error(turned[name]) <= wanted.bound / 100, name


def with_ties_turned(referee: Referee) -> tuple[list[float], Arrays]:
    """The losses of a case's steps and its parameters after them, all ties of each being decided
    the other way."""
    graph, seen, velocity, losses = referee.graph, Arrays(), Arrays(), []
    values = {name: value.astype(np.float64) for name, value in referee.weights.items()}

    def near(node: Node, x: Array) -> Array:
        return parity.nearness(x, seen[node.name])

    for _ in range(conformance.STEPS):
        reference.train(
            graph, values, referee.x, np.float32,
            observe=lambda node, x: parity.remember(seen, node, x),
        )  # fmt: skip
        passed = reference.train(graph, values, referee.x, near=near)
        passed.saved = passed.other
        loss, gradients, _ = reference.backpropagate(passed, referee.y)
        sgd(graph, values, velocity, gradients)
        losses.append(loss)
    return losses, values


@pytest.mark.parametrize("graph", NORMALISED, ids=lambda graph: graph.name)
def test_in_evaluation_mode_the_loss_would_be_another(graph: Graph) -> None:
    """Else a pass `forward` in that mode would not be seen where statistics are normalised by."""
    referee = Referee(graph, conformance.BATCH)
    evaluated = reference.cross_entropy(referee.run(np.float64), referee.y)[0]
    wanted = referee.training["loss"]
    clear = 100 if graph.name.startswith("block_") else 1000  # these are there for their joints
    assert wanted.error(np.array(evaluated)) > clear * wanted.bound


def test_a_forward_pass_in_evaluation_mode_is_refused(tmp_path: Path) -> None:
    referee = Referee(conformance.case("batchnorm_epsilon"), conformance.BATCH)
    with gate.start(fake("evaluating"), "cpu", "fp32", 1, tmp_path) as worker:
        verdicts = Checker(worker, TOY, tmp_path).conform(referee)
    assert [(v.phase, v.status) for v in verdicts] == [("forward", "wrong"), ("step", "ok")]
    assert verdicts[0].worst_tensor == "loss"


def test_a_wrong_optimiser_is_refused(tmp_path: Path) -> None:
    graph = conformance.case("conv_plain")
    referee = Referee(graph)
    with gate.start(fake("toy"), "cpu", "fp32", 1, tmp_path) as worker:
        checker = Checker(worker, TOY, tmp_path)
        assert checker.update(referee).ok
        referee.graph = replace(graph, momentum=0.5)  # what the worker is told
        checker.build(referee)
        referee.graph = graph
        worker.call("update", 60, inputs=checker.path("inputs"), steps=3)
        worker.call("parameters", 60, out=checker.path("parameters"))
        assert compare(checker.arrays("parameters"), referee.trained(3))["status"] == "wrong"


def test_passing_is_remembered_and_failing_is_not(tmp_path: Path) -> None:
    graph = network("none")
    first = judge(tmp_path).check([TOY], [graph], silent)
    broken = judge(tmp_path, entrants={TOY: fake("crash")})
    assert first == judge(tmp_path).check([TOY], [graph], silent)
    assert broken.check([TOY], [graph], silent)[0].status == "died"
    assert broken.check([TOY], [graph], silent)[0].status == "died"


def test_what_a_framework_cannot_do_is_remembered_too(tmp_path: Path) -> None:
    refusing = judge(tmp_path, "refuses")
    who = [Contender("refuses", "plain")]
    first = refusing.check(who, [network("none")], silent)
    assert {v.status for v in first} == {"unsupported"}
    broken = judge(tmp_path, entrants={who[0]: fake("refuses")})
    broken.entrants[who[0]].python = Path("/no/python")
    assert broken.check(who, [network("none")], silent) == first


def test_what_passing_depends_on_is_in_its_key(tmp_path: Path) -> None:
    graph, one = network("none"), judge(tmp_path)
    subject, steps = Subject([graph]), Training([graph])
    keys = {
        one.path(fake("toy"), subject, graph),
        one.path(fake("toy"), subject, replace(graph, momentum=0.5)),
        one.path(fake("toy"), steps, graph),
        one.path(fake("toy", lock="1"), subject, graph),
        one.path(fake("toy", equal_maxima="each has the gradient"), subject, graph),
        one.path(fake("crash"), subject, graph),
        one.path(fake("toy", mode="other"), subject, graph),
        replace(one, threads=2).path(fake("toy"), subject, graph),
        replace(one, device="cuda").path(fake("toy"), subject, graph),
    }
    assert len(keys) == 9


def test_a_dead_worker_does_not_take_the_next_network_with_it(tmp_path: Path) -> None:
    verdicts = judge(tmp_path, "crash").conform([Contender("crash", "plain")], silent)
    assert {v.status for v in verdicts} == {"died"}
    assert {v.model for v in verdicts} == {*conformance.CASES, *chance.CASES, moving.NAME}


def test_an_unavailable_framework_has_rows_with_its_reason(tmp_path: Path) -> None:
    absent = judge(tmp_path, entrants={TOY: Unavailable("no wheel", "build one")})
    verdicts = absent.check([TOY], [network("none")], silent)
    assert [(v.phase, v.status) for v in verdicts] == [
        ("inference", "unavailable"),
        ("training", "unavailable"),
    ]
    assert "build one" in verdicts[0].reason


def test_a_bound_is_the_twins_error_and_shapes_must_agree() -> None:
    true = np.array([1.0, 2.0, 3.0])
    wanted = {"a": expected(true, true + 1e-6)}
    assert compare({"a": true + 0.9e-5}, wanted)["status"] == "ok"
    assert compare({"a": true + 2e-5}, wanted)["status"] == "wrong"
    assert compare({"a": true[:2]}, wanted)["status"] == "wrong"
    assert compare({"a": true * np.nan}, wanted)["status"] == "wrong"
    assert compare({"b": true}, wanted)["status"] == "wrong"


@pytest.mark.parametrize("size", [0.0, 1e-17])
def test_the_error_of_what_should_be_zero_is_told_by_its_bound(size: float) -> None:
    """As the gradient of a bias in front of batch normalisation: relative to itself it would be
    anything."""
    true = np.array([size, -size, size])
    wanted = {"a": expected(true, true + 1e-9)}
    found = compare({"a": true + 3e-8}, wanted)
    assert (found["status"], found["reason"]) == ("wrong", "a is off by 3 times what is allowed")
    assert (found["worst_error"], found["bound"]) == (pytest.approx(3), pytest.approx(1))


def test_another_shape_is_named() -> None:
    wanted = {"a": expected(np.ones(3), np.ones(3))}
    for found in (np.ones(2), np.array([1, 1, np.nan])):
        assert "another shape" in compare({"a": found}, wanted)["reason"]

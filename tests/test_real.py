"""The real frameworks: the gate opens for them and closes for a mistake in them; a real run.

Nothing here believes the parity cache: what is tested is found out anew. A framework that this
machine cannot have is skipped with its reason. `tox -e frameworks`, two at a time; `tox -e run`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache, reduce
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench import console, frameworks, gate, models, probes, session
from bench.cases import PHASES, Contender
from bench.client import Failure, Worker
from bench.entrants import Entrant, Entrants
from bench.errors import Unavailable
from bench.graph import Graph, Tensor, build
from bench.parity import LIMIT, Checker, Referee, Verdict, save_usual
from bench.subjects import Operators, Subject, Training
from tests.conftest import ADAPTERS, REPOSITORY
from tests.test_parity import network

pytestmark = pytest.mark.frameworks
KNOWN = frameworks.discover()
PAIRS = [Contender(f.name, mode) for f in KNOWN.values() for mode in f.modes]
SLICE = ("lenet5", "googlenet_aux", "resnet50", "mobilenet_v3_small", "shufflenet_v2_x0_5")
THREADS = 1  # two tests at a time have a processor each; the run takes all of them
SMALL = "lenet5"  # for the modes that are not a framework's default
RESHAPING = ("padding", "pooling_padding")
MISTAKES = (*RESHAPING, "epsilon", "lrn_alpha", "lrn_constant", "relu")


def is_default(contender: Contender) -> bool:
    return contender.mode == KNOWN[contender.framework].modes[0]


@pytest.fixture(scope="module")
def entrants() -> Entrants:
    return session.provision(PAIRS, "cpu", console.Watch())


def available(found: Entrants, contender: Contender) -> Entrant:
    entrant = found[contender]
    if isinstance(entrant, Unavailable):
        pytest.skip(f"{contender}: {entrant}")
    return entrant


def bad(verdicts: list[Verdict]) -> list[str]:
    return [
        f"{v.model} {v.phase} {v.status}: {v.reason}"
        for v in verdicts
        if v.status not in ("ok", "unsupported")
    ]


def alike(contender: Contender, *more: str, worker: str = "") -> Any:
    """Parameters of a test that shares a worker with others: see conftest's scheduler."""
    return pytest.param(contender, *more, id="|".join([f"{contender}{worker}", *more]))


@cache
def subject(kind: type[Subject], *names: str) -> Subject:
    """One for all tests, so that the referee computes once."""
    return kind([models.load(name).for_checks() for name in names]) if names else kind()  # type: ignore[call-arg]


class Checkers:
    """The worker of the contender that is asked for: one for all its tests that come in a row, so
    that a framework is imported once; a new one after a death."""

    def __init__(self, entrants: Entrants, logs: Path) -> None:
        self.entrants, self.logs = entrants, logs
        self.checker: Checker | None = None

    def of(self, contender: Contender) -> Checker:
        entrant, who = available(self.entrants, contender), astuple(contender)
        if self.checker and self.checker.who == who and self.checker.worker.process.poll() is None:
            return self.checker
        self.end()
        worker = gate.start(entrant, "cpu", "fp32", THREADS, self.logs)
        self.checker = Checker(worker, contender, self.logs, entrant.equal_maxima)
        return self.checker

    def end(self) -> None:
        if self.checker:
            self.checker.worker.kill()
            self.checker = None


@pytest.fixture(scope="module")
def checkers(entrants: Entrants, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkers]:
    found = Checkers(entrants, tmp_path_factory.mktemp("checkers"))
    yield found
    found.end()


@pytest.fixture
def checker(contender: Contender, checkers: Checkers) -> Checker:
    return checkers.of(contender)


def examined(checker: Checker, what: Subject) -> list[Verdict]:
    return [verdict for n in range(len(what.graphs)) for verdict in what.examine(checker, n)]


@pytest.mark.parametrize("contender", [alike(c) for c in PAIRS])
def test_operators_conform(contender: Contender, checker: Checker) -> None:
    verdicts = examined(checker, subject(Operators))
    assert bad(verdicts) == []
    assert any(v.ok and (v.phase == "step" or not is_default(contender)) for v in verdicts)


@pytest.mark.parametrize(
    ("contender", "name"),
    [alike(c, name) for name in SLICE for c in PAIRS if is_default(c) or name == SMALL],
)
def test_networks_agree(name: str, checker: Checker) -> None:
    verdicts = examined(checker, subject(Subject, name))
    assert bad(verdicts) == []
    assert {v.parameters for v in verdicts if v.ok} == {models.load(name).params}


def declared(contender: Contender) -> str:
    return KNOWN[contender.framework].equal_maxima.get(contender.mode, "")


TRAINED = [c for c in PAIRS if is_default(c) or declared(c)]


@pytest.mark.parametrize("contender", [alike(c) for c in PAIRS])
def test_fp32_is_fp32_and_a_step_takes_data_that_is_there(checker: Checker) -> None:
    found = probes.examine(checker.worker)
    assert found["mantissa"], found["unprobed"]
    assert probes.charge(found, "fp32", "cpu") == ""


@pytest.mark.parametrize("contender", [alike(c) for c in TRAINED])
def test_training_is_the_same(contender: Contender, checker: Checker) -> None:
    """In default modes; where equal maxima are treated in another way, in that way exactly."""
    verdicts = examined(checker, subject(Training, SMALL))
    assert bad(verdicts) == []
    assert [v.reason for v in verdicts] == [declared(contender)]


def constructed(checker: Checker, graph: Graph) -> dict[str, str]:
    """The files of a network that its worker has built, with the usual weights."""
    files = save_usual(checker.folder, graph, 2)
    probes.construct(checker.worker, files)
    return files


@pytest.mark.parametrize("contender", [alike(c) for c in PAIRS])
def test_no_phase_is_compiled_a_second_time(checker: Checker) -> None:
    """Else a second step, which is timed as any other where there is time for few, is a first one.
    What compiles in no time may vary as it likes."""
    paths = constructed(checker, network("none"))
    for phase in PHASES:
        about = {"phase": phase, "inputs": paths["inputs"], "seconds": 2, "shortest": 1e-4}
        try:
            told = checker.worker.call("warmup", LIMIT, **about)
        except Failure as failure:
            assert failure.status == "unsupported"
            continue
        later = checker.worker.call("measure", LIMIT, phase=phase, seconds=2, samples=20)["samples"]
        second = told["samples"][0]
        assert second < max(told["first_call"] / 2, 100 * median(later)), phase


def wide(width: int) -> Graph:
    """Eight layers: TensorFlow keeps one tensor more, the last that was assigned."""

    def layers(x: Tensor) -> Tensor:
        return reduce(lambda x, _: x.dense(width), range(8), x.flatten())

    return build(layers, f"wide{width}", (3, 8, 8))


def built(checker: Checker, graph: Graph) -> int:
    """Bytes in use once a network was built and is about to infer."""
    paths = constructed(checker, graph)
    about = {"phase": "inference", "inputs": paths["inputs"], "least": 1, "most": 1, "seconds": 0}
    found: dict[str, int] = checker.worker.call("memory", LIMIT, **about)["built"]
    return found["anonymous"]


# Gluon makes room for the gradient of each parameter when it is initialised, as its users know it
COPIES = {Contender("mxnet", "hybrid"): 2, Contender("mxnet", "eager"): 2}


@pytest.mark.parametrize("contender", [alike(c) for c in PAIRS])
def test_what_infers_keeps_its_weights_once(
    contender: Contender, entrants: Entrants, tmp_path: Path
) -> None:
    """No velocities, no gradients, and no copy that an adapter forgot: they would be counted as the
    framework's. A worker of its own: one that has run other networks has memory to spare."""
    entrant, narrow, large = available(entrants, contender), wide(8), wide(1024)
    with gate.start(entrant, "cpu", "fp32", THREADS, tmp_path) as worker:
        checker = Checker(worker, contender, tmp_path)
        before = [built(checker, narrow) for _ in range(2)][-1]  # the first one loads libraries
        grown = built(checker, large) - before
    copies = grown / (4 * (large.params - narrow.params))
    assert abs(copies - COPIES.get(contender, 1)) < 0.25


@pytest.fixture(scope="module", params=[alike(c, worker=" wrong|") for c in PAIRS if is_default(c)])
def wrong(
    request: pytest.FixtureRequest, entrants: Entrants, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checker]:
    """The real framework in its default mode behind tests/adapters/wrong.py."""
    contender = request.param
    entrant = available(entrants, contender)
    folder = tmp_path_factory.mktemp(contender.framework)
    variables = entrant.variables(THREADS) | {"CONVMARK_REAL": str(entrant.adapter)}
    about = {"mode": contender.mode, "device": "cpu", "precision": "fp32", "threads": THREADS}
    log = folder / "log"
    with Worker(entrant.python, ADAPTERS / "wrong.py", THREADS, variables, log) as worker:
        worker.call("hello", 300, **about)
        yield Checker(worker, contender, folder)


def test_unchanged_it_passes(wrong: Checker) -> None:
    assert bad(wrong.check(Referee(network("none")))) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_changed_by_hand_it_is_refused(wrong: Checker, mistake: str) -> None:
    """A crash is no proof, but where shapes no longer fit a framework may say so itself."""
    verdicts = wrong.check(Referee(network(mistake)))
    refusals = {"wrong", "error"} if mistake in RESHAPING else {"wrong"}
    assert {v.status for v in verdicts} & refusals, f"{mistake} went unnoticed"
    assert {v.status for v in verdicts} <= refusals | {"ok"}, bad(verdicts)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench", *arguments]


def journal(folder: Path) -> list[str]:
    path = folder / "samples.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.alone
def test_a_run_of_all_frameworks_survives_a_kill(entrants: Entrants, tmp_path: Path) -> None:
    """`bench run`, SIGKILL half-way, `--resume`: the same cases, and every line still there."""
    folder = tmp_path / "run"
    options = ["--framework", "all", "--device", "cpu", "--profile", "smoke", "--budget", "10s"]
    first = subprocess.Popen(command("run", *options, "--out", str(folder)), cwd=REPOSITORY)
    while sum('"kind": "block"' in line for line in journal(folder)) < 3:
        assert first.poll() is None, "ended before it could be killed"
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = journal(folder)
    again = subprocess.run(
        command("run", "--resume", str(folder), "--json"),
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert journal(folder)[: len(before)] == before
    rows = json.loads(again.stdout)
    assert len(rows) == 2 * len(KNOWN)
    ready = {c for c, e in entrants.items() if not isinstance(e, Unavailable)}
    expected = {c.framework for c in ready if is_default(c)}
    assert {row["framework"] for row in rows if row["status"] == "ok"} == expected

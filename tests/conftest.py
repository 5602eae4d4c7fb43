"""Fakes shared by the tests: frameworks that need no environment of their own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from bench import cli, envs, gate, memory
from bench.cases import Contender
from bench.client import Worker
from bench.heat import HeatRunner
from bench.parity import Checker
from bench.race import Race, Told, stages

REPOSITORY = Path(__file__).resolve().parents[1]
ADAPTERS = Path(__file__).parent / "adapters"
NUMBERS = count()  # of caches
RACERS = ("spinner", "mortal", "stumbling", "hasty", "tiring", "fickle", "remembering")


class Fake(SimpleNamespace):
    """An entrant whose interpreter is ours and whose adapter is one of tests/adapters."""

    def variables(self, threads: int) -> dict[str, str]:
        name = self.contender.framework
        return {"CONVMARK_REPOSITORY": str(REPOSITORY), "CONVMARK_FAILURE": name}


def fake(name: str, lock: str = "0", mode: str = "plain", equal_maxima: str = "") -> Any:
    """An entrant of tests/adapters/<name>.py, or else of failing.py or racers.py in the way of that
    name."""
    adapter = ADAPTERS / f"{name}.py"
    if not adapter.exists():
        adapter = ADAPTERS / ("racers.py" if name in RACERS else "failing.py")
    return Fake(
        contender=Contender(name, mode),
        adapter=adapter,
        sources=[adapter],
        python=Path(sys.executable),
        equal_maxima=equal_maxima,
        environment=SimpleNamespace(lock_hash=lock),
    )


def fakes(*contenders: Contender) -> dict[Contender, Any]:
    """Entrants for these contenders."""
    return {c: fake(c.framework, mode=c.mode) for c in contenders}


def go(*races: Race) -> Told:
    """Do all that is left of a run's races."""
    for stage in stages(races):
        yield from stage.told


@contextmanager
def mistaken(folder: Path, mode: str = "plain", equal_maxima: str = "") -> Iterator[Checker]:
    """The checker of a worker whose framework, else that mode of toy.py, has the mistake that the
    network's name says: see tests/adapters/wrong.py."""
    entrant = fake("wrong")
    variables = entrant.variables(1) | {"CONVMARK_REAL": str(ADAPTERS / "toy.py")}
    with Worker(entrant.python, ADAPTERS / "wrong.py", 1, variables, folder / "log") as worker:
        worker.call("hello", 60, mode=mode, device="cpu", precision="fp32", threads=1)
        yield Checker(worker, entrant.contender, folder, equal_maxima)


def worker(name: str, log: Path) -> Worker:
    """A worker of `fake(name)` that has not been greeted."""
    entrant = fake(name)
    return Worker(entrant.python, entrant.adapter, 1, entrant.variables(1), log)


def pytest_configure() -> None:
    """Of tests side by side each process has a processor of its own: a worker is bound to the first
    that it may use, which else would be the same one for all, and threads that spin would fight."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if number and hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(number) % len(processors)]})


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup` the tests of a contender, `test_name[torch eager|lenet5]`, run in one
    process, one after the other: its framework is imported once."""
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


class Together(LoadScopeScheduling):
    """Groups by what stands first in the brackets; who has none is a group of one."""

    def _split_scope(self, nodeid: str) -> str:
        _, bracket, parameters = nodeid.partition("[")
        return parameters.rstrip("]").split("|")[0] if bracket else nodeid


@pytest.fixture(scope="session", autouse=True)
def short_weighing() -> Iterator[None]:
    """Memory is weighed in a few steps, not in those of three seconds: a race weighs each of its
    contenders in each phase."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "SECONDS", 0.1)
        yield


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[None]:
    """Each test has a cache of its own, but for those that run real frameworks. Its folder is made
    by who needs it: most tests do not."""
    if not request.node.get_closest_marker("frameworks"):
        folder = tmp_path_factory.getbasetemp() / "caches" / str(next(NUMBERS))
        monkeypatch.setenv("CONVMARK_CACHE", str(folder))
    gate.judges.cache_clear()
    yield
    os.environ.pop("CONVMARK_REAL", None)


@pytest.fixture(autouse=True)
def races_alone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A race is refused where another test may run beside it."""
    if not request.node.get_closest_marker("alone"):
        monkeypatch.setattr(HeatRunner, "race_on", not_beside_others)


def not_beside_others(*_: Any) -> Any:
    raise AssertionError("a test that races must be marked `alone`")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Command]:
    """`bench ARGUMENTS` in an empty folder, as the shell would see it; nothing is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(envs, "ensure_all", installs)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        capsys.readouterr()
        status: Any = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code
        return Done(status, *capsys.readouterr())

    yield call
    signal.signal(signal.SIGTERM, handler)


def installs(*_: Any) -> Any:
    raise AssertionError("this command must not install anything")

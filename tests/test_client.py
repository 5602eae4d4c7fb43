"""A worker in trouble is a result with a reason, never a hang or a wrong value."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.client import Failure, Worker, environment, processors
from bench.conformance import case
from bench.parity import save
from bench.weights import batch, weights
from tests.conftest import ADAPTERS, fake, worker

HELLO = {"mode": "plain", "device": "cpu", "precision": "fp32", "threads": 1}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    graph = case("relu")
    return save(tmp_path, graph, weights(graph), *batch(graph, 2))


def build(name: str, files: dict[str, str], limit: float = 30) -> Failure:
    """The failure with which a fake builds a network."""
    with worker(name, Path(files["graph"]).with_name("log")) as running:
        running.call("hello", 30, **HELLO)
        with pytest.raises(Failure) as caught:
            running.call("build", limit, graph=files["graph"], weights=files["weights"])
        return caught.value


def test_hello_says_who_it_is(tmp_path: Path) -> None:
    with worker("toy", tmp_path / "log") as running:
        about = running.call("hello", 30, **HELLO)
    assert (about["framework"], about["pid"]) == ("toy", running.process.pid)
    assert about["versions"]["numpy"] and about["import_seconds"] > 0 and about["rss"] > 0


def test_prints_of_python_c_and_children_do_not_reach_the_channel(tmp_path: Path) -> None:
    with worker("chatty", tmp_path / "log") as running:
        assert running.call("hello", 30, **HELLO)["framework"] == "chatty"
    assert (tmp_path / "log").read_text().count("forged") == 4


def test_a_crash_is_named_by_its_signal_and_its_log(files: dict[str, str]) -> None:
    failure = build("crash", files)
    assert failure.status == "died"
    assert "SIGSEGV" in failure.reason and "log" in failure.reason


def test_a_hang_is_killed_with_its_process_group(files: dict[str, str]) -> None:
    failure = build("hang", files, limit=0.5)
    assert (failure.status, "build took longer" in failure.reason) == ("timeout", True)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("refuses", "unsupported", "no convolution"),
        ("greedy", "out_of_memory", "1 TiB"),
        ("raises", "error", "boom"),
        ("recursive", "error", "the deepest call"),  # beyond Python's own limit
    ],
)
def test_foreseen_failures_keep_their_own_words(
    name: str, status: str, reason: str, files: dict[str, str]
) -> None:
    failure = build(name, files)
    assert failure.status == status and reason in failure.reason
    assert "Traceback" in Path(files["graph"]).with_name("log").read_text()


def test_a_dead_worker_answers_with_its_death(tmp_path: Path) -> None:
    with worker("toy", tmp_path / "log") as running:
        running.process.kill()
        running.process.wait()
        with pytest.raises(Failure, match=r"died: .*SIGKILL"):
            running.call("hello", 30, **HELLO)


def test_leaving_ends_the_process(tmp_path: Path) -> None:
    with worker("toy", tmp_path / "log") as running:
        running.call("hello", 30, **HELLO)
    assert running.process.returncode == -signal.SIGKILL


def test_what_a_framework_leaves_where_it_runs_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with worker("littering", tmp_path / "log") as running:
        own = Path(running.call("hello", 30, **HELLO)["versions"]["folder"])
        assert (own / "rank_0" / "om" / "left_behind").exists()
    assert not own.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_paths_may_be_relative_to_our_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("python").symlink_to(sys.executable)
    Path("adapter.py").symlink_to(ADAPTERS / "littering.py")
    with Worker(Path("python"), Path("adapter.py"), 1, fake("littering").variables(1)) as running:
        assert running.call("hello", 30, **HELLO)["framework"] == "littering"


def test_an_interpreter_that_is_missing_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        Worker(tmp_path / "no_python", ADAPTERS / "toy.py")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["logits", "gradients"])
def test_what_is_compared_is_what_the_timed_function_gave(
    verb: str, files: dict[str, str], tmp_path: Path
) -> None:
    """An adapter that computes for the check what it does not compute for the clock."""
    with worker("apart", tmp_path / "log") as running:
        running.call("hello", 30, **HELLO)
        running.call("build", 30, graph=files["graph"], weights=files["weights"])
        with pytest.raises(Failure, match="must be what is timed"):
            running.call(verb, 30, inputs=files["inputs"], out=str(tmp_path / "out"))


@pytest.mark.alone
def test_the_parent_sleeps_while_a_worker_computes(files: dict[str, str]) -> None:
    with worker("hang", Path(files["graph"]).with_name("log")) as running:
        running.call("hello", 30, **HELLO)
        before = time.process_time()
        with pytest.raises(Failure):
            running.call("build", 1.0, graph=files["graph"], weights=files["weights"])
        assert time.process_time() - before < 0.25  # of a second: a spinning parent uses all of it


def test_a_worker_is_bound_to_its_processors_and_sees_only_the_whitelist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert "SECRET_OF_THE_USER" not in environment(1, {})
    assert environment(1, {})["OMP_NUM_THREADS"] == "1"
    assert environment(1, {"OMP_NUM_THREADS": "2"})["OMP_NUM_THREADS"] == "2"  # the framework's own
    with worker("toy", tmp_path / "log") as running:
        running.call("hello", 30, **HELLO)
        assert os.sched_getaffinity(running.process.pid) == set(processors(1))


def test_workers_side_by_side_have_processors_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 6, 9})
    assert [processors(1, seat) for seat in range(5)] == [[3], [5], [6], [9], [3]]
    assert [processors(2, seat) for seat in range(3)] == [[3, 5], [6, 9], [3, 5]]
    assert processors(8) == [3, 5, 6, 9]
    assert environment(2, {}, 1)["CONVMARK_CPUS"] == "6,9"


def warm(running: Worker, files: dict[str, str], phase: str, shortest: float = 0.0) -> Any:
    running.call("hello", 30, **HELLO)
    running.call("build", 30, graph=files["graph"], weights=files["weights"])
    asked = {"phase": phase, "inputs": files["inputs"], "seconds": 0.1, "shortest": shortest}
    return running.call("warmup", 30, **asked)


def test_a_block_has_at_least_one_sample_whatever_its_time(files: dict[str, str]) -> None:
    with worker("toy", Path(files["graph"]).with_name("log")) as running:
        warm(running, files, "train")
        block = running.call("measure", 30, phase="train", seconds=0.0, samples=5)
        assert (len(block["samples"]), block["settle"] > 0) == (1, True)
        block = running.call("measure", 30, phase="train", seconds=9.0, samples=1)
        assert (len(block["samples"]), block["settle"]) == (1, None)


def hoard(running: Worker) -> tuple[int, int]:
    """Objects that the search for garbage leaves out, and networks that there are."""
    left_out, networks = running.call("source", 30)["source"].split()
    return int(left_out), int(networks)


def test_no_search_for_garbage_goes_through_a_whole_framework(files: dict[str, str]) -> None:
    """In a block it takes as long as the block; while networks are compiled, a tenth of the time.
    But networks go: the last but one at the latest."""
    paths = {"graph": files["graph"], "weights": files["weights"]}
    with worker("hoarding", Path(files["graph"]).with_name("log")) as running:
        warm(running, files, "inference")
        assert hoard(running)[0] > 200_000
        for _ in range(3):
            running.call("build", 30, **paths)
            left_out, networks = hoard(running)
            assert left_out > 200_000 and networks <= 2


def test_what_compiling_leaves_behind_goes_with_the_next_network(files: dict[str, str]) -> None:
    asked = {"inputs": files["inputs"], "out": str(Path(files["graph"]).with_name("logits"))}
    with worker("hoarding", Path(files["graph"]).with_name("log")) as running:
        warm(running, files, "inference")
        running.call("build", 30, graph=files["graph"], weights=files["weights"])
        before = hoard(running)[0]
        running.call("logits", 30, **asked)
        compiled = hoard(running)[0]
        running.call("logits", 30, **asked)
        assert before < compiled == hoard(running)[0]
        given = {"phase": "inference", "inputs": files["inputs"]}
        running.call("memory", 30, **given, least=1, most=1, seconds=1.0)
        assert hoard(running) == (0, 1)  # memory is weighed without garbage


def test_short_steps_are_repeated_until_the_clock_can_tell(files: dict[str, str]) -> None:
    with worker("toy", Path(files["graph"]).with_name("log")) as running:
        warmed = warm(running, files, "inference", shortest=0.02)
        block = running.call("measure", 30, phase="inference", seconds=9.0, samples=5)
    assert block["repeats"] == warmed["repeats"] > 1 and len(block["samples"]) == 5
    assert warmed["first_call"] > 0 and warmed["samples"] and warmed["seconds"] > 0


def used(running: Worker) -> float:
    times = psutil.Process(running.process.pid).cpu_times()
    return times.user + times.system


@pytest.mark.alone
def test_one_that_is_paused_uses_no_processor_whatever_its_threads_do(tmp_path: Path) -> None:
    with worker("spinner", tmp_path / "log") as running:
        running.call("hello", 30, **HELLO)
        before = used(running)
        while used(running) == before:
            time.sleep(0.01)  # it does spin
        running.pause()
        assert psutil.Process(running.process.pid).status() == psutil.STATUS_STOPPED
        before = used(running)
        time.sleep(0.3)
        assert used(running) == before
        running.resume()
        while used(running) == before:
            time.sleep(0.01)  # and again


def test_a_paused_one_can_be_ended(tmp_path: Path) -> None:
    with worker("toy", tmp_path / "log") as running:
        running.call("hello", 30, **HELLO)
        running.pause()
    assert running.process.returncode == -signal.SIGKILL


@pytest.mark.alone
def test_one_slow_step_does_not_decide_how_long_a_sample_is(files: dict[str, str]) -> None:
    """Else, on a busy machine, copies of one framework have samples of different lengths, and the
    medians of these differ though the copies do not."""
    with worker("stumbling", Path(files["graph"]).with_name("log")) as running:
        found = [warm(running, files, "inference", shortest=0.02)["repeats"] for _ in range(6)]
    assert min(found) > 1  # whichever step came last

"""scripts/nightly, with a bench that answers what a test says, or measures made-up nights."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock, Timeout

from bench import envs
from tests.conftest import REPOSITORY

STUB = """
import json, sys
from pathlib import Path
here = Path(__file__).parent
command, *rest = sys.argv[1:]
with (here / "calls.txt").open("a") as calls:
    print(command, *rest, file=calls)
answers = json.loads((here / "answers.json").read_text())
if command == "run" and "nothing is made" not in answers:
    folder = Path(rest[rest.index("--out") + 1])
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
key = " ".join([command, *(Path(word).name for word in rest[:1])])
status, said = answers.get(key) or answers.get(command) or [0, command + " is fine"]
print(said)
sys.exit(status)
"""
MEASURED = """
import json, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
command, *rest = sys.argv[1:]
if command == "run":
    from tests.nights import night
    night(Path(rest[rest.index("--out") + 1]), **json.loads(rest[rest.index("--night") + 1]))
elif command in ("compare", "history"):
    from bench import cli
    cli.main()
"""


def loaded() -> ModuleType:
    """The script, which has no suffix, as a module."""
    loader = SourceFileLoader("nightly", str(REPOSITORY / "scripts" / "nightly"))
    spec = importlib.util.spec_from_loader("nightly", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["nightly"] = module
    loader.exec_module(module)
    return module


nightly = loaded()
Spend = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a stub of bench, which is what the script calls."""
    (tmp_path / "stub.py").write_text(STUB)
    command = shlex.join([sys.executable, str(tmp_path / "stub.py")])
    monkeypatch.setenv(nightly.BENCH, command)
    yield tmp_path


@pytest.fixture
def spend(place: Path) -> Spend:
    """A night with these answers of bench: command, or command and first argument, to status and
    text."""

    def call(name: str, *arguments: str, **answers: Any) -> Result:
        (place / "answers.json").write_text(json.dumps(answers))
        runs = ["--runs", str(place / "nights"), "--name", name]
        return CliRunner().invoke(nightly.main, [*runs, *arguments])

    return call


def calls(place: Path) -> list[str]:
    return (place / "calls.txt").read_text().replace(f"{place}/", "").splitlines()


def record(place: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "nights" / name / "night.json").read_text())
    return found


SLOW = [1, "SLOWER torch eager resnet50"]


def test_the_first_night_has_nothing_to_compare_with(place: Path, spend: Spend) -> None:
    done = spend("1", "--device", "cpu", "--profile", "smoke")
    assert done.exit_code == 0
    assert calls(place) == [
        "doctor",
        "run --out nights/1 --device cpu --profile smoke",
        "report nights/1 --out nights/1/report",
        "history nights --chart nights/1/report/history.svg --fail-on regression",
    ]
    assert record(place, "1") == {
        "name": "1", "status": 0, "regression": False, "good": True, "base": "",
    }  # fmt: skip


def test_a_quiet_night_is_compared_with_the_last_one(place: Path, spend: Spend) -> None:
    for name in "12":
        spend(name)
    assert spend("3").exit_code == 0
    assert "compare nights/2 nights/3 --fail-on regression" in calls(place)
    assert record(place, "3")["base"] == "2"


@pytest.mark.parametrize("command", ["compare", "history"])
def test_a_regression_is_the_exit_status_and_is_named(
    place: Path, spend: Spend, command: str
) -> None:
    spend("1")
    done = spend("2", **{command: SLOW})
    assert done.exit_code == 1
    assert "Night 2: something is slower or lost (base: 1)" in done.output
    assert SLOW[1] in done.output
    assert SLOW[1] in (place / "nights" / "2" / "night.md").read_text()


def test_a_night_with_a_regression_is_no_base(place: Path, spend: Spend) -> None:
    spend("1")
    spend("2", compare=SLOW)
    spend("3")
    assert record(place, "3")["base"] == "1"


def test_an_accepted_night_is_a_base_and_no_alarm(place: Path, spend: Spend) -> None:
    spend("1")
    assert spend("2", "--accept", compare=SLOW).exit_code == 0
    spend("3")
    assert record(place, "2")["regression"]
    assert record(place, "3")["base"] == "2"


def test_a_night_of_another_machine_is_passed_over(place: Path, spend: Spend) -> None:
    for name in "12":
        spend(name)
    done = spend("3", **{"compare 2": [2, "error: of different machines"]})
    assert done.exit_code == 0
    assert record(place, "3")["base"] == "1"


def test_a_run_that_breaks_off_is_kept_reported_and_no_base(place: Path, spend: Spend) -> None:
    spend("1")
    done = spend("2", run=[130, "stopped"])
    assert done.exit_code == 130
    assert "report nights/2 --out nights/2/report" in calls(place)
    assert "not all was done: status 130" in done.output
    spend("3")
    assert record(place, "3")["base"] == "1"


def test_a_report_that_fails_is_the_exit_status_but_the_night_is_a_base(
    place: Path, spend: Spend
) -> None:
    assert spend("1", report=[2, "error: no font"]).exit_code == 2
    spend("2")
    assert record(place, "2")["base"] == "1"


@pytest.mark.parametrize("command", ["run", "report", "compare", "history"])
def test_a_command_that_crashes_is_no_regression(place: Path, spend: Spend, command: str) -> None:
    spend("1")
    done = spend("2", **{command: [1, "Traceback (most recent call last):\nKeyError: 'x'"]})
    assert done.exit_code == 70
    assert "nothing is slower (base: 1); not all was done: status 70" in done.output


def test_a_noisy_machine_is_said_and_measured_all_the_same(place: Path, spend: Spend) -> None:
    assert spend("1", doctor=[1, "Noisy: steal"]).exit_code == 0
    assert "Noisy: steal" in (place / "nights" / "1" / "night.md").read_text()


@pytest.mark.parametrize("status", [0, 2])
def test_a_run_that_made_nothing_leaves_no_night(place: Path, spend: Spend, status: int) -> None:
    done = spend("1", **{"nothing is made": True, "run": [status, "error: unknown framework"]})
    assert done.exit_code == (status or 3)
    assert [line.split()[0] for line in calls(place)] == ["doctor", "run"]


@pytest.mark.parametrize("option", ["--out=x", "--resume", "--json"])
def test_options_that_are_the_scripts_own_are_refused(spend: Spend, option: str) -> None:
    done = spend("1", option)
    assert done.exit_code == 2
    assert f"{option} is not for nights" in done.output


def test_what_was_said_fits_into_an_issue(place: Path, spend: Spend) -> None:
    spend("1")
    spend("2", **{name: [1, name * 100_000] for name in ("doctor", "run", "compare", "history")})
    text = (place / "nights" / "2" / "night.md").read_text()
    assert len(text) < 65_000
    assert text.count("characters ...]") == 4


def test_two_nights_never_share_a_machine(
    spend: Spend, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "FileLock", lambda path: FileLock(path, timeout=0))
    envs.cache_dir().mkdir(parents=True)
    with FileLock(envs.cache_dir() / "nightly.lock"):
        assert isinstance(spend("1").exception, Timeout)
    assert not (place / "calls.txt").exists()


# -- with the real comparison and history ----------------------------------------------------------


@pytest.mark.slow
def test_real_comparisons_of_made_up_nights(place: Path, spend: Spend) -> None:
    (place / "stub.py").write_text(MEASURED.format(repository=str(REPOSITORY)))

    def night(number: int, **about: Any) -> Result:
        return spend(str(number), "--night", json.dumps({"number": number, **about}))

    assert night(1).exit_code == 0
    done = night(2, slower={"torch": 1.5}, fails="jax")
    assert done.exit_code == 1
    assert "SLOWER" in done.output and "LOST" in done.output and "signal 11" in done.output
    assert record(place, "2")["base"] == "1"
    assert "torch" in (place / "nights" / "2" / "samples.jsonl").read_text()

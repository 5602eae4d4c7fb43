"""The doctor names what would disturb a measurement, and says what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bench import doctor, nvml
from bench.doctor import NOISY, NOTE, QUIET, UNKNOWN, Finding, Watched
from bench.guard import Look
from bench.guard.counters import Times
from tests.conftest import Command
from tests.machines import CPU0, CPUS, machine, spinning

LOOK = Look(0.0, Times(10.0, 1.0), {}, {}, {}, 0.5, 0, 2, None, [], None, frozenset())


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(nvml, "first", lambda: None)
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(used=0))


EVEN = [[1e-4, 1e-4]] * 10  # paces of two processors


def found(
    root: Path, swapped: int = 0, before: Any = None, paces: Any = EVEN, **after: Any
) -> dict[str, Finding]:
    """What is found in ten seconds in which LOOK changes so."""
    begin = replace(LOOK, **(before or {}))
    end = replace(begin, **({"time": 10.0} | after))
    seen = Watched(root, [0, 1], begin, end, swapped, paces)
    return {finding.name: finding for finding in doctor.findings(seen)}


def test_a_quiet_machine_is_quiet(tmp_path: Path) -> None:
    root = machine(tmp_path, **{
        f"{CPU0}cpufreq/scaling_governor": "performance\n", f"{CPUS}smt/active": "0\n",
        f"{CPUS}intel_pstate/no_turbo": "1\n",
    })  # fmt: skip
    rows = found(root)
    assert {row.level for row in rows.values()} <= {QUIET, UNKNOWN}
    assert [name for name, row in rows.items() if row.level == UNKNOWN] == ["gpu", "energy"]
    assert not doctor.noisy(list(rows.values()))


def test_a_system_that_lets_nobody_choose_a_processor_has_no_speed(tmp_path: Path) -> None:
    assert found(machine(tmp_path), paces=[])["speed"].level == UNKNOWN


LOUD: dict[str, tuple[dict[str, Any], str]] = {
    "idle": ({"times": Times(14.0, 1.0)}, "80% of 2 processors"),
    "steal": ({"times": Times(10.0, 2.0)}, "the hypervisor took 0.10 processors"),
    "process": ({"others": {2**22: 4.0}}, "used 0.40 processors"),
    "heat": ({"hot": 1}, "slowed down now"),
    "quota": ({"throttled": 5}, "stopped 3 times"),
    "swap": ({"swapped": 7}, "7 pages"),
    "speed": (
        {"paces": EVEN + [[1e-4, 1.9e-4]] * 10},
        "processor 1 is up to 1.90 times as slow as at its best",
    ),
}


@pytest.mark.parametrize("name", LOUD)
def test_what_disturbs_now_is_noisy_and_has_advice(tmp_path: Path, name: str) -> None:
    changes, words = LOUD[name]
    rows = found(machine(tmp_path), **changes)
    assert rows[name].level == NOISY and words in rows[name].said and rows[name].advice
    assert [row.name for row in rows.values() if row.level == NOISY] == [name]
    assert doctor.noisy(list(rows.values()))


NOTES = {
    "governor": {f"{CPU0}cpufreq/scaling_governor": "powersave\n"},
    "turbo": {f"{CPUS}intel_pstate/no_turbo": "0\n"},
    "smt": {f"{CPUS}smt/active": "1\n"},
    "quota": {"sys/fs/cgroup/cpu.stat": "nr_throttled 2\n", "sys/fs/cgroup/cpu.max": "1 1\n"},
}


@pytest.mark.parametrize("name", NOTES)
def test_a_setting_is_a_note_with_advice(tmp_path: Path, name: str) -> None:
    rows = found(machine(tmp_path, **NOTES[name]))
    assert rows[name].level == NOTE and rows[name].advice
    assert not doctor.noisy(list(rows.values()))


@pytest.mark.parametrize(("boost", "level"), [("1", NOTE), ("0", QUIET)])
def test_turbo_of_other_makers(tmp_path: Path, boost: str, level: str) -> None:
    assert found(machine(tmp_path, **{f"{CPUS}cpufreq/boost": boost}))["turbo"].level == level


def test_a_machine_that_tells_nothing_is_unknown_and_no_error(tmp_path: Path) -> None:
    nothing = {"times": None, "hot": None, "throttled": None}
    rows = found(machine(tmp_path), before=nothing)
    assert [name for name, row in rows.items() if row.level == UNKNOWN] == [
        "idle", "governor", "turbo", "smt", "heat", "gpu", "energy",
    ]  # fmt: skip


def test_a_gpu_with_company_is_noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "first", lambda: nvml.Gpu("handle"))
    assert found(machine(tmp_path))["gpu"].level == QUIET
    rows = found(machine(tmp_path), gpu=frozenset({"on the GPU: someone (7)"}))
    assert (rows["gpu"].level, rows["gpu"].said) == (NOISY, "on the GPU: someone (7)")


def test_the_command_names_who_computes_and_ends_with_1(command: Command) -> None:
    with spinning() as spinner:
        done = command("doctor", "--seconds", "0.3", "--json")
        assert "Noisy" in command("doctor", "--seconds", "0.1").out
    answer = json.loads(done.out)
    assert done.status == 1 and answer["quiet"] is False
    said = [row["said"] for row in answer["findings"] if row["name"] == "process"]
    assert any(f"({spinner})" in text for text in said)


def test_the_command_ends_with_0_where_it_is_quiet(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [Finding("idle", QUIET, "100%")])
    done = command("doctor", "--json")
    assert done.status == 0 and json.loads(done.out)["quiet"] is True

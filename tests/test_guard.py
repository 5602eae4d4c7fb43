"""What happens on the machine beside a block is seen, and said in words."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from bench import guard, nvml
from bench.guard import Guard, Look, counters, disturbance, energy
from bench.guard.counters import Times
from bench.guard.processes import SCHEDULER
from tests.machines import CPU0, machine, spinning

pytestmark = pytest.mark.alone


@pytest.fixture
def spinner() -> Iterator[int]:
    with spinning() as pid:
        yield pid


def had(pid: int) -> float:
    """Processor seconds of a process so far."""
    return time.clock_gettime((~pid << 3) | SCHEDULER)


def here(**changes: Any) -> Guard:
    return replace(Guard.here("cpu", [0]), **changes)


# -- what is seen ----------------------------------------------------------------------------------


def test_what_others_have_is_foreign(spinner: int) -> None:
    with here().watch(os.getpgid(0)) as seen:
        before = had(spinner)
        time.sleep(0.3)
        spent = had(spinner) - before
    assert seen["foreign"] >= spent > 0
    assert disturbance(seen).startswith("other processes used ")


def test_what_the_worker_has_is_its_own(spinner: int) -> None:
    with here().watch(os.getpgid(0)) as other, here().watch(spinner) as own:
        before = had(spinner)
        time.sleep(0.3)
        spent = had(spinner) - before
    assert own["used"] >= spent / own["window"] > 0
    assert other["foreign"] - own["foreign"] > 0.9 * spent


def test_nothing_runs_beside_the_block() -> None:
    before = threading.active_count()
    with here().watch(os.getpid()):
        assert threading.active_count() == before


LOOK = Look(0.0, Times(10.0, 1.0), {1: 5.0}, {2: 3.0}, {}, 0.5, 7, 2, 2000.0, [], None, frozenset())


def seen(watch: Guard | None = None, **after: Any) -> dict[str, Any]:
    """Between LOOK and a second later."""
    return (watch or here()).compare(LOOK, replace(LOOK, **({"time": 1.0} | after)))


def test_of_who_lives_it_is_exact() -> None:
    assert seen(others={2: 3.004, 9: 0.001})["foreign"] == pytest.approx(0.005)


def test_who_began_and_ended_in_between_is_seen_by_the_coarser_counters() -> None:
    found = seen(times=Times(11.5, 1.0), own={1: 6.0})  # half a second that nobody owns up to
    assert found["foreign"] == pytest.approx(0.5 - guard.RESOLUTION)


def test_what_the_coarser_counters_make_of_nothing_is_not_counted() -> None:
    assert seen(times=Times(11.0 + guard.RESOLUTION, 1.0), own={1: 6.0})["foreign"] < 1e-9


def test_what_a_machine_does_not_tell_is_left_out() -> None:
    unknown = {"times": None, "waited": None, "hot": None, "throttled": None, "mhz": None}
    assert set(seen(**unknown, own={}, others={})) == {"window"}


CASES = [
    ({}, ""),
    ({"foreign": 0.04}, ""),
    ({"foreign": 0.5}, "other processes used 0.50 processors"),
    ({"steal": 0.05}, ""),
    ({"steal": 0.2}, "the hypervisor took 0.20 processors"),
    ({"hot": 2}, "slowed down for heat 2 times"),
    ({"throttled": 3}, "stopped for its quota 3 times"),
    ({"gpu": ["on the GPU: x (1)"]}, "on the GPU: x (1)"),
    ({"waited": 0.9, "used": 8.0, "mhz": 800.0}, ""),
]


@pytest.mark.parametrize(("block", "words"), CASES, ids=[words or "-" for _, words in CASES])
def test_what_disturbs_a_block_is_said(block: dict[str, Any], words: str) -> None:
    assert disturbance({"window": 1.0} | block) == words


def test_a_block_that_nobody_watched_is_not_marked() -> None:
    assert disturbance({"samples": [1.0], "wall": 1.0}) == ""


# -- counters --------------------------------------------------------------------------------------


def test_counters_are_read(tmp_path: Path) -> None:
    stat, pressure = "cpu  100 20 30 900 5 6 7 80 0 0\ncpu0 1\n", "some avg10=0.00 total=2500000\n"
    root = machine(tmp_path, **{
        "proc/stat": stat, "proc/pressure/cpu": pressure,
        f"{CPU0}cpufreq/scaling_cur_freq": "2400000\n",
        f"{CPU0}thermal_throttle/core_throttle_count": "3\n",
    })  # fmt: skip
    found = counters.times(root)
    assert found and found.busy == pytest.approx(163 / counters.TICKS)
    assert found.steal == 80 / counters.TICKS
    assert counters.pressure(root) == 2.5
    assert counters.frequency(root, [0, 1]) == 2400
    assert counters.hot(root, [0, 1]) == 3
    assert counters.throttled(root) is counters.quota(root) is None


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"own/cpu.stat": "usage_usec 5\nnr_throttled 4\n", "own/cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.stat": "nr_throttled 4\n", "cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.stat": "nr_periods 9\nnr_throttled 4\n", "cpu/cpu.cfs_quota_us": "50000\n",
          "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    found = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    root = machine(tmp_path, **{"proc/self/cgroup": "9:cpu:/\n0::/own\n"}, **found)
    assert (counters.throttled(root), counters.quota(root)) == (4, quota)


def package(root: Path, uj: str, name: str = "package-0") -> energy.Rapl:
    zone = "sys/class/powercap/intel-rapl:0/"
    files = {f"{zone}name": name, f"{zone}energy_uj": uj, f"{zone}max_energy_range_uj": "999999"}
    return energy.rapl(machine(root, **files))


def test_a_counter_of_energy_that_begins_again(tmp_path: Path) -> None:
    rapl = package(tmp_path, "900000\n")
    before = rapl.read()
    package(tmp_path, "400000\n")
    assert rapl.joules(before, rapl.read()) == 0.5


def test_energy_has_a_reason_where_it_is_not_to_be_had(tmp_path: Path) -> None:
    assert energy.rapl(tmp_path).reason.startswith("the system shows no RAPL counters")
    assert package(tmp_path, "").reason.startswith("RAPL counters can be read by root alone")
    assert energy.rapl(tmp_path).joules([], []) is None


# -- a GPU -----------------------------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the driver says of a GPU that is not there."""
    said = SimpleNamespace(energy=5000, reasons=0, running=[])
    power = pynvml.nvmlClocksThrottleReasonSwPowerCap
    answers = {
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: said.energy,
        "nvmlDeviceGetClockInfo": lambda *_: 1410,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: said.reasons and power,
        "nvmlDeviceGetComputeRunningProcesses": lambda _: said.running,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    return said


def test_a_gpu_counts_its_joules(gpu: SimpleNamespace) -> None:
    with here(gpu=nvml.Gpu("handle")).watch(0) as found:
        gpu.energy = 7500
    assert found["joules"] == 2.5 and "gpu" not in found


def test_a_gpu_that_is_held_down_or_shared_is_named(gpu: SimpleNamespace, spinner: int) -> None:
    with here(gpu=nvml.Gpu("handle")).watch(0) as found:
        gpu.reasons, gpu.running = 1, [SimpleNamespace(pid=os.getppid())]
    held, shared = found["gpu"]
    assert shared == "the GPU's clock is held down: power limit"
    assert held.startswith("on the GPU: ") and held.endswith(f"({os.getppid()})")
    gpu.running = [SimpleNamespace(pid=spinner), SimpleNamespace(pid=os.getpid())]
    assert nvml.Gpu("handle").others() == []  # both are ours

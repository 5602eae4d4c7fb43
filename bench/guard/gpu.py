"""What NVML tells of the GPU: joules, throttling, and who else computes on it.

`nvidia-ml-py` is NVIDIA's own binding. It is needed on a machine with a GPU only, so its absence is
a reason and no error."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import psutil

# reasons for a lower clock than the highest: thermal and power brakes, not idleness or a setting
BRAKES = {
    "power cap": "nvmlClocksThrottleReasonSwPowerCap",
    "slowed down by the hardware": "nvmlClocksThrottleReasonHwSlowdown",
    "hot (software)": "nvmlClocksThrottleReasonSwThermalSlowdown",
    "hot (hardware)": "nvmlClocksThrottleReasonHwThermalSlowdown",
    "power brake": "nvmlClocksThrottleReasonHwPowerBrakeSlowdown",
}


@dataclass(frozen=True)
class Gpu:
    """The first GPU that workers see; where NVML cannot be asked `reason` says why."""

    nvml: Any = None
    handle: Any = None
    reason: str = ""

    def ask(self, function: str, *arguments: Any) -> Any:
        """What a function of NVML answers for this GPU; None where it cannot."""
        if self.nvml is None:
            return None
        try:
            return getattr(self.nvml, function)(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def look(self) -> Look:
        """Its counters now."""
        energy = self.ask("nvmlDeviceGetTotalEnergyConsumption")  # millijoules
        clock = self.ask("nvmlDeviceGetClockInfo", 1) if self.nvml else None  # 1: NVML_CLOCK_SM
        return Look(None if energy is None else energy / 1e3, clock, self.brakes(), self.others())

    def brakes(self) -> list[str]:
        """Why its clock is held down now."""
        active = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
        return [name for name, bit in BRAKES.items() if active & getattr(self.nvml, bit)]

    def others(self) -> list[str]:
        """Processes that compute on it and were not started by this one; a container shows only
        its own, those that have no name here are left out."""
        running = self.ask("nvmlDeviceGetComputeRunningProcesses") or []
        return [found for process in running if (found := stranger(process.pid))]


@dataclass(frozen=True)
class Look:
    """Joules so far, MHz of its multiprocessors, what holds the clock down, who else is there."""

    joules: float | None = None
    clock: float | None = None
    brakes: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def stranger(pid: int) -> str:
    """Name and number of a process, empty for this one and those that it started."""
    try:
        process = psutil.Process(pid)
        family = [pid, *(parent.pid for parent in process.parents())]
        return "" if os.getpid() in family else f"{process.name()} ({pid})"
    except psutil.Error:
        return ""


def first() -> Gpu:
    """The first GPU, by its place in $CUDA_VISIBLE_DEVICES."""
    try:
        import pynvml
    except ImportError:
        return Gpu(reason="nvidia-ml-py is not installed: pip install nvidia-ml-py")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    try:
        pynvml.nvmlInit()
        if visible.isdecimal():
            return Gpu(pynvml, pynvml.nvmlDeviceGetHandleByIndex(int(visible)))
        return Gpu(pynvml, pynvml.nvmlDeviceGetHandleByUUID(visible))
    except pynvml.NVMLError as error:
        return Gpu(reason=f"NVML: {error}")

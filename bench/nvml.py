"""A GPU as its driver counts it (NVML): memory, joules, clock, and who else computes on it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml

BRAKES = {  # reasons for a lower clock than the highest, but for idleness and settings
    "power limit": pynvml.nvmlClocksThrottleReasonSwPowerCap,
    "slowed down by the hardware": pynvml.nvmlClocksThrottleReasonHwSlowdown,
    "hot, says the driver": pynvml.nvmlClocksThrottleReasonSwThermalSlowdown,
    "hot, says the hardware": pynvml.nvmlClocksThrottleReasonHwThermalSlowdown,
    "power brake": pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
}


@dataclass(frozen=True)
class Gpu:
    """A GPU that the driver shows."""

    handle: Any

    def used(self, pid: int | None = None) -> dict[str, int | None]:
        """Bytes: the GPU's `total`, what is `used` of it, and what `process` uses; None where the
        driver does not tell, as in a container, where it knows processes by other numbers."""
        memory = pynvml.nvmlDeviceGetMemoryInfo(self.handle)
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
        own = [process.usedGpuMemory for process in running if process.pid == pid]
        return {"total": memory.total, "used": memory.used, "process": own[0] if own else None}

    def joules(self) -> float | None:
        """What the whole GPU took since its driver was loaded; older GPUs do not count."""
        millijoules = self.ask(pynvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else millijoules / 1e3

    def clock(self) -> float | None:
        """MHz of its multiprocessors now."""
        found: float | None = self.ask(pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM)
        return found

    def brakes(self) -> list[str]:
        """Why its clock is held down now."""
        active = self.ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons) or 0
        return [name for name, bit in BRAKES.items() if active & bit]

    def others(self) -> list[str]:
        """Processes that compute on it and that this one did not start. A container sees only its
        own: those that have no name here are left out."""
        running = self.ask(pynvml.nvmlDeviceGetComputeRunningProcesses) or []
        return [name for process in running if (name := stranger(process.pid))]

    def ask(self, function: Any, *arguments: Any) -> Any:
        """What NVML answers; None where this GPU cannot."""
        try:
            return function(self.handle, *arguments)
        except pynvml.NVMLError:
            return None


def stranger(pid: int) -> str:
    """Name and number of a process; empty for this one and for those that it started."""
    try:
        process = psutil.Process(pid)
        family = [pid, *(parent.pid for parent in process.parents())]
        return "" if os.getpid() in family else f"{process.name()} ({pid})"
    except psutil.Error:
        return ""


def first() -> Gpu | None:
    """The GPU that workers use: the first one that CUDA_VISIBLE_DEVICES leaves; None where there is
    no driver."""
    name = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        pynvml.nvmlInit()
        if name.isdecimal():
            return Gpu(pynvml.nvmlDeviceGetHandleByIndex(int(name)))
        return Gpu(pynvml.nvmlDeviceGetHandleByUUID(name))
    except pynvml.NVMLError:
        return None

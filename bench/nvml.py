"""The memory of a GPU as its driver counts it (NVML), contexts and libraries included."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pynvml


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

"""What this machine is: facts that a number cannot be understood without."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from bench.errors import Unavailable
from bench.guard import energy

VENDORS = {"AuthenticAMD": "amd", "GenuineIntel": "intel"}
TRAITS = (*VENDORS.values(), "avx512")  # what a setting may depend on


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def traits() -> set[str]:
    """Which of TRAITS the processor has."""
    vendor = first_line("/proc/cpuinfo", "vendor_id")
    flags = first_line("/proc/cpuinfo", "flags").split()
    maker = {VENDORS[vendor]} if vendor in VENDORS else set()
    return maker | ({"avx512"} if "avx512f" in flags else set())


def gpus() -> int:
    """How many CUDA devices the driver offers; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for auto, cpu or cuda; raises Unavailable for cuda where there is none."""
    if wanted == "auto":
        return "cuda" if gpus() else "cpu"
    if wanted == "cuda" and not gpus():
        raise Unavailable(
            "--device cuda: the NVIDIA driver (libcuda.so.1) shows no GPU on this machine",
            "use --device cpu, or a machine with a GPU and its driver",
        )
    return wanted


def first_line(path: str, field: str = "") -> str:
    """The value of the first line of a file that starts with `field`; empty where there is none."""
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((x.partition(":")[2].strip() or x for x in lines if x.startswith(field)), "")


def described() -> dict[str, Any]:
    """Processor, memory, system, governor and load, as plain data."""
    return {
        "processor": first_line("/proc/cpuinfo", "model name") or platform.processor(),
        "flags": first_line("/proc/cpuinfo", "flags"),
        "processors": processors(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "gpus": gpus(),
        "energy": energy.rapl(Path("/")).reason or "RAPL",
        "load": list(psutil.getloadavg()),
    }


def matrix_product(size: int = 1024, times: int = 5) -> float:
    """Floating-point operations in a second of a product of two matrices in fp32, the best of some:
    what a program does here that computes and nothing else."""
    import numpy as np  # short commands do without

    a = np.ones((size, size), np.float32)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def revision() -> str:
    """The git revision of this checkout, with a + where files were changed; empty outside one."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    folder = Path(__file__).parent
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()

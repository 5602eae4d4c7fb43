"""The benchmarks of the harness run; how fast they are is not asserted."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPOSITORY


def test_each_benchmark_runs_once() -> None:
    command = [
        sys.executable, "-m", "pytest", "benchmarks", "--benchmark-disable", "--samples", "20000",
        "-q", "-p", "no:cacheprovider", "-k", "not steps and not report",  # they take long
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout and "passed" in done.stdout

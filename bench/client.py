"""A worker seen from here: start it, call it, give up on it.

The worker is `impls/worker.py` in the interpreter of a framework's environment, in a process group
of its own; requests and replies are JSON lines (see that file). Every call has a time limit, and
the whole group is killed past it. While a worker computes, this process sleeps in `select`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent.parent / "impls" / "worker.py"
KEPT = (  # what a worker sees of our environment
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "CC", "CXX"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES"),
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Failure(Exception):
    """A worker did not give a value. `status` is one of unsupported, out_of_memory, error (its
    own exception), timeout, died."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


def processors(threads: int, seat: int = 0) -> list[int]:
    """The first `threads` processors that this process may use; for workers side by side, numbered
    from 0, each its own while there are enough."""
    if hasattr(os, "sched_getaffinity"):
        usable = sorted(os.sched_getaffinity(0))
    else:
        usable = list(range(os.cpu_count() or 1))
    first = seat * threads
    return sorted({usable[(first + n) % len(usable)] for n in range(threads)})


def environment(threads: int, variables: Mapping[str, str], seat: int = 0) -> dict[str, str]:
    """A whitelist of ours, the thread settings, then the framework's own settings."""
    kept = {k: os.environ[k] for k in KEPT if k in os.environ}
    limits = {name: str(threads) for name in THREADS}
    cpus = ",".join(map(str, processors(threads, seat)))
    fixed = {"CONVMARK_CPUS": cpus, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
    return kept | limits | fixed | dict(variables)


class Worker:
    """A running worker; a context manager that ends it."""

    def __init__(
        self,
        python: Path,
        adapter: Path,
        threads: int = 1,
        variables: Mapping[str, str] | None = None,
        log: Path | None = None,
        seat: int = 0,
    ) -> None:
        """Start `adapter` under `python`; what it prints goes to `log`. `seat`: see `processors`.

        It runs in a folder of its own, removed when it ends: frameworks leave files behind where
        they run (MindSpore its `rank_0`). All paths that it is given are absolute."""
        self.log = log
        self.about: dict[str, Any] = {}
        self.pending = b""
        command = [str(python.absolute()), "-s", str(WORKER), str(adapter.absolute())]
        self.folder = tempfile.TemporaryDirectory(prefix="convmark-", ignore_cleanup_errors=True)
        try:
            with Path(log or os.devnull).open("ab") as errors:
                self.process = subprocess.Popen(
                    command,
                    cwd=self.folder.name,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment(threads, variables or {}, seat),
                    start_new_session=True,
                )
        except OSError:
            self.folder.cleanup()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def call(self, verb: str, limit: float, **arguments: Any) -> dict[str, Any]:
        """The value of a request, within `limit` seconds; raises Failure."""
        request = json.dumps({"verb": verb, **arguments}, default=str) + "\n"
        if self.process.poll() is not None:
            raise self.death(verb)
        try:
            assert self.process.stdin
            self.process.stdin.write(request.encode())
            self.process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise self.death(verb) from None
        reply = json.loads(self.line(verb, limit))
        if "error" in reply:
            self.note(reply["error"]["traceback"])
            raise Failure(reply["error"]["kind"], reply["error"]["message"])
        value: dict[str, Any] = reply["value"]
        return value

    def line(self, verb: str, limit: float) -> bytes:
        """The next reply, waiting without using the processor."""
        assert self.process.stdout
        descriptor, end = self.process.stdout.fileno(), time.monotonic() + limit
        while b"\n" not in self.pending:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.kill()
                raise Failure("timeout", f"{verb} took longer than {limit:.0f} s{self.where()}")
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise self.death(verb)
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line

    def death(self, verb: str) -> Failure:
        """How the process ended: by a signal, or with a status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)  # one that is dying by itself keeps its own status
        self.kill()
        code = self.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return Failure("died", f"the worker ended in {verb} with {how}{self.where()}")

    def where(self) -> str:
        return f"; its output is in {self.log}" if self.log else ""

    def note(self, text: str) -> None:
        """Keep a traceback in the log, where the rest of the worker's words are."""
        if self.log:
            with contextlib.suppress(OSError), self.log.open("a") as log:
                log.write(text)

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole process group, so that no thread or child of it is left out."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def pause(self) -> None:
        """Stop every thread of the group, so that an idle pool that spins steals no processor; back
        when the worker stands."""
        self.signal(signal.SIGSTOP)
        # It was reaped; macOS has no waitid before Python 3.13.
        with contextlib.suppress(ChildProcessError, AttributeError):
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process group, whatever it does, and reap the process."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.folder.cleanup()

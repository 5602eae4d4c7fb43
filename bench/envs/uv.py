"""uv, which makes environments: interpreters, folders, packages by lock."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import uv

from bench.envs.interpreters import quickest
from bench.errors import Unavailable
from bench.frameworks import Build

FULL = ("No space left on device", "Disk quota exceeded")
NEWS = re.compile(r"\s*(Resolved|Downloading|Downloaded|Prepared|Installed|Bytecode) ")
INTERRUPTED = (130, -2)
LOOKUP = Lock()  # it asks sysconfig, whose first answer in Python 3.11 is for one thread only
FOREIGN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME")


class PackagesUnavailable(Unavailable):
    """The packages of a lock cannot be had; those of another build may be."""


class Uv:
    """One build with uv. Its log is written only if it fails."""

    def __init__(self, log: Path, progress: Callable[[str], None]) -> None:
        self.log = log
        self.progress = progress
        self.lines: list[str] = []
        self.environment = environment()

    def venv(self, path: Path, version: str) -> None:
        """An empty environment with that Python. Raises Unavailable."""
        python = self.interpreter(version)
        self.progress(f"making an environment with {python}")
        if self.run("venv", "--no-project", "--python", str(python), str(path)):
            raise self.failure(Unavailable, f"no environment can be made with {python}")

    def sync(self, path: Path, build: Build, compiled: bool = True) -> None:
        """Install exactly what is in the lock of `build`, `compiled` to bytecode, which uv can from
        Python 3.7 on. Raises PackagesUnavailable, or Unavailable if the disk is full.

        Its options come second: with `--torch-backend` uv asks PyTorch's index and no longer
        looks where UV_FIND_LINKS points, and a machine that needs no options may not reach it."""
        assert build.lock
        command = [
            "pip", "sync", "--python", str(path / "bin" / "python"), "--require-hashes",
            *wheels_only(build), *(["--compile-bytecode"] if compiled else []), str(build.lock),
        ]  # fmt: skip
        failed = self.run(*command)
        if failed and build.options and not self.is_full():
            failed = self.run(*command, *build.options)
        if failed:
            what = f"the packages of {build.lock.name} cannot be had"
            raise self.failure(PackagesUnavailable, what)

    def interpreter(self, version: str) -> Path:
        """A CPython of that version: ours, one that uv finds, one of pyenv, or a download of uv; a
        later one where it is clearly faster.

        Raises Unavailable. Environments that happen to be active are not taken for a base."""
        known = [own(version), self.find(version), pyenv(version), *self.listed(version)]
        python = quickest(path for path in known if path) or self.download(version)
        if python:
            return python
        mend = f"install Python {version}, or let uv reach the place it downloads it from"
        raise self.failure(Unavailable, f"Python {version} cannot be had", mend)

    def find(self, version: str, *options: str) -> Path | None:
        """An interpreter of this machine that uv knows, if any."""
        request = f"cpython@{version}"
        if self.run("python", "find", "--system", "--no-python-downloads", *options, request):
            return None
        return Path(next(line for line in reversed(self.lines) if line.startswith("/")))

    def listed(self, version: str) -> list[Path]:
        """All that uv sees of that version, its own and those of PATH."""
        if self.run("python", "list", "--only-installed", "--output-format", "json", version):
            return []
        answer = next((line for line in reversed(self.lines) if line.startswith("[")), "[]")
        found = [p for p in json.loads(answer) if p["variant"] == "default"]
        return [Path(p["path"]) for p in found if p["implementation"] == "cpython"]

    def download(self, version: str) -> Path | None:
        """An interpreter that uv installs in the user's folders, if it can."""
        self.progress(f"downloading Python {version}")
        if self.run("python", "install", "--no-bin", f"cpython@{version}"):
            return None
        return self.find(version, "--managed-python")

    def run(self, *arguments: str) -> int:
        """The exit status of uv; what it printed is in `lines`. Raises KeyboardInterrupt if it was
        interrupted, Unavailable if uv is not installed."""
        self.lines.append(f"$ uv {' '.join(arguments)}")
        # Not in our own directory: uv would read the settings of a project it finds there.
        with subprocess.Popen(
            [binary(), *arguments], cwd="/", env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout
            for line in process.stdout:
                self.lines.append(line.rstrip())
                if NEWS.match(line):
                    self.progress(line.strip())
        if process.returncode in INTERRUPTED:
            raise KeyboardInterrupt
        return process.returncode

    def is_full(self) -> bool:
        """Whether a disk had no room for what uv wanted to write."""
        return any(sign in line for line in self.lines for sign in FULL)

    def failure(self, kind: type[Unavailable], what: str, mend: str = "") -> Unavailable:
        """The error to raise; its reason is what uv said last and where the whole of it is."""
        with suppress(OSError):  # a full disk takes no log either
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_text("\n".join(self.lines) + "\n")
        if self.is_full():
            kind, what = Unavailable, f"{what}: a disk is full"
            mend = "free some space, or set CONVMARK_CACHE and UV_CACHE_DIR to a larger disk"
        reason = f"{what}: {self.said()} (log: {self.log})"
        return kind(reason, mend or "see the log; check the network and the package index")

    def said(self) -> str:
        """uv's last error with its causes, on one line."""
        starts = [n for n, line in enumerate(self.lines) if line.startswith("error:")]
        lines = self.lines[starts[-1] :] if starts else self.lines[-3:]
        return "; ".join(
            re.sub(r"^(error|cause): ", "", line.strip()) for line in lines[:6] if line
        )


def wheels_only(build: Build) -> list[str]:
    """Options that let uv build nothing but the `sources` of a build."""
    assert build.lock
    if not build.sources:
        return ["--only-binary", ":all:"]
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?={2,3}", build.lock.read_text(), re.MULTILINE)
    wheels = [word for pin in pins if pin not in build.sources for word in ("--only-binary", pin)]
    limits = ["--build-constraints", str(build.constraints)] if build.constraints else []
    return wheels + limits


def binary() -> str:
    """The uv that comes with the package of that name. Raises Unavailable."""
    try:
        with LOOKUP:
            return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise Unavailable(f"uv is not installed: {error}", "pip install uv") from None


def environment() -> dict[str, str]:
    """Our environment for uv, which does not know the places that pip was told of.

    Files are copied from uv's cache: a file linked from there, once damaged, is damaged in every
    environment that has it, and comes back when they are built anew."""
    found = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    defaults = {
        "UV_LINK_MODE": "copy",
        "UV_DEFAULT_INDEX": found.get("PIP_INDEX_URL", ""),
        "UV_INDEX": found.get("PIP_EXTRA_INDEX_URL", ""),
        "UV_FIND_LINKS": ",".join(found.get("PIP_FIND_LINKS", "").split()),
    }
    return {k: v for k, v in defaults.items() if v} | found | {"NO_COLOR": "1"}


def own(version: str) -> Path | None:
    """The interpreter that our environment was made from, if it is a CPython of that version."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = Path(sys.base_prefix, "bin", f"python{version}")
    usable = sys.implementation.name == "cpython" and version == ours and python.exists()
    return python if usable else None


def pyenv(version: str) -> Path | None:
    """The newest CPython of that version that pyenv installed, if any.

    uv finds pyenv only by its shims, and these fail for a version that is not switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [path for path in root.glob(f"versions/{version}.*/bin/python") if path.exists()]
    return max(found, key=patch, default=None)


def patch(python: Path) -> int:
    """3 for .../versions/3.11.3/bin/python; -1 for a development version."""
    last = python.parents[1].name.split(".")[-1]
    return int(last) if last.isdigit() else -1

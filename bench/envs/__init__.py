"""Builds and finds the environment of each framework, in the user's cache directory.

An environment is the folder `envs/<framework>-<build>-<16 hex digits>`: its name depends on all
that decides its content, so a new lock makes a new folder and the old one stays as it was. `du -sh`
on `envs/` shows what they take; any folder there may be removed, it is built again when needed.

uv does the work. A marker is written last and says how many files and bytes there are, so what was
half-built or damaged later is noticed and built again. A lock beside the folder makes a second
set-up wait and then find the first one's work. A failed build leaves its log in `logs/`.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import platformdirs
from filelock import FileLock, Timeout

from bench import debian
from bench.envs import manifest
from bench.envs.uv import PackagesUnavailable, Uv
from bench.errors import Unavailable
from bench.frameworks import Framework
from bench.settings import Setting

FORMAT = 1  # of an environment's folder; a change makes all of them anew
FULL = (errno.ENOSPC, errno.EDQUOT)

Progress = Callable[[str], None]


class State(NamedTuple):
    """`status` is "ready", "absent", "broken" or "unavailable"; the rest is why, and what helps."""

    status: str
    reason: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Environment:
    """The environment of a framework for a device.

    `build` is what is installed, that of the device or its fallback; `lock_hash` names it exactly.
    """

    framework: Framework
    device: str
    build: str
    path: Path
    lock_hash: str

    @property
    def python(self) -> Path:
        """The interpreter that runs the worker."""
        return self.path / "bin" / "python"

    def variables(self, settings: Iterable[Setting], threads: int) -> dict[str, str]:
        """The environment variables of a worker with these settings and so many threads."""
        found = {}
        if self.framework.debian:
            found = debian.variables(self.path / "debian", self.framework.debian)
        site = self.path / "lib" / f"python{self.framework.python}" / "site-packages"
        for setting in settings:
            value = setting.value.format(threads=threads, prefix=self.path, site=site)
            found[setting.name] = value
        return found


def cache_dir() -> Path:
    """$CONVMARK_CACHE, or "convmark" in the user's cache directory. Not created here."""
    chosen = os.environ.get("CONVMARK_CACHE")
    return (
        Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("convmark")
    )


def state(framework: Framework, device: str, deep: bool = True) -> State:
    """How it stands with an environment; nothing is built.

    Without `deep` only the marker and the interpreter are looked at, which takes milliseconds;
    with it every file is counted, about a tenth of a second for each ten thousand files."""
    try:
        require(framework, device)
    except Unavailable as error:
        return State("unavailable", error.reason, error.mend)
    mend = f"python -m bench setup --framework {framework.name}"
    damages = []
    for environment in _candidates(framework, device):
        damage = manifest.damage(environment.path, deep)
        if not damage:
            return State("ready")
        if environment.path.exists():
            damages.append(f"{environment.path}: {damage}")
    return State("broken", damages[0], mend) if damages else State("absent", "not set up yet", mend)


def find(framework: Framework, device: str) -> Environment | None:
    """The environment if it is ready, else None."""
    if state(framework, device, deep=False).status == "unavailable":
        return None
    ready = (e for e in _candidates(framework, device) if not manifest.damage(e.path))
    return next(ready, None)


def ensure(framework: Framework, device: str, progress: Progress) -> Environment:
    """The environment, built now if it is not ready.

    Raises Unavailable, with the reason, what would mend it and the place of the log."""
    require(framework, device)
    found = find(framework, device)
    if found:
        return found
    *others, last = _candidates(framework, device)
    for environment in others:
        try:
            return _ensure(environment, progress)
        except PackagesUnavailable as error:
            progress(f"{error.reason}. Taking the {framework.build(device).fallback} build instead")
    return _ensure(last, progress)


def ensure_all(
    frameworks: Iterable[Framework], device: str, progress: Callable[[str, str], None]
) -> dict[str, Environment | Unavailable]:
    """Every framework's environment, or why there is none, by name; built at the same time.

    `progress` gets the framework's name and a message, from several threads."""

    def one(framework: Framework) -> Environment | Unavailable:
        try:
            return ensure(framework, device, lambda message: progress(framework.name, message))
        except Unavailable as error:
            return error

    wanted = list(frameworks)
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        return dict(zip((f.name for f in wanted), pool.map(one, wanted), strict=True))


def require(framework: Framework, device: str) -> None:
    """Raises Unavailable where this machine cannot have the framework, whatever is installed."""
    build = framework.build(device)
    if build.unavailable:
        raise Unavailable(build.unavailable, build.mend)
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        here = f"{sys.platform} on {platform.machine()}"
        raise Unavailable(f"{framework.name} is locked for linux on x86_64, this is {here}")
    needs = {n: p for n, p in framework.libraries.items() if not _loads(n)}
    needs |= {n: p for n, p in framework.programs.items() if not shutil.which(n)}
    if needs:
        packages, missing = " ".join(needs.values()), list(needs)
        mend = f"install what holds it; on Debian: apt-get install {packages}"
        raise Unavailable(f"{framework.name} needs {', '.join(missing)} of the machine", mend)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _candidates(framework: Framework, device: str) -> list[Environment]:
    """The environment of the device's own build, then the one of its fallback."""
    builds = [device, framework.build(device).fallback]
    return [_environment(framework, device, build) for build in builds if build]


def _environment(framework: Framework, device: str, build: str) -> Environment:
    digest = _digest(framework, build)
    path = cache_dir() / "envs" / f"{framework.name}-{build}-{digest}"
    return Environment(framework, device, build, path, digest)


def _lock(framework: Framework, build: str) -> Path:
    lock = framework.build(build).lock
    assert lock, f"{framework.name} has no lock for {build}, which `require` should have said"
    return lock


def _digest(framework: Framework, build: str) -> str:
    """16 hex digits over all that decides an environment's content."""
    texts = [_lock(framework, build).read_text()]
    constraints = framework.build(build).constraints
    if constraints:
        texts.append(constraints.read_text())
    if framework.debian:
        texts += [
            json.dumps(framework.debian),
            (debian.ROOT / framework.debian["lock"]).read_text(),
        ]
    content = json.dumps([FORMAT, framework.python, *texts])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _ensure(environment: Environment, progress: Progress) -> Environment:
    with _clear_disk_errors(), _alone(environment.path, progress):
        if manifest.damage(environment.path):
            _rebuild(environment, progress)
    return environment


@contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    """Nobody else on this machine sets up `path` meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another set-up of the same environment")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _clear_disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        mend = "set CONVMARK_CACHE to a folder with room that you may write"
        if error.errno in FULL:
            raise Unavailable(f"the disk of {cache_dir()} is full", mend) from error
        place = error.filename or cache_dir()
        raise Unavailable(f"cannot use {place}: {error.strerror}", mend) from error


def _rebuild(environment: Environment, progress: Progress) -> None:
    """Replace what is in the folder. What a failure leaves is removed; its log stays."""
    path = environment.path
    shutil.rmtree(path, ignore_errors=True)
    try:
        _fill(environment, Uv(cache_dir() / "logs" / f"{path.name}.log", progress), progress)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _fill(environment: Environment, uv: Uv, progress: Progress) -> None:
    framework, path, build = environment.framework, environment.path, environment.build
    uv.venv(path, framework.python)
    uv.sync(path, framework.build(build), framework.python != "3.6")
    if framework.debian:
        debian.install(path / "debian", framework.debian, cache_dir(), progress)
    manifest.write(path)
    progress("ready")

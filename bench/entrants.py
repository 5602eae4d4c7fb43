"""What it takes to start a contender: whose adapter, in which environment, with which settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import frameworks, settings
from bench.cases import Contender
from bench.envs import Environment
from bench.errors import Unavailable
from bench.frameworks import Framework, Place
from bench.settings import Setting
from bench.store import homeless


@dataclass(frozen=True)
class Entrant:
    """A contender that can be started."""

    contender: Contender
    place: Place
    environment: Environment
    chosen: tuple[Setting, ...]
    equal_maxima: str = ""  # why it cannot train the same where maxima are equal, if so

    @property
    def adapter(self) -> Path:
        """The file that the worker runs."""
        return self.place.adapter

    @property
    def sources(self) -> list[Path]:
        """What decides how it computes: its adapter, and the host's, which a guest may use."""
        return [self.adapter, self.environment.framework.folder / frameworks.ADAPTER]

    @property
    def python(self) -> Path:
        """The interpreter that runs the worker."""
        return self.environment.python

    def variables(self, threads: int) -> dict[str, str]:
        """The environment variables that a worker with so many threads is started with."""
        return self.environment.variables(self.chosen, threads)

    def facts(self, threads: int) -> dict[str, Any]:
        """What a run records: where the contender ran, and what was set for it and why."""
        values = self.variables(threads)
        rows = [asdict(s) | {"value": homeless(values[s.name])} for s in self.chosen]
        return asdict(self.contender) | {
            "version": self.place.version,
            "environment": self.environment.path.name,
            "lock": self.environment.lock_hash,
            "settings": [{k: r[k] for k in ("name", "value", "reason", "tuning")} for r in rows],
        }


Entrants = Mapping[Contender, Entrant | Unavailable]


def hosts(contenders: Iterable[Contender], known: Mapping[str, Framework]) -> list[Framework]:
    """The frameworks whose environments these contenders need."""
    names = {
        known[c.framework].place(c.mode).host
        for c in contenders
        if c.mode in known[c.framework].modes
    }
    return [known[name] for name in sorted(names)]


def enter(
    contenders: Iterable[Contender],
    environments: Mapping[str, Environment | Unavailable],
    device: str,
) -> dict[Contender, Entrant | Unavailable]:
    """Each contender with what it needs, or why it cannot start; `environments` by host."""
    known = frameworks.discover()
    return {c: _enter(c, known, environments, device) for c in contenders}


def _enter(
    contender: Contender,
    known: Mapping[str, Framework],
    environments: Mapping[str, Environment | Unavailable],
    device: str,
) -> Entrant | Unavailable:
    framework = known[contender.framework]
    if contender.mode in framework.absent:
        return Unavailable(framework.absent[contender.mode])
    place = framework.place(contender.mode)
    environment = environments[place.host]
    if isinstance(environment, Unavailable):
        return environment
    rows = settings_of(framework, contender.mode, known)
    chosen = settings.applied(rows, device, contender.tuned)
    maxima = framework.equal_maxima.get(contender.mode, "")
    return Entrant(contender, place, environment, tuple(chosen), maxima)


def settings_of(framework: Framework, mode: str, known: Mapping[str, Framework]) -> list[Setting]:
    """The settings of a mode: the host's, then the guest's own."""
    host = known[framework.place(mode).host]
    own = framework.settings if host is not framework else ()
    return [*host.settings, *own]


def untuned(
    contenders: Iterable[Contender], known: Mapping[str, Framework], device: str
) -> list[Contender]:
    """The contenders, and after each one that a tuning applies to here the same without it."""
    found = []
    for contender in contenders:
        found.append(contender)
        framework = known[contender.framework]
        if contender.mode in framework.modes:
            rows = settings_of(framework, contender.mode, known)
            if any(row.tuning for row in settings.applied(rows, device, True)):
                found.append(Contender(contender.framework, contender.mode, tuned=False))
    return found

"""Which frameworks there are: every folder of `impls/` with a framework.toml. None is imported.

framework.toml:
    title, package, version  for people; `version` is that of `package` in the locks
    python                   the interpreter, such as "3.11"
    [cpu] and [cuda]         a build: `lock`, `options` for uv to try if it fails without them, and
                             `fallback`, the build to take instead; `sources`, packages that have no
                             wheel and are built, under `constraints`, a requirements file; or
                             `unavailable` and `mend`
    [libraries], [programs]  what the machine must have: Debian's package of each
    [absent]                 modes that users may look for: why there is no such mode
    [equal_maxima]           modes whose max pooling gives the gradient to each of several equal
                             maxima, where others choose one: the framework's reason
    [[guest]]                `modes` that run in the environment of another framework, the `host`,
                             perhaps with another `adapter` and `version`; a framework whose modes
                             are all guests has neither `python` nor builds
    [[setting]]              environment variables of a worker, see bench/settings.py
    [debian]                 see bench/debian.py
The modes are the literal MODES of adapter.py, which is read, not run.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import settings
from bench.errors import BenchError, unknown
from bench.settings import DEVICES, Setting, text_of

IMPLS = Path(__file__).resolve().parents[1] / "impls"
ADAPTER = "adapter.py"
NEEDS = ("libraries", "programs")
KEYS = {
    *("title", "package", "version", "python", "absent", "guest", "setting", "debian"),
    *("equal_maxima", *DEVICES, *NEEDS),
}


@dataclass(frozen=True)
class Build:
    """What is installed for one device, or why there is nothing to install."""

    lock: Path | None = None
    options: tuple[str, ...] = ()
    fallback: str = ""
    sources: tuple[str, ...] = ()
    constraints: Path | None = None
    unavailable: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Place:
    """Where modes run: an adapter and its version, in the environment of the framework `host`."""

    modes: tuple[str, ...]
    host: str
    adapter: Path
    version: str


@dataclass(frozen=True)
class Framework:
    """The metadata of one folder of `impls/`. `modes[0]` is the default mode."""

    name: str
    title: str
    version: str
    package: str
    python: str
    folder: Path
    places: tuple[Place, ...]
    builds: Mapping[str, Build]
    settings: tuple[Setting, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    equal_maxima: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    debian: dict[str, Any] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[str, ...]:
        """Those of all places, as the adapters list them."""
        return tuple(mode for place in self.places for mode in place.modes)

    def place(self, mode: str) -> Place:
        """Where a mode runs."""
        return next(place for place in self.places if mode in place.modes)

    def build(self, device: str) -> Build:
        """The build for `device`. Raises BenchError for an unknown device."""
        if device not in DEVICES:
            raise unknown("device", device, DEVICES)
        return self.builds.get(device, Build(unavailable=f"{self.name} has no {device} build"))


def discover(impls: Path = IMPLS) -> dict[str, Framework]:
    """Every framework by name, in alphabetical order. Raises BenchError where metadata is wrong."""
    found = {path.parent.name: load(path.parent) for path in sorted(impls.glob("*/framework.toml"))}
    return {name: hosted(framework, found) for name, framework in found.items()}


def hosted(framework: Framework, known: Mapping[str, Framework]) -> Framework:
    """The framework itself; raises BenchError for a host that is none of the known."""
    for place in framework.places:
        if place.host not in known:
            error = unknown("framework", place.host, known)
            raise BenchError(f"{framework.folder / 'framework.toml'}: [[guest]]: {error}")
    return framework


def select(names: str, frameworks: Mapping[str, Framework] | None = None) -> list[Framework]:
    """The frameworks of "all" or of "a,b", each once, in that order. Raises BenchError."""
    known = discover() if frameworks is None else frameworks
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["all"]:
        return list(known.values())
    if not wanted:
        raise unknown("framework", names, [*known, "all"])
    for name in wanted:
        if name not in known:
            raise unknown("framework", name, [*known, "all"])
    return [known[name] for name in dict.fromkeys(wanted)]


def load(folder: Path) -> Framework:
    """The framework in `folder`. Raises BenchError with the file and what is missing in it."""
    path = folder / "framework.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path}: {error}") from None
    for key in table.keys() - KEYS:
        raise BenchError(f"{path}: {unknown('key', key, KEYS)}")
    title, version, package = (text_of(table, k, path) for k in ("title", "version", "package"))
    places = _places(table, folder, path)
    own = any(place.host == folder.name for place in places)
    return Framework(
        name=folder.name,
        title=title,
        version=version,
        package=package,
        folder=folder,
        python=text_of(table, "python", path) if own else "",
        places=places,
        equal_maxima=_equal_maxima(table, places, f"{path}: [equal_maxima]"),
        builds={d: _build(table[d], folder, f"{path}: [{d}]") for d in DEVICES if d in table},
        settings=tuple(settings.read(row, path) for row in table.get("setting", [])),
        **{key: table.get(key, {}) for key in ("absent", "debian", *NEEDS)},
    )


def _places(table: Mapping[str, Any], folder: Path, path: Path) -> tuple[Place, ...]:
    """The guests' places, and before them that of the modes that are no guests."""
    guests = [_guest(row, table, folder, path) for row in table.get("guest", [])]
    away = {mode for guest in guests if guest.adapter.name == ADAPTER for mode in guest.modes}
    home = tuple(mode for mode in _modes(folder / ADAPTER) if mode not in away)
    own = Place(home, folder.name, folder / ADAPTER, table["version"])
    return (own, *guests) if home else tuple(guests)


def _guest(row: Mapping[str, Any], table: Mapping[str, Any], folder: Path, path: Path) -> Place:
    place = f"{path}: [[guest]]"
    adapter = folder / row.get("adapter", ADAPTER)
    known, wanted = _modes(adapter), row.get("modes", [])
    for mode in wanted or [""]:
        if mode not in known:
            raise BenchError(f"{place}: {unknown(f'mode of {adapter.name}', mode, known)}")
    version = row.get("version", table["version"])
    return Place(tuple(wanted), text_of(row, "host", place), adapter, version)


def _equal_maxima(
    table: Mapping[str, Any], places: tuple[Place, ...], where: str
) -> Mapping[str, str]:
    known = [mode for place in places for mode in place.modes]
    reasons = table.get("equal_maxima", {})
    for mode in reasons:
        if mode not in known:
            raise BenchError(f"{where}: {unknown('mode', mode, known)}")
    return {mode: text_of(reasons, mode, where) for mode in reasons}


def _build(table: Mapping[str, Any], folder: Path, place: str) -> Build:
    if "unavailable" in table:
        return Build(
            unavailable=text_of(table, "unavailable", place), mend=text_of(table, "mend", place)
        )
    lock = folder / text_of(table, "lock", place)
    if not lock.is_file():
        raise BenchError(f"{place}: there is no {lock}; scripts/relock.py writes it")
    fallback = table.get("fallback", "")
    if fallback and fallback not in DEVICES:
        raise BenchError(f"{place}: {unknown('fallback', fallback, DEVICES)}")
    constraints = folder / table["constraints"] if "constraints" in table else None
    if constraints and not constraints.is_file():
        raise BenchError(f"{place}: there is no {constraints}")
    options, sources = (tuple(table.get(key, ())) for key in ("options", "sources"))
    return Build(lock, options, fallback, sources, constraints)


def _modes(path: Path) -> tuple[str, ...]:
    """MODES of an adapter, after a check of NAME."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError(f"{path} is missing: a framework needs an adapter") from None
    except SyntaxError as error:
        raise BenchError(f"{path}:{error.lineno}: {error.msg}") from None
    name = _literal(tree, "NAME", path)
    if name != path.parent.name:
        raise BenchError(f"{path}: NAME is {name!r}, its folder is {path.parent.name!r}")
    modes = _literal(tree, "MODES", path)
    if not modes or not isinstance(modes, tuple) or not all(isinstance(m, str) for m in modes):
        raise BenchError(f'{path}: MODES is {modes!r}, not a tuple of names such as ("eager",)')
    return modes


def _literal(tree: ast.Module, name: str, path: Path) -> Any:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise BenchError(f"{path}:{node.lineno}: {name} is no literal") from None
    raise BenchError(f"{path}: {name} = ... is missing")

"""Which frameworks there are: every folder of `impls/` with a framework.toml. None is imported.

framework.toml:
    title, package, version  for people; `version` is that of `package` in the locks
    python                   the interpreter, such as "3.11"
    [cpu] and [cuda]         a build: `lock`, `options` for uv to try if it fails without them, and
                             `fallback`, the build to take instead; or `unavailable` and `mend`
    [libraries]              what shared libraries the machine must have: Debian's package of each
    [[setting]]              name, value and reason of an environment variable that is set before
                             the worker starts, for one `device` or for all. The value may hold
                             {threads}, {prefix} (the environment's folder), {site} (its packages)
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

from bench.errors import BenchError, unknown

IMPLS = Path(__file__).resolve().parents[1] / "impls"
DEVICES = ("cpu", "cuda")
KEYS = {"title", "package", "version", "python", *DEVICES, "libraries", "setting", "debian"}


@dataclass(frozen=True)
class Build:
    """What is installed for one device, or why there is nothing to install."""

    lock: Path | None = None
    options: tuple[str, ...] = ()
    fallback: str = ""
    unavailable: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Setting:
    """An environment variable of a worker; `device` is empty where it is set on all."""

    name: str
    value: str
    reason: str
    device: str = ""


@dataclass(frozen=True)
class Framework:
    """The metadata of one folder of `impls/`. `modes[0]` is the default mode."""

    name: str
    title: str
    version: str
    package: str
    python: str
    modes: tuple[str, ...]
    folder: Path
    builds: Mapping[str, Build]
    settings: tuple[Setting, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    debian: dict[str, Any] = field(default_factory=dict)

    @property
    def adapter(self) -> Path:
        """The file that the worker runs."""
        return self.folder / "adapter.py"

    def build(self, device: str) -> Build:
        """The build for `device`. Raises BenchError for an unknown device."""
        if device not in DEVICES:
            raise unknown("device", device, DEVICES)
        return self.builds.get(device, Build(unavailable=f"{self.name} has no {device} build"))


def discover(impls: Path = IMPLS) -> dict[str, Framework]:
    """Every framework by name, in alphabetical order. Raises BenchError where metadata is wrong."""
    return {path.parent.name: load(path.parent) for path in sorted(impls.glob("*/framework.toml"))}


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
    texts = {key: _text(table, key, path) for key in ("title", "version", "package", "python")}
    return Framework(
        name=folder.name,
        modes=_modes(folder),
        folder=folder,
        builds={d: _build(table[d], folder, f"{path}: [{d}]") for d in DEVICES if d in table},
        settings=tuple(_setting(row, path) for row in table.get("setting", [])),
        libraries=table.get("libraries", {}),
        debian=table.get("debian", {}),
        **texts,
    )


def _text(table: Mapping[str, Any], key: str, place: object) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise BenchError(f"{place}: {key} is missing or not a text")
    return value


def _build(table: Mapping[str, Any], folder: Path, place: str) -> Build:
    if "unavailable" in table:
        return Build(
            unavailable=_text(table, "unavailable", place), mend=_text(table, "mend", place)
        )
    lock = folder / _text(table, "lock", place)
    if not lock.is_file():
        raise BenchError(f"{place}: there is no {lock}; scripts/relock.py writes it")
    fallback = table.get("fallback", "")
    if fallback and fallback not in DEVICES:
        raise BenchError(f"{place}: {unknown('fallback', fallback, DEVICES)}")
    return Build(lock=lock, options=tuple(table.get("options", ())), fallback=fallback)


def _setting(row: Mapping[str, Any], path: Path) -> Setting:
    name = _text(row, "name", f"{path}: [[setting]]")
    place = f"{path}: [[setting]] {name}"
    value, reason = _text(row, "value", place), _text(row, "reason", place)
    try:
        value.format(threads=1, prefix="", site="")
    except (KeyError, IndexError, ValueError) as error:
        raise BenchError(
            f"{place}: {value!r} holds more than {{threads}}, {{prefix}}, {{site}}: {error!r}"
        ) from None
    device = row.get("device", "")
    if device and device not in DEVICES:
        raise BenchError(f"{place}: {unknown('device', device, DEVICES)}")
    return Setting(name, value, reason, device)


def _modes(folder: Path) -> tuple[str, ...]:
    """MODES of adapter.py, after a check of NAME."""
    path = folder / "adapter.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError(f"{path} is missing: a framework needs an adapter") from None
    except SyntaxError as error:
        raise BenchError(f"{path}:{error.lineno}: {error.msg}") from None
    name = _literal(tree, "NAME", path)
    if name != folder.name:
        raise BenchError(f"{path}: NAME is {name!r}, its folder is {folder.name!r}")
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

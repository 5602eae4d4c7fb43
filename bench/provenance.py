"""Where a run was measured and with what: what runs must share to be compared, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cases import Contender
from bench.store import CONTENDER, Run, Tables

Facts = Mapping[str, str]  # what is recorded about something, by name
SAME = ("processor", "processors")  # without these in common it is another machine
HOST = ("system", "governor")  # of a machine, what may change from night to night: the kernel
UNKNOWN = "unknown"


def machine(header: Mapping[str, Any]) -> dict[str, str]:
    """What makes times comparable: the processor and how many; for runs on GPUs these too."""
    names = SAME if header["plan"]["device"] == "cpu" else (*SAME, "gpus")
    return recorded(header, names)


def host(header: Mapping[str, Any]) -> dict[str, str]:
    """The system, which may explain another time and does not forbid to compare."""
    return recorded(header, HOST)


def recorded(header: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    about = header.get("machine", {})
    return {name: str(about.get(name, UNKNOWN)) for name in names}


def digest(header: Mapping[str, Any], model: str) -> str:
    """Of a network's graph; empty where the run does not say."""
    return str(header.get("models", {}).get(model, {}).get("digest", ""))


def differences(base: Facts, new: Facts) -> list[str]:
    """`name before -> after` for each fact that is not the same."""
    names = dict.fromkeys([*base, *new])
    pairs = {name: (base.get(name, "none"), new.get(name, "none")) for name in names}
    return [f"{name} {old} -> {now}" for name, (old, now) in pairs.items() if old != now]


def facts(run: Run, tables: Tables) -> dict[str, Facts]:
    """What may explain another time, by contender: its version and lock, the libraries that it
    reported, its settings, the revision of this repository and the system."""
    header = run.header()
    shared = {"revision": header.get("revision") or UNKNOWN} | host(header)
    reported = versions(tables)
    return {
        name: {row["framework"]: str(row.get("version", UNKNOWN)), **reported.get(name, {})}
        | {"lock": str(row.get("lock", UNKNOWN))}
        | {s["name"]: str(s["value"]) for s in row.get("settings", [])}
        | shared
        for name, row in header.get("contenders", {}).items()
    }


def versions(tables: Tables) -> dict[str, Facts]:
    """The libraries' versions that each contender's processes reported, by contender."""
    frame = tables.processes
    if "versions" not in frame:
        return {}
    return {
        name(row): {k: str(v) for k, v in row["versions"].items()}
        for row in frame[frame["versions"].notna()].to_dict("records")
    }


def name(row: Mapping[Any, Any]) -> str:
    """The contender of a row, as run.json names it."""
    return str(Contender(*(row[k] for k in CONTENDER)))

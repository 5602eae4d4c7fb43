"""Where a run was measured and with what: what runs must share to be compared, what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.cases import Contender
from bench.store import CONTENDER, Run, Tables

Facts = Mapping[str, str]  # what is recorded about a contender in a run, by name
HOST = ("system", "governor")  # of the machine, what may change from night to night
UNKNOWN = "unknown"


def machine(header: Mapping[str, Any]) -> dict[str, str]:
    """What makes times comparable: processor, device, precision and threads; a GPU's run the GPUs."""
    about, plan = header.get("machine", {}), header["plan"]
    names = ["processor", "processors"] + ([] if plan["device"] == "cpu" else ["gpus"])
    found = {name: about.get(name, UNKNOWN) for name in names}
    return {k: str(v) for k, v in (found | setting(plan)).items()}


def setting(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plan[name] for name in ("device", "precision", "threads")}


def conflicts(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why two headers' times cannot be compared, a line each; none where they can."""
    return differences(machine(base), machine(new)) + [
        f"network {name}: {text}"
        for name in base.get("models", {})
        if name in new.get("models", {})
        for text in differences(*({"digest": h["models"][name]["digest"]} for h in (base, new)))
    ]


def differences(base: Facts, new: Facts) -> list[str]:
    """`name before -> after` for each fact that is not the same."""
    names = dict.fromkeys([*base, *new])
    pairs = {name: (base.get(name, "none"), new.get(name, "none")) for name in names}
    return [f"{name} {old} -> {now}" for name, (old, now) in pairs.items() if old != now]


def facts(run: Run, tables: Tables) -> dict[str, Facts]:
    """What may explain another time, by contender: its version and lock, the libraries that it
    reported, its settings, the revision of this repository and the system."""
    header = run.header()
    shared = {"revision": header.get("revision") or UNKNOWN}
    shared |= {name: str(header.get("machine", {}).get(name, UNKNOWN)) for name in HOST}
    reported = versions(tables)
    return {
        name: {row["framework"]: row["version"], **reported.get(name, {}), "lock": row["lock"]}
        | {s["name"]: s["value"] for s in row["settings"]}
        | shared
        for name, row in header.get("contenders", {}).items()
    }


def versions(tables: Tables) -> dict[str, Facts]:
    """The libraries' versions that each contender's processes reported, by contender."""
    frame = tables.processes
    if "versions" not in frame:
        return {}
    return {
        str(Contender(*(row[k] for k in CONTENDER))): {
            k: str(v) for k, v in row["versions"].items()
        }
        for row in frame[frame["versions"].notna()].to_dict("records")
    }

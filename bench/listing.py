"""The rows of `bench list`: what there is, and what cannot be had here and why.

Networks and runs need libraries that frameworks do not; each is imported where it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import envs, frameworks
from bench.envs import State
from bench.errors import BenchError
from bench.frameworks import Framework, Place


def framework(framework: Framework, device: str) -> dict[str, Any]:
    """Whether it can be had here; looks at folders, imports nothing."""
    known = frameworks.discover()
    states = {p: envs.state(known[p.host], device, deep=False) for p in framework.places}
    ready = any(state.status == "ready" for state in states.values())
    return {
        "name": framework.name,
        "version": " and ".join(dict.fromkeys(place.version for place in framework.places)),
        "modes": list(framework.modes),
        "python": ", ".join(dict.fromkeys(known[p.host].python for p in framework.places)),
        "available": ready,
        "status": "ready" if ready else next(iter(states.values())).status,
        "reason": "; ".join(reasons(framework, states)),
    }


def reasons(framework: Framework, states: dict[Place, State]) -> list[str]:
    """Why modes cannot run now, those of one place together; the mode is named if others can."""
    found = [f"{mode}: {text}" for mode, text in framework.absent.items()]
    for place, state in states.items():
        if state.status != "ready":
            text = ": ".join(filter(None, [state.reason, state.mend]))
            found.append(f"{', '.join(place.modes)}: {text}" if len(states) > 1 else text)
    return found


def models() -> list[dict[str, Any]]:
    """Every network: its input, parameters and multiply-accumulates."""
    from bench.models import select

    graphs = select("all")
    return [
        {"name": g.name, "input": "x".join(map(str, g.input)), "params": g.params, "macs": g.macs}
        for g in graphs
    ]


def claims() -> list[dict[str, Any]]:
    """The document's statements, and the rules that judge each."""
    from bench import claims

    return [
        {"id": c.id, "rules": list(dict.fromkeys(t.kind for t in c.tests)), "statement": c.en}
        for c in claims.load()
    ]


def runs(folder: Path) -> list[dict[str, Any]]:
    """The runs in a folder, those that cannot be read with the reason."""
    from bench import store

    def header(path: Path) -> dict[str, Any]:
        try:
            return store.Run.open(path).header()
        except BenchError as error:
            return {"command": f"unreadable: {error}"}

    headers = {path: header(path) for path in store.find(folder)}
    return [
        {"run": str(path)} | {k: h.get(k, "") for k in ("created", "complete", "command")}
        for path, h in headers.items()
    ]

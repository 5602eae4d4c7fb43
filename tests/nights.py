"""Runs of many nights that nobody measured: their times are made up, so that a test knows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.store import FORMAT, JOURNAL, RUN, Run

MACHINE = {"processor": "Imaginary CPU", "processors": 4, "gpus": 0, "system": "Linux-6.1"}
MODELS, PHASES = ("lenet5", "resnet50"), ("inference", "train")
SETTING = {"device": "cpu", "precision": "fp32", "threads": 2}


def night(
    folder: Path,
    number: int,
    slower: Mapping[str, float] | None = None,
    noise: float = 0.01,
    processes: int = 4,
    drift: float = 0.0,
    fails: str = "",
    **header: Any,
) -> Run:
    """A run of torch and jax; `slower` gives factors by framework, or by framework and network
    (`torch lenet5`); `noise` is of processes and rounds, `drift` of nights;
    `fails` names who dies; `header` goes into run.json, and versions by framework."""
    versions = header.pop("versions", {})
    frameworks = header.pop("frameworks", ("torch", "jax"))
    who = [{"framework": name, "mode": "plain", "tuned": True} for name in frameworks]
    about = {
        "format": FORMAT, "created": f"2026-11-{number:02}T01:00:00+00:00", "command": "bench run",
        "revision": "abc", "machine": MACHINE,
        "plan": {"contenders": who, "models": MODELS, "batches": [4], "phases": PHASES, **SETTING},
        "models": {model: {"digest": f"{model}-1", "macs": 1000} for model in MODELS},
        "contenders": {
            f"{w['framework']} plain": w
            | {"version": versions.get(w["framework"], "1.0"), "lock": "l1", "settings": []}
            for w in who
        },
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / RUN).write_text(json.dumps(about | header))
    random = np.random.default_rng(number)
    lines = [
        line
        for contender in who
        for model in MODELS
        for phase in PHASES
        for line in case(
            random, contender | {"model": model, "batch": 4, "phase": phase, **SETTING},
            slower or {}, drift, noise, processes, fails,
        )
    ]  # fmt: skip
    (folder / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run.open(folder)


def case(
    random: np.random.Generator,
    cell: dict[str, Any],
    slower: Mapping[str, float],
    drift: float,
    noise: float,
    processes: int,
    fails: str,
) -> list[dict[str, Any]]:
    """The journal of one case: blocks of two rounds in each process, or that it died."""
    name, model = cell["framework"], cell["model"]
    if name == fails:
        return [{"kind": "outcome", **cell, "process": 0, "status": "died", "reason": "signal 11"}]
    centre = 1e-3 * slower.get(name, 1.0) * slower.get(f"{name} {model}", 1.0)
    centre *= float(np.exp(drift * random.standard_t(3)))
    found = []
    for process in range(processes):
        level = centre * float(np.exp(noise * random.standard_normal()))
        for round_ in range(2):
            samples = (level * np.exp(noise * random.standard_normal(3))).tolist()
            found.append({"kind": "block", **cell, "process": process, "round": round_,
                          "time": 1.7e9, "load": 0.1, "repeats": 2, "settle": None,
                          "samples": samples, "wall": 1.0, "cpu": 1.0})  # fmt: skip
    return found

"""Journals whose truth is known: times drawn around it, with noise of processes and of rounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.store import Run, Tables, load

CELL = {"batch": 4, "device": "cpu", "precision": "fp32", "threads": 1}
Who = tuple[str, str]  # framework and mode


def who(word: str) -> dict[str, Any]:
    framework, mode = word.split()
    return {"framework": framework, "mode": mode, "tuned": True}


def times(
    truth: Mapping[tuple[str, str, str], float],
    processes: int = 6,
    noise: float = 0.02,
    seed: int = 0,
    **cell: Any,
) -> Iterable[dict[str, Any]]:
    """Blocks for {(contender, model, phase): seconds}: processes differ by `noise`, rounds too."""
    random = np.random.default_rng(seed)
    for (contender, model, phase), seconds in truth.items():
        for process in range(processes):
            own = seconds * np.exp(noise * random.standard_normal())
            for number in range(3):
                values = own * np.exp(noise * random.standard_normal(4))
                yield {
                    "kind": "block", **who(contender), **CELL, "model": model, "phase": phase,
                    "process": process, "round": number, "repeats": 1, "settle": None,
                    "samples": values.tolist(), "wall": 1.0, "cpu": 1.0, **cell,
                }  # fmt: skip


def memory(contender: str, model: str, phase: str, mebibytes: float) -> dict[str, Any]:
    peak = int(mebibytes * 2**20)
    return {
        "kind": "memory", **who(contender), **CELL, "model": model, "phase": phase, "round": -1,
        "baseline": peak // 2, "peak": peak, "allocator": {},
    }  # fmt: skip


def trained(model: str, seed: int, **figures: float | None) -> dict[str, Any]:
    return {
        "kind": "training", **who("torch eager"), "data": "digits", "image": "3x8x8",
        "images": 1797, "device": "cpu", "threads": 1, "epochs": 12, "batch_size": 64,
        "learning_rate": 0.02, "model": model, "seed": seed, "status": "ok", "reason": "",
        **figures,
    }  # fmt: skip


def written(folder: Path, entries: Iterable[dict[str, Any]]) -> Path:
    """The folder of a run with this journal."""
    plan = {"contenders": [], "models": [], "phases": [], "batches": [], **CELL}
    run = Run.create(folder, {"plan": plan})
    run.journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


def tables(folder: Path, entries: Iterable[dict[str, Any]]) -> Tables:
    return load(written(folder, entries))

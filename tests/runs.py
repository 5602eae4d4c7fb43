"""Runs that nobody measured: their journal is made up, so that a test knows what it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.store import FORMAT, JOURNAL, RUN

SPEED = {"torch": 1.0, "jax": 1.3, "mxnet": 1.31, "theano": 2.2, "caffe": 3.0}
WORK = {"inference": 1.0, "forward": 1.1, "train": 3.2, "step": 3.4}
FIRST = {"torch": 0.5, "jax": 1.5, "mxnet": 0.2, "theano": 4.0, "caffe": 0.01}
SIZE = {"lenet5": 2e-4, "resnet50": 5e-2}
MACHINE = {"processor": "Imaginary CPU", "processors": 4, "memory_bytes": 16 * 2**30, "gpus": 0}


@dataclass
class Made:
    """What a made-up run is of; `write` puts it into a folder."""

    frameworks: Sequence[str] = ("torch", "jax", "mxnet", "theano")
    models: Sequence[str] = ("lenet5", "resnet50")
    batches: Sequence[int] = (4,)
    phases: Sequence[str] = ("inference", "train")
    threads: int = 2
    processes: int = 3
    rounds: int = 3
    samples: int = 4
    device: str = "cpu"
    refuses: dict[str, str] = field(default_factory=dict)  # framework to reason
    machine: dict[str, Any] = field(default_factory=lambda: dict(MACHINE))
    noise: float = 0.01

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / RUN).write_text(json.dumps(self.header()))
        lines = [json.dumps(entry) + "\n" for entry in self.entries()]
        (folder / JOURNAL).write_text("".join(lines))
        return folder

    def header(self) -> dict[str, Any]:
        who = [{"framework": name, "mode": "plain", "tuned": True} for name in self.frameworks]
        return {
            "format": FORMAT, "created": "2026-11-25T10:00:00+00:00", "complete": True,
            "command": "bench run", "version": "0.1.0", "revision": "abc", "machine": self.machine,
            "plan": {
                "contenders": who, "models": list(self.models), "batches": list(self.batches),
                "phases": list(self.phases), "device": self.device, "precision": "fp32",
                "threads": self.threads,
            },
            "contenders": {
                f"{w['framework']} plain": w | {"version": "1.0", "settings": []} for w in who
            },
        }  # fmt: skip

    def entries(self) -> list[dict[str, Any]]:
        random = np.random.default_rng(0)
        found = []
        for model in self.models:
            for batch in self.batches:
                for name in self.frameworks:
                    found += self.of(random, model, batch, name)
                about = {"model": model, "batch": batch, "processes": self.processes}
                found.append({"kind": "stop", **about, "reason": "budget", "widest": 0.05,
                              "within": 0.03})  # fmt: skip
        return found

    def of(
        self, random: np.random.Generator, model: str, batch: int, name: str
    ) -> list[dict[str, Any]]:
        """All lines of a framework on a network."""
        who = {"framework": name, "mode": "plain", "tuned": True, "model": model}
        found: list[dict[str, Any]] = []
        for phase in self.phases:
            cell = who | {"batch": batch, "phase": phase, "device": self.device,
                          "precision": "fp32", "threads": self.threads}  # fmt: skip
            if name in self.refuses:
                found.append({"kind": "outcome", **cell, "process": -1, "status": "unsupported",
                              "reason": self.refuses[name]})  # fmt: skip
                continue
            errors = {"worst_error": 1e-7, "bound": 4e-6, "worst_tensor": "logits"}
            found.append(
                {"kind": "verdict", **who, "phase": phase, "status": "ok", "reason": "", **errors}
            )
            found.append({"kind": "memory", **cell, "round": -1, "baseline": 2**27,
                          "peak": int(2**28 * (1 + len(name) / 5)), "allocator": {}})  # fmt: skip
            for process in range(self.processes):
                found += self.timed(random, cell | {"process": process}, name)
        for process in range(self.processes):
            found.append({"kind": "process", **who, "batch": batch, "process": process,
                          "import_seconds": 0.5, "build_seconds": 0.1})  # fmt: skip
        return found

    def timed(self, random: np.random.Generator, cell: dict[str, Any], name: str) -> list[Any]:
        """One process: its warm-up, and a block for each round."""
        scale = SIZE.get(cell["model"], 1e-3) * SPEED.get(name, 1.7) * WORK[cell["phase"]]
        seconds = scale * (1 + cell["batch"]) / self.threads ** (0.95 - SPEED.get(name, 1.7) / 10)
        first = FIRST.get(name, 0.1) + seconds
        found = [{"kind": "warmup", **cell, "first_call": first, "level": True, "seconds": 0.3,
                  "samples": [first, seconds]}]  # fmt: skip
        centre = seconds * float(np.exp(random.normal(0, self.noise)))
        for round_ in range(self.rounds):
            drawn = centre * np.exp(random.normal(0, self.noise, self.samples))
            about = {"round": round_, "time": 1.7e9, "load": 0.1, "repeats": 2, "settle": None}
            found.append({"kind": "block", **cell, **about, "samples": drawn.tolist(), "cpu": 1.0})
        return found

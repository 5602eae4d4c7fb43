"""A network that learns in a worker, and what is told of it before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import arrays, parity
from bench.client import Worker
from bench.graph import Graph
from bench.images import Images
from bench.ops import Conv
from bench.parity import LIMIT
from bench.training import Recipe, initial
from bench.weights import Array

PROBES = 6  # batches of each set that are looked at
THIRD = 3  # early and late: the first and the last third of the convolutions


class Trainee:
    """One network in one worker, with one seed."""

    def __init__(
        self, worker: Worker, graph: Graph, data: Images, recipe: Recipe, seed: int, folder: Path
    ) -> None:
        self.worker, self.graph, self.folder = worker, graph, folder
        self.data, self.recipe, self.seed = data, recipe, seed

    def learn(self) -> dict[str, Any]:
        """Train from the first to the last epoch; the figures of a journal line. Raises Failure."""
        self.build()
        before, curve = self.gradients("start"), [self.errors()]
        for epoch in range(self.recipe.epochs):
            x, y = self.data.epoch(self.seed, epoch, self.recipe.batch)
            self.worker.call("train", LIMIT, inputs=self.file("batches", x=x, y=y))
            curve.append(self.errors())
        after = self.gradients("end")
        ends = {f"{k}_{at}": v for at, row in (("start", curve[0]), ("end", curve[-1]))
                for k, v in row.items()}  # fmt: skip
        return ends | before | after | {"curve": curve}

    def build(self) -> None:
        x, y = self.data.probes("train", 1, self.recipe.batch)
        start = initial(self.graph, self.seed)
        paths = parity.save(self.folder, self.graph, start, x[0], y[0])
        self.worker.call("build", LIMIT, graph=paths["graph"], weights=paths["weights"])

    def errors(self) -> dict[str, float | None]:
        """Share of images that are taken for another, and the loss, in evaluation mode; the
        training set's loss is that of `gradients`."""
        row: dict[str, float | None] = {}
        for part in ("train", "test"):
            logits, labels = [], []
            for x, y in zip(*self.data.probes(part, PROBES, self.recipe.batch), strict=True):
                out = str(self.folder / "logits")
                self.worker.call("logits", LIMIT, inputs=self.file("probe", x=x, y=y), out=out)
                logits.append(arrays.read(out)["logits"])
                labels.append(y)
            found, wanted = np.concatenate(logits), np.concatenate(labels)
            row[f"{part}_error"] = float(np.mean(found.argmax(axis=1) != wanted))
            if part == "test":
                row["test_loss"] = finite(cross_entropy(found, wanted))
        return row

    def gradients(self, moment: str) -> dict[str, Any]:
        """The training set's loss in training mode, and for each convolution the length of its
        gradient over that of its weights: by how much a step changes it, per unit of the rate."""
        losses: list[float] = []
        total: dict[str, NDArray[Any]] = {}
        for x, y in zip(*self.data.probes("train", PROBES, self.recipe.batch), strict=True):
            out = str(self.folder / "gradients")
            inputs = self.file("probe", x=x, y=y)
            losses.append(self.worker.call("gradients", LIMIT, inputs=inputs, out=out)["loss"])
            for key, gradient in arrays.read(out).items():
                total[key] = total.get(key, np.float32(0)) + gradient / np.float32(PROBES)
        out = str(self.folder / "parameters")
        self.worker.call("parameters", LIMIT, out=out)
        weights = arrays.read(out)
        keys = [f"{n.name}/weight" for n in self.graph.nodes if isinstance(n.op, Conv)]
        sizes = {k: length(total[k]) / max(length(weights[k]), 1e-30) for k in keys}
        part = len(keys) // THIRD
        return {
            f"train_loss_{moment}": finite(float(np.mean(losses))),
            f"early_gradient_{moment}": centre([sizes[k] for k in keys[:part]]),
            f"late_gradient_{moment}": centre([sizes[k] for k in keys[-part:]]),
            f"gradients_{moment}": {k: finite(v) for k, v in sizes.items()},
        }

    def file(self, name: str, **values: NDArray[Any]) -> str:
        """Write arrays for the worker; the path."""
        return arrays.write(self.folder / name, values)


def length(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))


def centre(values: Sequence[float]) -> float | None:
    """The geometric mean; None where a value is 0 or no number."""
    with np.errstate(all="ignore"):
        return finite(float(np.exp(np.mean(np.log(values)))))


def finite(value: float) -> float | None:
    """The value, or None where training has left the numbers."""
    return value if np.isfinite(value) else None


def cross_entropy(logits: Array, labels: NDArray[np.int64]) -> float:
    with np.errstate(all="ignore"):  # a network that has diverged gives no numbers
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(labels)), labels]
        return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))

"""Training runs for the statements about training: does depth hurt, do gradients vanish?

The CIFAR networks of the ResNet paper, plain and residual, learn scikit-learn's digits or the
user's own images, in a real framework, with SGD with momentum at a constant rate and without
augmentation. Weights are those that training starts from (He-normal, scales 1, shifts 0), drawn
anew for each seed, as is the order of images; a seed is the same for every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import images, models, parity
from bench.client import Worker
from bench.errors import BenchError
from bench.graph import Graph
from bench.images import Images
from bench.ops import BatchNorm, Conv, Dense, ShapeError
from bench.parity import LIMIT
from bench.weights import Array, generator

BARE = "_bare"  # ending of a name: the same network without batch norm
PROBES = 6  # batches of each set that are looked at
THIRD = 3  # early and late: the first and the last third of the convolutions


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; the same for all that are compared."""

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 0.02
    size: int = 8  # pixels in a row of an image: the digits' own
    seeds: int = 5
    budget: float = 900.0  # seconds; no seed is begun that would not end in time


def network(name: str) -> Graph:
    """A network by name, `..._bare` without its batch norms; raises BenchError."""
    graph = models.load(name.removesuffix(BARE))
    return replace(bare(graph), name=graph.name + BARE) if name.endswith(BARE) else graph


def bare(graph: Graph) -> Graph:
    """The graph without its batch norms."""
    source: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        if isinstance(node.op, BatchNorm):
            source[node.name] = inputs[0]
        else:
            nodes.append(replace(node, inputs=inputs))
    return replace(graph, nodes=tuple(nodes))


def fitted(graph: Graph, data: Images, recipe: Recipe) -> Graph:
    """The network for images of this size, with as many logits as there are classes."""
    try:
        sized = graph.resized(recipe.size, recipe.size)
    except ShapeError as error:
        raise BenchError(
            f"{graph.name} does not take images of --size {recipe.size}: {error}"
        ) from None
    last = sized.nodes[-1]
    if not isinstance(last.op, Dense):
        raise BenchError(f"{graph.name} does not end in a dense layer: its classes cannot change")
    head = replace(last, op=replace(last.op, out=data.classes), output=(data.classes,))
    nodes = (*sized.nodes[:-1], head)
    return replace(sized, nodes=nodes, learning_rate=recipe.learning_rate)


def initial(graph: Graph, seed: int) -> dict[str, Array]:
    """The weights that training starts from: He-normal, scales 1, the rest 0; statistics 0, 1."""
    fixed = {"scale": 1.0, "variance": 1.0}
    values = {}
    for node in graph.nodes:
        for kind, shape in (node.weights | node.state).items():
            name = f"{node.name}/{kind}"
            if kind == "weight":
                normal = generator("training", seed, name).standard_normal(shape, np.float32)
                values[name] = normal * np.float32(sqrt(2 / prod(shape[1:])))
            else:
                values[name] = np.full(shape, fixed.get(kind, 0.0), np.float32)
    return values


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
                out = str(self.folder / "logits.npz")
                self.worker.call("logits", LIMIT, inputs=self.file("probe", x=x, y=y), out=out)
                logits.append(read(out)["logits"])
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
        total: dict[str, Array] = {}
        for x, y in zip(*self.data.probes("train", PROBES, self.recipe.batch), strict=True):
            out = str(self.folder / "gradients.npz")
            inputs = self.file("probe", x=x, y=y)
            losses.append(self.worker.call("gradients", LIMIT, inputs=inputs, out=out)["loss"])
            for key, gradient in read(out).items():
                total[key] = total.get(key, np.float32(0)) + gradient / np.float32(PROBES)
        out = str(self.folder / "parameters.npz")
        self.worker.call("parameters", LIMIT, out=out)
        weights = read(out)
        keys = [f"{n.name}/weight" for n in self.graph.nodes if isinstance(n.op, Conv)]
        sizes = {k: length(total[k]) / max(length(weights[k]), 1e-30) for k in keys}
        part = len(keys) // THIRD
        return {
            f"train_loss_{moment}": finite(float(np.mean(losses))),
            f"early_gradient_{moment}": centre([sizes[k] for k in keys[:part]]),
            f"late_gradient_{moment}": centre([sizes[k] for k in keys[-part:]]),
            f"gradients_{moment}": {k: finite(v) for k, v in sizes.items()},
        }

    def file(self, name: str, **arrays: NDArray[Any]) -> str:
        """Write arrays for the worker; the path."""
        path = self.folder / f"{name}.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return str(path)


def read(path: str) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as arrays:
        return {k: arrays[k] for k in arrays.files}


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


def data_of(folder: Path | None, recipe: Recipe) -> Images:
    """The user's images, or the digits; raises BenchError where they are too few."""
    shape = (3, recipe.size, recipe.size)
    data = images.from_folder(folder, shape) if folder else images.digits_of(shape)
    for part in ("train", "test"):
        if data.count(part) < recipe.batch:
            raise BenchError(
                f"{data.name}: {data.count(part)} images to {part} on are fewer than a batch of "
                f"{recipe.batch}: use a smaller --batch or more images"
            )
    return data

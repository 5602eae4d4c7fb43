"""Training runs for the statements about training: does depth hurt, do gradients vanish?

The CIFAR networks of the ResNet paper, plain and residual, learn scikit-learn's digits or the
user's own images, in a real framework, with SGD with momentum at a constant rate and without
augmentation. Weights are those that training starts from (He-normal, scales 1, shifts 0), drawn
anew for each seed, as is the order of images; a seed is the same for every network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod, sqrt
from pathlib import Path

import numpy as np

from bench import images, models
from bench.errors import BenchError
from bench.graph import Graph
from bench.images import Images
from bench.ops import BatchNorm, Dense, ShapeError
from bench.weights import Array, generator

BARE = "_bare"  # ending of a name: the same network without batch norm


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; the same for all that are compared."""

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 0.02
    size: int = 8  # pixels in a row of an image: the digits' own
    seeds: int = 5
    budget: float = 1800.0  # seconds; no seed is begun that would not end in time


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

"""No parity, no number: a framework's program is compared with the referee before it is timed.

Compared are the parameter count (exactly), the logits in evaluation mode, and in training mode
(batch statistics, dropout rate 0) the loss and the gradient of every parameter; of small networks
also the loss of the phase `forward`, and the parameters after whole steps. The bound of a tensor
is, as root mean square,

    MARGIN * (float32 twin - referee) + TIES * (ties decided otherwise - referee) + FLOOR * referee

The twin is the referee in float32: its rounding says how far apart two correct programs lie. Ties
(reference/ties.py) are decisions that rounding may turn; all of them are turned round together,
where a program turns a few.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from bench import arrays, conformance, locate, reference, weights
from bench.cases import Contender
from bench.client import Failure, Worker
from bench.curves import Curve
from bench.graph import Graph, Node
from bench.reference import Array, Arrays, rms

MARGIN = 10.0
TIES = 1.0
TAIL = 4.0  # how far single entries lie off where the rms is 1
FLOOR = 1e-6
LOSS_FLOOR = 1e-5  # a loss is one number: the twin's may be right by chance
BATCH = 2
LIMIT = 1200.0  # seconds for one call; compiling a network for the first time is slow
PHASES = ("inference", "training")
COMPUTING = Lock()  # held by a referee


@dataclass(frozen=True)
class Verdict:
    """One row of `bench check`: errors and bounds are relative to the referee's rms."""

    framework: str
    mode: str
    tuned: bool
    model: str
    phase: str
    status: str  # ok, wrong, or the status of a Failure
    reason: str = ""
    parameters: int | None = None
    worst_error: float | None = None
    worst_tensor: str | None = None
    bound: float | None = None
    image: str = ""  # the size at which it was checked

    @property
    def ok(self) -> bool:
        return self.status == "ok"


@dataclass(frozen=True)
class Expected:
    """What the referee says of one tensor: its values, and the rms that one may be off."""

    value: Array
    bound: float

    def beside(self, other: Expected) -> Expected:
        """The same with the larger bound of both; one array where the values are equal, as those
        of dense layers behind all pooling are, which are most of a VGG."""
        value = other.value if np.array_equal(self.value, other.value) else self.value
        return Expected(value, max(self.bound, other.bound))

    def error(self, value: Array) -> float:
        """rms difference; infinite where the shapes differ or the values are no numbers."""
        if value.shape != self.value.shape:
            return float("inf")
        error = rms(value - self.value)
        return error if np.isfinite(error) else float("inf")


class Asked(Protocol):
    """What a worker builds and is given."""

    graph: Graph
    image: str
    weights: Arrays
    x: Array
    y: Array


class Referee:
    """The expected results of one network, computed when asked for."""

    def __init__(self, graph: Graph, batch: int = BATCH) -> None:
        self.graph = graph.without_dropout()
        self.image = "x".join(map(str, graph.input))
        self.weights = weights.weights(self.graph)
        self.x, self.y = weights.batch(self.graph, batch)

    def expects(self, what: str) -> dict[str, Expected]:
        """`inference`, `training`, `sharing` or `after_steps`, whichever thread asks: computed by
        the first, and one thing at a time, for it takes gigabytes."""
        if what not in vars(self):
            with COMPUTING:
                getattr(self, what)
        found: dict[str, Expected] = vars(self)[what]
        return found

    def run(self, dtype: Any) -> Array:
        return reference.run(self.graph, self.weights, self.x, dtype=dtype).logits

    def train(self, dtype: Any, **hooks: Any) -> reference.Run:
        return reference.train(self.graph, self.weights, self.x, dtype, **hooks)

    @cached_property
    def inference(self) -> dict[str, Expected]:
        """The logits."""
        return {"logits": expected(self.run(np.float64), self.run(np.float32))}

    @cached_property
    def training(self) -> dict[str, Expected]:
        """The loss and the gradient of every parameter."""
        return self.gradients()

    @cached_property
    def sharing(self) -> dict[str, Expected]:
        """The same of a program whose max pooling gives the gradient to each of equal maxima:
        nearly equal ones may all win, or another one."""
        found = self.gradients(every=True)
        return {k: e.beside(self.training[k]) for k, e in found.items()}

    def gradients(self, every: bool = False) -> dict[str, Expected]:
        seen: Arrays = {}
        twin_loss, twin = self.twin(seen, every)
        passed = self.train(
            np.float64, near=lambda node, x: nearness(x, seen.pop(node.name)), every=every
        )
        loss, true = reference.backpropagate(passed, self.y)[:2]
        passed.saved = passed.other
        other = reference.backpropagate(passed, self.y)[1]
        margin = MARGIN * abs(twin_loss - loss) + LOSS_FLOOR * abs(loss)
        results = {k: expected(true[k], twin[k], other[k]) for k in true}
        return {"loss": Expected(np.array(loss), margin)} | results

    def twin(self, seen: Arrays, every: bool) -> tuple[float, Arrays]:
        """The loss and the gradients in float32; the inputs at which ties can be go into `seen`."""
        passed = self.train(
            np.float32, observe=lambda node, x: remember(seen, node, x), every=every
        )
        return reference.backpropagate(passed, self.y)[:2]

    @cached_property
    def after_steps(self) -> dict[str, Expected]:
        """The parameters after the steps that the conformance cases take."""
        return self.trained(conformance.STEPS)

    def trained(self, steps: int) -> dict[str, Expected]:
        """The parameters after some steps of SGD with momentum on the same batch."""
        true, twin = self.descend(steps, np.float64), self.descend(steps, np.float32)
        return {k: expected(true[k], twin[k]) for k in true}

    def descend(self, steps: int, dtype: Any) -> Arrays:
        """The parameters after some steps on one batch, in one precision."""
        batches = [(self.x, self.y)] * steps
        return reference.descend(self.graph, self.weights, batches, dtype)[1]


def expected(true: Array, twin: Array, other: Array | None = None) -> Expected:
    ties = rms(other - true) if other is not None else 0.0
    return Expected(true, MARGIN * rms(twin - true) + TIES * ties + FLOOR * rms(true))


def remember(seen: Arrays, node: Node, x: Array) -> Arrays:
    """Keep the input of a node at which ties can be; changes nothing."""
    if node.op.kind in reference.TIES:
        seen[node.name] = x
    return {}


def nearness(x: Array, twin: Array) -> Array:
    """How near to a decision is a tie: where a program that is off by MARGIN times the twin's rms
    error in this channel may decide otherwise."""
    axes = (0, *range(2, x.ndim))
    error = np.sqrt(np.mean(np.square(x - twin), axis=axes, keepdims=True))
    near: Array = TAIL * MARGIN * np.maximum(error, rms(x - twin))
    return near


def compare(found: Mapping[str, Array], wanted: Mapping[str, Expected]) -> dict[str, Any]:
    """Status, reason, and the tensor that comes nearest to its bound, or passes it furthest."""
    if missing := sorted(set(wanted) ^ set(found)):
        return {"status": "wrong", "reason": f"missing or unknown tensors: {', '.join(missing)}"}
    errors = {k: wanted[k].error(found[k]) for k in wanted}
    # a tensor that is exactly zero has no scale of its own
    ratios = {k: e / max(wanted[k].bound, 1e-30) for k, e in errors.items()}
    worst = max(ratios, key=lambda k: ratios[k])
    # nor has one that is smaller than what it may be off: gradients that are zero but for rounding
    scale = max(rms(wanted[worst].value), wanted[worst].bound, 1e-30)
    error, bound = errors[worst] / scale, wanted[worst].bound / scale
    row = {"worst_error": error, "worst_tensor": worst, "bound": bound}
    if ratios[worst] <= 1:
        return row | {"status": "ok"}
    count = sum(ratio > 1 for ratio in ratios.values())
    reason = f"{worst} is off by {ratios[worst]:.3g} times what is allowed"
    if not np.isfinite(ratios[worst]):
        reason = f"{worst} has another shape, or values that are no numbers"
    more = f"; {count} of {len(ratios)} tensors are" if count > 1 else ""
    return row | {"status": "wrong", "reason": reason + more}


class Checker:
    """Drives one worker through the gate, network after network. `equal_maxima`: see
    bench/frameworks.py."""

    def __init__(
        self, worker: Worker, contender: Contender, folder: Path, equal_maxima: str = ""
    ) -> None:
        self.worker, self.folder, self.equal_maxima = worker, folder, equal_maxima
        self.who = (contender.framework, contender.mode, contender.tuned)

    def check(self, referee: Referee) -> list[Verdict]:
        """A verdict for inference and one for training."""
        try:
            count = self.build(referee)
        except Failure as failure:
            return [self.failed(referee, phase, failure) for phase in PHASES]
        if count != referee.graph.params:
            reason = f"{count} parameters, the network has {referee.graph.params}"
            wrong = Failure("wrong", reason)
            return [self.failed(referee, phase, wrong, count) for phase in PHASES]
        inference = self.judged(referee, "inference", count)
        if inference.status == "wrong":  # a prefix was built since
            try:
                self.build(referee)
            except Failure as failure:
                return [inference, self.failed(referee, "training", failure)]
        return [inference, self.judged(referee, "training", count)]

    def build(self, referee: Asked) -> int:
        paths = save(self.folder, referee.graph, referee.weights, referee.x, referee.y)
        self.worker.call("build", LIMIT, graph=paths["graph"], weights=paths["weights"])
        counted = self.worker.call("parameters", LIMIT)
        return int(counted["parameters"])

    def judged(self, referee: Referee, phase: str, count: int) -> Verdict:
        try:
            found = getattr(self, phase)()
        except Failure as failure:
            return self.failed(referee, phase, failure)
        result = self.compared(found, referee, phase)
        result["parameters"] = count
        if result["status"] == "wrong":
            result["reason"] += f"; {self.located(referee, phase)}"
        return self.verdict(referee, phase, result)

    def compared(self, found: Arrays, referee: Referee, phase: str) -> dict[str, Any]:
        """With what the referee says; of who gives the gradient to each of equal maxima, with that
        too."""
        result = compare(found, referee.expects(phase))
        if phase == "training" and result["status"] == "wrong" and self.equal_maxima:
            return compare(found, referee.expects("sharing"))
        return result

    def located(self, referee: Referee, phase: str) -> str:
        """The first wrong node in words; the worker is left with some prefix of the network."""

        def check(graph: Graph) -> str:
            part = Referee(graph, len(referee.x))
            try:
                self.build(part)
                result = self.compared(getattr(self, phase)(), part, phase)
            except Failure as failure:
                if failure.status != "error":
                    raise
                return failure.reason  # shapes that do not fit, perhaps
            return "" if result["status"] == "ok" else str(result["reason"])

        try:
            return locate.first_wrong(referee.graph, check)
        except Failure as failure:
            return f"where it is wrong could not be found: {failure}"

    def verdict(self, referee: Asked, phase: str, result: Mapping[str, Any]) -> Verdict:
        return Verdict(*self.who, referee.graph.name, phase, **result, image=referee.image)

    def inference(self) -> Arrays:
        """What the worker's network, as last built, gives in evaluation mode."""
        self.worker.call("logits", LIMIT, inputs=self.path("inputs"), out=self.path("logits"))
        return self.arrays("logits")

    def training(self, calls: int = 1) -> Arrays:
        """Its gradients and the loss, in the last of some calls."""
        paths = {"inputs": self.path("inputs"), "out": self.path("gradients")}
        value = self.worker.call("gradients", LIMIT, **paths, calls=calls)
        return self.arrays("gradients") | {"loss": np.array(value["loss"])}

    def forward(self, calls: int = 1) -> Arrays:
        """The loss of its phase `forward`, in the last of some calls."""
        value = self.worker.call("loss", LIMIT, inputs=self.path("inputs"), calls=calls)
        return {"loss": np.array(value["loss"])}

    def stepped(self, steps: int) -> Arrays:
        """Its parameters after some training steps."""
        self.worker.call("update", LIMIT, inputs=self.path("inputs"), steps=steps)
        self.worker.call("parameters", LIMIT, out=self.path("parameters"))
        return self.arrays("parameters")

    def conform(self, referee: Referee) -> list[Verdict]:
        """What only small networks are asked, of which each costs one more function to compile: the
        phase `forward`, and whole training steps."""
        return [self.pass_forward(referee), self.update(referee)]

    def pass_forward(self, referee: Referee) -> Verdict:
        """The pass without a backward one: is its loss the referee's in training mode?"""
        return self.apart(
            referee, "forward", self.forward, {"loss": referee.expects("training")["loss"]}
        )

    def update(self, referee: Referee) -> Verdict:
        """Whole training steps: are the parameters where the referee's SGD takes them?"""
        take = partial(self.stepped, conformance.STEPS)
        return self.apart(referee, "step", take, referee.expects("after_steps"))

    def apart(
        self, referee: Referee, phase: str, ask: Callable[[], Arrays], wanted: dict[str, Expected]
    ) -> Verdict:
        """The verdict on one phase of a network that is built for it."""
        try:
            count = self.build(referee)
            found = ask()
        except Failure as failure:
            return self.failed(referee, phase, failure)
        return self.verdict(referee, phase, compare(found, wanted) | {"parameters": count})

    def curve(self, expected: Curve) -> Verdict:
        """Training on one batch after the other: are the losses the referee's?"""
        try:
            count = self.build(expected)
            inputs = self.path("inputs")
            found = self.worker.call("losses", LIMIT, inputs=inputs)["losses"]
        except Failure as failure:
            return self.failed(expected, "curve", failure)
        return self.verdict(expected, "curve", expected.compare(found) | {"parameters": count})

    def failed(
        self, referee: Asked, phase: str, failure: Failure, count: int | None = None
    ) -> Verdict:
        result = {"status": failure.status, "reason": failure.reason, "parameters": count}
        return self.verdict(referee, phase, result)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def arrays(self, name: str) -> Arrays:
        return arrays.read(self.path(name))


def save(
    folder: Path, graph: Graph, values: Mapping[str, Array], x: Array, y: Array
) -> dict[str, str]:
    """Write what a worker needs to build and run a network; the paths by name."""
    described = folder / "graph.json"
    described.write_text(json.dumps(graph.to_json()))
    return {
        "graph": str(described),
        "weights": arrays.write(folder / "weights", values),
        "inputs": arrays.write(folder / "inputs", {"x": x, "y": y}),
    }


def save_usual(folder: Path, graph: Graph, batch: int) -> dict[str, str]:
    """The same, with the weights and pictures that everybody gets."""
    return save(folder, graph, weights.weights(graph), *weights.batch(graph, batch))

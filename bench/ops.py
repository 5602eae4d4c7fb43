"""The operators: what each one means, the shape it gives, the weights it holds, what it costs.

An operator is a frozen dataclass: its fields are its attributes, its docstring is its meaning,
and `output`, `weights`, `state` and `macs` follow from the shapes of its inputs. Shapes are
(C, H, W) or (N,), without the batch axis. To add an operator, add a class here, its forward and
backward in `reference/`, and its line in the adapters.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any, ClassVar

Shape = tuple[int, ...]
Pair = tuple[int, int]

OPS: dict[str, type[Op]] = {}


class ShapeError(ValueError):
    """An operator cannot take these inputs or attributes; says the value and what is allowed."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ShapeError(message)


def pair(value: int | Pair) -> Pair:
    """(height, width) from one number or two."""
    return (value[0], value[1]) if isinstance(value, tuple | list) else (value, value)


@dataclass(frozen=True)
class Op:
    """An operator with every attribute resolved."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()
        OPS[cls.kind] = cls

    def attributes(self) -> dict[str, Any]:
        """The attributes as plain data: pairs as lists, ready for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def output(self, *inputs: Shape) -> Shape:
        """Shape of the result; raises ShapeError."""
        return one(self.kind, inputs)

    def weights(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the trainable parameters."""
        return {}

    def state(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of what is kept but not trained."""
        return {}

    def macs(self, *inputs: Shape) -> int:
        """Multiply-accumulates for one image; counted for convolution and dense layers only."""
        return 0

    def arithmetic(self, *inputs: Shape) -> str:
        """The parameter count written out, as on a slide; empty where there are none."""
        return ""


def one(kind: str, inputs: tuple[Shape, ...]) -> Shape:
    require(len(inputs) == 1, f"{kind} takes one input, got {len(inputs)}")
    return inputs[0]


def image(kind: str, inputs: tuple[Shape, ...]) -> tuple[int, int, int]:
    shape = one(kind, inputs)
    require(len(shape) == 3, f"{kind} takes a (C, H, W) input, got {shape}")
    return shape[0], shape[1], shape[2]


def positive(**values: Any) -> None:
    for name, value in values.items():
        entries = value if isinstance(value, tuple) else (value,)
        require(
            all(isinstance(v, int) and v > 0 for v in entries),
            f"{name} = {value!r} must be a whole number of at least 1",
        )


def window(kind: str, size: Pair, kernel: Pair, stride: Pair, pad: Pair) -> Pair:
    """Output height and width of a sliding window: floor((size + 2 pad - kernel) / stride) + 1."""
    positive(kernel=kernel, stride=stride)
    require(
        all(isinstance(p, int) and p >= 0 for p in pad),
        f"pad = {pad} must be a whole number of at least 0",
    )
    for axis, n, k, p in zip("HW", size, kernel, pad, strict=True):
        require(k <= n + 2 * p, f"{kind} kernel {k} exceeds the padded input {axis} = {n} + 2*{p}")
    height, width = (
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, pad, strict=True)
    )
    return height, width


@dataclass(frozen=True)
class Conv(Op):
    """Cross-correlation of (C, H, W) with (O, C / groups, kh, kw) kernels, `pad` zeros on both
    sides of each axis, output channel o seeing only the inputs of its group, plus a bias."""

    out: int
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    groups: int = 1
    bias: bool = True

    def output(self, *inputs: Shape) -> Shape:
        c, h, w = image(self.kind, inputs)
        positive(out=self.out, groups=self.groups)
        require(
            c % self.groups == 0 and self.out % self.groups == 0,
            f"groups = {self.groups} must divide the {c} input and {self.out} output channels",
        )
        return (self.out, *window(self.kind, (h, w), self.kernel, self.stride, self.pad))

    def weights(self, *inputs: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.out, inputs[0][0] // self.groups, *self.kernel)}
        return shapes | ({"bias": (self.out,)} if self.bias else {})

    def macs(self, *inputs: Shape) -> int:
        _, h, w = self.output(*inputs)
        return prod(self.weights(*inputs)["weight"]) * h * w

    def arithmetic(self, *inputs: Shape) -> str:
        o, c, kh, kw = self.weights(*inputs)["weight"]
        return f"({kh}*{kw}*{c})*{o}" + (f" + {o}" if self.bias else "")


@dataclass(frozen=True)
class Dense(Op):
    """Matrix product of a flat input with an (out, in) weight, plus a bias."""

    out: int
    bias: bool = True

    def output(self, *inputs: Shape) -> Shape:
        shape = one(self.kind, inputs)
        require(len(shape) == 1, f"dense takes a flat input, got {shape}: call flatten() first")
        positive(out=self.out)
        return (self.out,)

    def weights(self, *inputs: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.out, inputs[0][0])}
        return shapes | ({"bias": (self.out,)} if self.bias else {})

    def macs(self, *inputs: Shape) -> int:
        return self.out * inputs[0][0]

    def arithmetic(self, *inputs: Shape) -> str:
        return f"{inputs[0][0]}*{self.out}" + (f" + {self.out}" if self.bias else "")


@dataclass(frozen=True)
class BatchNorm(Op):
    """(x - mean) / sqrt(variance + eps) * scale + shift per channel; in training mean and biased
    variance are those of the batch over N, H and W, in inference the stored ones."""

    eps: float = 1e-5

    def output(self, *inputs: Shape) -> Shape:
        require(self.eps > 0, f"eps = {self.eps} must be positive")
        return image(self.kind, inputs)

    def weights(self, *inputs: Shape) -> dict[str, Shape]:
        return {"scale": (inputs[0][0],), "shift": (inputs[0][0],)}

    def state(self, *inputs: Shape) -> dict[str, Shape]:
        return {"mean": (inputs[0][0],), "variance": (inputs[0][0],)}

    def arithmetic(self, *inputs: Shape) -> str:
        return f"2*{inputs[0][0]}"


@dataclass(frozen=True)
class Relu(Op):
    """max(x, 0); the gradient at 0 is 0."""


@dataclass(frozen=True)
class Relu6(Op):
    """min(max(x, 0), 6); the gradient at 0 and at 6 is 0."""


@dataclass(frozen=True)
class Sigmoid(Op):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class HardSigmoid(Op):
    """min(max(x + 3, 0), 6) / 6; the gradient at -3 and at 3 is 0."""


@dataclass(frozen=True)
class Swish(Op):
    """x times its sigmoid, also called SiLU (Ramachandran et al. 2017, beta = 1)."""


@dataclass(frozen=True)
class HardSwish(Op):
    """x times its hard sigmoid (Howard et al. 2019)."""


@dataclass(frozen=True)
class Lrn(Op):
    """x / (k + alpha / size * s) ** beta, s the sum of squares over `size` neighbouring channels
    centred on each one, channels outside counting as zero (Krizhevsky et al. 2012, alpha / n as
    in Caffe)."""

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def output(self, *inputs: Shape) -> Shape:
        positive(size=self.size)
        require(self.size % 2 == 1, f"size = {self.size} must be odd")
        return image(self.kind, inputs)


@dataclass(frozen=True)
class MaxPool(Op):
    """Largest value of each window, floor mode; padding never wins."""

    kernel: Pair
    stride: Pair
    pad: Pair = (0, 0)

    def output(self, *inputs: Shape) -> Shape:
        c, h, w = image(self.kind, inputs)
        require(
            all(2 * p <= k for p, k in zip(self.pad, self.kernel, strict=True)),
            f"pad = {self.pad} may be at most half of the kernel {self.kernel}",
        )
        return (c, *window(self.kind, (h, w), self.kernel, self.stride, self.pad))


@dataclass(frozen=True)
class AvgPool(MaxPool):
    """Mean of the values in each window, floor mode; padding is not counted."""


@dataclass(frozen=True)
class GlobalAvgPool(Op):
    """Mean over H and W: (C, H, W) to (C,)."""

    def output(self, *inputs: Shape) -> Shape:
        return (image(self.kind, inputs)[0],)


@dataclass(frozen=True)
class Flatten(Op):
    """(C, H, W) to (C*H*W,), in that order."""

    def output(self, *inputs: Shape) -> Shape:
        return (prod(image(self.kind, inputs)),)


@dataclass(frozen=True)
class Dropout(Op):
    """In training, zero with probability `rate` and scale the rest by 1 / (1 - rate); identity in
    inference."""

    rate: float = 0.5

    def output(self, *inputs: Shape) -> Shape:
        require(0 <= self.rate < 1, f"rate = {self.rate} must be in [0, 1)")
        return one(self.kind, inputs)


@dataclass(frozen=True)
class StochasticDepth(Dropout):
    """In training, zero a whole image with probability `rate` and scale the rest by
    1 / (1 - rate); identity in inference (Huang et al. 2016, scaled as dropout is)."""


@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Channels seen as (groups, C / groups), transposed and flattened: channel i of group g comes
    to place i * groups + g (Zhang et al. 2017, section 3.1)."""

    groups: int

    def output(self, *inputs: Shape) -> Shape:
        shape = image(self.kind, inputs)
        positive(groups=self.groups)
        require(
            shape[0] % self.groups == 0,
            f"groups = {self.groups} must divide the {shape[0]} channels",
        )
        return shape


@dataclass(frozen=True)
class Slice(Op):
    """Channels from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def output(self, *inputs: Shape) -> Shape:
        c, h, w = image(self.kind, inputs)
        require(
            0 <= self.start < self.stop <= c,
            f"channels {self.start} to {self.stop} are not a part of the {c} there are",
        )
        return (self.stop - self.start, h, w)


@dataclass(frozen=True)
class Multiply(Op):
    """A (C, H, W) input times a (C,) one: each channel times its own number (the gate of squeeze
    and excitation, Hu et al. 2017)."""

    def output(self, *inputs: Shape) -> Shape:
        require(len(inputs) == 2, f"multiply takes an image and a gate, got {len(inputs)} inputs")
        require(
            len(inputs[0]) == 3 and inputs[1] == inputs[0][:1],
            f"multiply takes a (C, H, W) input and a gate (C,), got {list(inputs)}",
        )
        return inputs[0]


@dataclass(frozen=True)
class Add(Op):
    """Elementwise sum of inputs of one shape."""

    def output(self, *inputs: Shape) -> Shape:
        require(len(inputs) > 1, "add takes at least two inputs")
        require(len(set(inputs)) == 1, f"add takes inputs of one shape, got {list(inputs)}")
        return inputs[0]


@dataclass(frozen=True)
class Concat(Op):
    """Inputs stacked along the channel axis, in the order given."""

    def output(self, *inputs: Shape) -> Shape:
        require(len(inputs) > 1, "concat takes at least two inputs")
        sizes = {shape[1:] for shape in inputs}
        require(
            all(len(s) == 3 for s in inputs) and len(sizes) == 1,
            f"concat takes (C, H, W) inputs of equal H and W, got {list(inputs)}",
        )
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])

"""MixNet: Tan, Le, "MixConv: mixed depthwise convolutional kernels", 2019, figure 7, in the details
of the authors' code: 1x1 convolutions are mixed too where the table says 2, a gate squeezes to a
part of the block's input channels, eps 1e-3, L is M widened by 1.3."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from bench.graph import Network, Tensor, block, network
from bench.models.parts import rounded


class Row(NamedTuple):
    """A stage, or its first block: what is not said is the usual."""

    blocks: int
    kernels: tuple[int, ...]
    stride: int
    expansion: int
    out: int
    gate: float = 0.0  # part of the block's input channels that the gate squeezes to
    up: int = 1  # parts of the 1x1 that widens
    down: int = 1  # parts of the 1x1 that narrows
    swish: bool = True


#   blocks, kernels, stride, expansion, out      <- figure 7
S = (
    Row(1, (3,), 1, 1, 16, swish=False),
    Row(1, (3,), 2, 6, 24, up=2, down=2, swish=False),
    Row(1, (3,), 1, 3, 24, up=2, down=2, swish=False),
    Row(1, (3, 5, 7), 2, 6, 40, 0.5),
    Row(3, (3, 5), 1, 6, 40, 0.5, up=2, down=2),
    Row(1, (3, 5, 7), 2, 6, 80, 0.25, down=2),
    Row(2, (3, 5), 1, 6, 80, 0.25, down=2),
    Row(1, (3, 5, 7), 1, 6, 120, 0.5, up=2, down=2),
    Row(2, (3, 5, 7, 9), 1, 3, 120, 0.5, up=2, down=2),
    Row(1, (3, 5, 7, 9, 11), 2, 6, 200, 0.5),
    Row(2, (3, 5, 7, 9), 1, 6, 200, 0.5, down=2),
)
M = (
    Row(1, (3,), 1, 1, 24, swish=False),
    Row(1, (3, 5, 7), 2, 6, 32, up=2, down=2, swish=False),
    Row(1, (3,), 1, 3, 32, up=2, down=2, swish=False),
    Row(1, (3, 5, 7, 9), 2, 6, 40, 0.5),
    Row(3, (3, 5), 1, 6, 40, 0.5, up=2, down=2),
    Row(1, (3, 5, 7), 2, 6, 80, 0.25),
    Row(3, (3, 5, 7, 9), 1, 6, 80, 0.25, up=2, down=2),
    Row(1, (3,), 1, 6, 120, 0.5),
    Row(3, (3, 5, 7, 9), 1, 3, 120, 0.5, up=2, down=2),
    Row(1, (3, 5, 7, 9), 2, 6, 200, 0.5),
    Row(3, (3, 5, 7, 9), 1, 6, 200, 0.5, down=2),
)
EPS, LAST = 1e-3, 1536


def parts(channels: int, count: int) -> list[int]:
    """Equal parts of the channels; the first takes the rest."""
    each = channels // count
    return [channels - each * (count - 1)] + [each] * (count - 1)


def pointwise(x: Tensor, out: int, count: int) -> Tensor:
    """A 1x1 convolution, or several side by side on parts of the channels; batch norm."""
    if count == 1:
        return x.conv(out, 1, bias=False).batchnorm(EPS)
    pieces = zip(x.split(*parts(x.shape[0], count)), parts(out, count), strict=True)
    first, *others = [piece.conv(width, 1, bias=False) for piece, width in pieces]
    return first.concat(*others).batchnorm(EPS)


def mixed(x: Tensor, kernels: Sequence[int], stride: int) -> Tensor:
    """MixConv (figure 2): each part of the channels has depthwise kernels of its own size."""
    pieces = x.split(*parts(x.shape[0], len(kernels))) if len(kernels) > 1 else [x]
    first, *others = [
        piece.conv(piece.shape[0], kernel, stride, kernel // 2, piece.shape[0], bias=False)
        for piece, kernel in zip(pieces, kernels, strict=True)
    ]
    return (first.concat(*others) if others else first).batchnorm(EPS)


@block
def gate(x: Tensor, squeezed: int, swish: bool) -> Tensor:
    """Squeeze and excitation; the activation in it is that of the block."""
    y = active(x.global_avgpool().dense(squeezed), swish)
    return x.multiply(y.dense(x.shape[0]).sigmoid())


def active(x: Tensor, swish: bool) -> Tensor:
    return x.swish() if swish else x.relu()


@block
def mixblock(x: Tensor, row: Row, stride: int) -> Tensor:
    """1x1 up, MixConv, gate, 1x1 down; added to the input where shapes agree."""
    wide = row.expansion * x.shape[0]
    y = active(pointwise(x, wide, row.up), row.swish) if row.expansion > 1 else x
    y = active(mixed(y, row.kernels, stride), row.swish)
    if row.gate:
        y = gate(y, int(x.shape[0] * row.gate), row.swish)
    y = pointwise(y, row.out, row.down)
    return y.add(x) if y.shape == x.shape else y


def mixnet(x: Tensor, rows: Sequence[Row], stem: int) -> Tensor:
    """MixNet: the stem of 3x3, the mixed blocks, 1536 channels at the end."""
    x = x.conv(stem, 3, 2, 1, bias=False).batchnorm(EPS).relu()
    for row in rows:
        for i in range(row.blocks):
            x = mixblock(x, row, row.stride if i == 0 else 1)
    x = x.conv(LAST, 1, bias=False).batchnorm(EPS).relu()
    return x.global_avgpool().dropout(0.2).dense(1000)


WIDER = 1.3
L = tuple(row._replace(out=rounded(WIDER * row.out)) for row in M)

NETWORKS: dict[str, Network] = {
    "mixnet_s": network(3, 224, 224)(partial(mixnet, rows=S, stem=16)),
    "mixnet_m": network(3, 224, 224)(partial(mixnet, rows=M, stem=24)),
    "mixnet_l": network(3, 224, 224)(partial(mixnet, rows=L, stem=rounded(WIDER * 24))),
}

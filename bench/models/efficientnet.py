"""EfficientNet: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", 2019, table 1 and section 3.3. Pads are symmetric, where TensorFlow's SAME pads at the
end only; eps 1e-3; a gate squeezes to a quarter of the block's input channels."""

from functools import partial
from math import ceil

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, label, rounded

#  expansion, out, blocks, first stride, kernel      <- table 1, stages 2 to 8
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
#        width, depth, resolution, dropout      <- compound scaling, in the authors' code
MEMBERS = {
    "b0": (1.0, 1.0, 224, 0.2),
    "b1": (1.0, 1.1, 240, 0.2),
    "b2": (1.1, 1.2, 260, 0.3),
    "b3": (1.2, 1.4, 300, 0.3),
    "b4": (1.4, 1.8, 380, 0.4),
    "b5": (1.6, 2.2, 456, 0.4),
    "b6": (1.8, 2.6, 528, 0.5),
    "b7": (2.0, 3.1, 600, 0.5),
}
EPS, STEM, LAST = 1e-3, 32, 1280
conv = partial(conv_norm, eps=EPS)
DEPTH_RATE = 0.2  # of stochastic depth in the last block, rising to it in equal steps from 0


@block
def gate(x: Tensor, squeezed: int) -> Tensor:
    """Squeeze and excitation with swish."""
    y = x.global_avgpool().dense(squeezed).swish()
    return x.multiply(y.dense(x.shape[0]).sigmoid())


@block
def mbconv(x: Tensor, expansion: int, out: int, stride: int, kernel: int, rate: float) -> Tensor:
    """1x1 up, depthwise, gate, 1x1 down; where shapes agree it is added to its input, and dropped
    as a whole for some of the images."""
    wide = expansion * x.shape[0]
    y = conv(x, wide, 1).swish() if expansion > 1 else x
    y = conv(y, wide, kernel, stride, groups=wide).swish()
    y = conv(gate(y, max(1, x.shape[0] // 4)), out, 1)
    if y.shape != x.shape:
        return y
    return (y.stochastic_depth(rate) if rate else y).add(x)


def efficientnet(x: Tensor, width: float, depth: float, dropout: float) -> Tensor:
    """EfficientNet by compound scaling: widths and the number of blocks grow with the letter."""
    total = sum(ceil(count * depth) for _, _, count, _, _ in STAGES)
    x, done = conv(x, rounded(STEM * width), 3, 2).swish(), 0
    for stage, (expansion, out, count, first, kernel) in enumerate(STAGES, 2):
        for i in range(ceil(count * depth)):
            stride, rate = first if i == 0 else 1, DEPTH_RATE * done / total
            x = mbconv(
                x, expansion, rounded(out * width), stride, kernel, rate, name=label(stage, i)
            )
            done += 1
    x = conv(x, rounded(LAST * width), 1).swish()
    return x.global_avgpool().dropout(dropout).dense(1000)


NETWORKS: dict[str, Network] = {
    f"efficientnet_{letter}": network(3, size, size)(
        partial(efficientnet, width=width, depth=depth, dropout=dropout)
    )
    for letter, (width, depth, size, dropout) in MEMBERS.items()
}

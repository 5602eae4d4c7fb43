"""EfficientNet: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", 2019, table 1, and the compound scaling of section 3.3."""

from functools import partial
from math import ceil

from bench.graph import Network, Tensor, block, network
from bench.models.mobilenet_v2 import divisible

#  k, s, t, out, repeats      <- kernel, stride of the first, expansion, of B0: table 1
STAGES = (
    (3, 1, 1,  16, 1),
    (3, 2, 6,  24, 2),
    (5, 2, 6,  40, 2),
    (3, 2, 6,  80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)  # fmt: skip
#                   width depth resolution dropout      <- of the authors' code
MEMBERS = {
    "efficientnet_b0": (1.0, 1.0, 224, 0.2),
    "efficientnet_b1": (1.0, 1.1, 240, 0.2),
    "efficientnet_b2": (1.1, 1.2, 260, 0.3),
    "efficientnet_b3": (1.2, 1.4, 300, 0.3),
    "efficientnet_b4": (1.4, 1.8, 380, 0.4),
    "efficientnet_b5": (1.6, 2.2, 456, 0.4),
    "efficientnet_b6": (1.8, 2.6, 528, 0.5),
    "efficientnet_b7": (2.0, 3.1, 600, 0.5),
}
EPS = 1e-3  # of batch norm
DROPPED = 0.2  # the rate of stochastic depth towards which blocks rise


@block
def excite(x: Tensor, squeeze: int, act: Network) -> Tensor:
    """Squeeze and excite: `squeeze` numbers in between, and a sigmoid."""
    return x.multiply(act(x.global_avgpool().dense(squeeze)).dense(x.shape[0]).sigmoid())


@block
def mbconv(x: Tensor, kernel: int, stride: int, expansion: int, out: int, rate: float) -> Tensor:
    """MobileNetV2's block with swish; squeeze and excite to a quarter of the *input*'s channels."""
    y, wide = x, x.shape[0] * expansion
    if expansion > 1:
        y = y.conv(wide, 1, bias=False).batchnorm(EPS).swish()
    y = y.conv(wide, kernel, stride, pad=kernel // 2, groups=wide, bias=False)
    y = excite(y.batchnorm(EPS).swish(), x.shape[0] // 4, Tensor.swish)
    y = y.conv(out, 1, bias=False).batchnorm(EPS)
    return y.stochastic_depth(rate).add(x) if x.shape == y.shape else y


def scaled(width: float, depth: float) -> list[tuple[int, int, int, int]]:
    """Kernel, stride, expansion and output of each block: table 1 made wider and deeper."""
    return [
        (kernel, stride if i == 0 else 1, expansion, divisible(out * width))
        for kernel, stride, expansion, out, repeats in STAGES
        for i in range(ceil(repeats * depth))
    ]


def efficientnet(x: Tensor, width: float, depth: float, dropout: float) -> Tensor:
    """EfficientNet of the paper: stochastic depth at rates that rise linearly to 0.2, batch norm of
    eps 1e-3. Padding is symmetric (TensorFlow's: SAME); torchvision's B0 to B4 have eps 1e-5, and
    other resolutions."""
    blocks = scaled(width, depth)
    x = x.conv(divisible(32 * width), 3, 2, pad=1, bias=False).batchnorm(EPS).swish()
    for i, row in enumerate(blocks):
        x = mbconv(x, *row, rate=DROPPED * i / len(blocks))
    x = x.conv(divisible(1280 * width), 1, bias=False).batchnorm(EPS).swish()
    return x.global_avgpool().dropout(dropout).dense(1000)


NETWORKS: dict[str, Network] = {
    name: network(3, size, size)(partial(efficientnet, width=width, depth=depth, dropout=dropout))
    for name, (width, depth, size, dropout) in MEMBERS.items()
}

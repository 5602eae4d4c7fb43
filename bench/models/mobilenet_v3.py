"""MobileNetV3: Howard et al., "Searching for MobileNetV3", 2019, tables 1 (large) and 2 (small)."""

from collections.abc import Iterable
from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.mobilenet_v2 import divisible

RE, HS = Tensor.relu, Tensor.hard_swish
SE, __ = True, False
EPS = 1e-3  # of batch norm

#    k, exp, out, SE, NL, s      <- tables 1 and 2
LARGE = (
    (3,  16,  16, __, RE, 1),
    (3,  64,  24, __, RE, 2),
    (3,  72,  24, __, RE, 1),
    (5,  72,  40, SE, RE, 2),
    (5, 120,  40, SE, RE, 1),
    (5, 120,  40, SE, RE, 1),
    (3, 240,  80, __, HS, 2),
    (3, 200,  80, __, HS, 1),
    (3, 184,  80, __, HS, 1),
    (3, 184,  80, __, HS, 1),
    (3, 480, 112, SE, HS, 1),
    (3, 672, 112, SE, HS, 1),
    (5, 672, 160, SE, HS, 2),
    (5, 960, 160, SE, HS, 1),
    (5, 960, 160, SE, HS, 1),
)  # fmt: skip
SMALL = (
    (3,  16,  16, SE, RE, 2),
    (3,  72,  24, __, RE, 2),
    (3,  88,  24, __, RE, 1),
    (5,  96,  40, SE, HS, 2),
    (5, 240,  40, SE, HS, 1),
    (5, 240,  40, SE, HS, 1),
    (5, 120,  48, SE, HS, 1),
    (5, 144,  48, SE, HS, 1),
    (5, 288,  96, SE, HS, 2),
    (5, 576,  96, SE, HS, 1),
    (5, 576,  96, SE, HS, 1),
)  # fmt: skip
#                         table  last conv, dense, width, resolution
MEMBERS = {
    "mobilenet_v3_large": (LARGE, 960, 1280, 1.0, 224),
    "mobilenet_v3_small": (SMALL, 576, 1024, 1.0, 224),
}
Row = tuple[int, int, int, bool, Network, int]


@block
def excite(x: Tensor) -> Tensor:
    """Squeeze and excite: a quarter of the channels in between, ReLU, and a hard sigmoid."""
    channels = x.shape[0]
    gate = x.global_avgpool().dense(divisible(channels / 4)).relu().dense(channels)
    return x.multiply(gate.hard_sigmoid())


@block
def inverted(x: Tensor, kernel: int, wide: int, out: int, se: bool, act: Network, s: int) -> Tensor:
    """Figure 4: MobileNetV2's block, with squeeze and excite behind the depthwise layer."""
    y = x
    if wide != x.shape[0]:
        y = act(y.conv(wide, 1, bias=False).batchnorm(EPS))
    y = y.conv(wide, kernel, s, pad=kernel // 2, groups=wide, bias=False).batchnorm(EPS)
    y = excite(act(y)) if se else act(y)
    y = y.conv(out, 1, bias=False).batchnorm(EPS)
    return y.add(x) if x.shape == y.shape else y


def mobilenet_v3(x: Tensor, rows: Iterable[Row], last: int, dense: int, width: float) -> Tensor:
    """MobileNetV3 of torchvision's widths: batch norm of eps 1e-3, squeeze to a quarter of the
    expanded channels rounded to 8, activation before the squeeze, dropout 0.2, symmetric padding.
    TensorFlow's has SAME padding."""
    x = x.conv(divisible(16 * width), 3, 2, pad=1, bias=False).batchnorm(EPS).hard_swish()
    for kernel, wide, out, se, act, stride in rows:
        widths = (divisible(wide * width), divisible(out * width))
        x = inverted(x, kernel, *widths, se, act, stride)
    x = x.conv(divisible(last * width), 1, bias=False).batchnorm(EPS).hard_swish()
    return x.global_avgpool().dense(dense).hard_swish().dropout(0.2).dense(1000)


NETWORKS: dict[str, Network] = {
    name: network(3, size, size)(
        partial(mobilenet_v3, rows=rows, last=last, dense=dense, width=width)
    )
    for name, (rows, last, dense, width, size) in MEMBERS.items()
}

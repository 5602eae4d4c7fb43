"""MixNet: Tan, Le, "MixConv: mixed depthwise convolutional kernels", 2019, figure 5, with what only
the authors' code has: the groups of the 1x1 layers and the ratios of squeeze and excite."""

from collections.abc import Iterable
from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.efficientnet import EPS, excite
from bench.models.mobilenet_v2 import divisible

RE, SW = Tensor.relu, Tensor.swish

#    repeats, kernels,      1x1 groups: in, out, stride, expansion, channels, SE, activation
SMALL = (
    (1, (3,),               1, 1, 1, 1,  16, 0.0,  RE),
    (1, (3,),               2, 2, 2, 6,  24, 0.0,  RE),
    (1, (3,),               2, 2, 1, 3,  24, 0.0,  RE),
    (1, (3, 5, 7),          1, 1, 2, 6,  40, 0.5,  SW),
    (3, (3, 5),             2, 2, 1, 6,  40, 0.5,  SW),
    (1, (3, 5, 7),          1, 2, 2, 6,  80, 0.25, SW),
    (2, (3, 5),             1, 2, 1, 6,  80, 0.25, SW),
    (1, (3, 5, 7),          2, 2, 1, 6, 120, 0.5,  SW),
    (2, (3, 5, 7, 9),       2, 2, 1, 3, 120, 0.5,  SW),
    (1, (3, 5, 7, 9, 11),   1, 1, 2, 6, 200, 0.5,  SW),
    (2, (3, 5, 7, 9),       1, 2, 1, 6, 200, 0.5,  SW),
)  # fmt: skip
MEDIUM = (
    (1, (3,),               1, 1, 1, 1,  24, 0.0,  RE),
    (1, (3, 5, 7),          2, 2, 2, 6,  32, 0.0,  RE),
    (1, (3,),               2, 2, 1, 3,  32, 0.0,  RE),
    (1, (3, 5, 7, 9),       1, 1, 2, 6,  40, 0.5,  SW),
    (3, (3, 5),             2, 2, 1, 6,  40, 0.5,  SW),
    (1, (3, 5, 7),          1, 1, 2, 6,  80, 0.25, SW),
    (3, (3, 5, 7, 9),       2, 2, 1, 6,  80, 0.25, SW),
    (1, (3,),               1, 1, 1, 6, 120, 0.5,  SW),
    (3, (3, 5, 7, 9),       2, 2, 1, 3, 120, 0.5,  SW),
    (1, (3, 5, 7, 9),       1, 1, 2, 6, 200, 0.5,  SW),
    (3, (3, 5, 7, 9),       1, 2, 1, 6, 200, 0.5,  SW),
)  # fmt: skip
#            table, stem, width, dropout, resolution
MEMBERS = {
    "mixnet_s": (SMALL, 16, 1.0, 0.2, 224),
    "mixnet_m": (MEDIUM, 24, 1.0, 0.25, 224),
    "mixnet_l": (MEDIUM, 24, 1.3, 0.25, 224),
}
Row = tuple[int, tuple[int, ...], int, int, int, int, int, float, Network]


def depthwise(x: Tensor, kernel: int, stride: int) -> Tensor:
    return x.conv(x.shape[0], kernel, stride, pad=kernel // 2, groups=x.shape[0], bias=False)


def mixed(x: Tensor, kernels: tuple[int, ...], stride: int) -> Tensor:
    """MixConv, figure 2: the channels in equal parts, the first taking what is left over, each
    convolved depthwise with a kernel of its own."""
    if len(kernels) == 1:
        return depthwise(x, kernels[0], stride)
    parts = [x.shape[0] // len(kernels)] * len(kernels)
    parts[0] += x.shape[0] - sum(parts)
    first, *others = map(depthwise, x.split(*parts), kernels, [stride] * len(kernels))
    return first.concat(*others)


@block
def unit(
    x: Tensor, kernels: tuple[int, ...], expand: int, project: int, stride: int, expansion: int,
    out: int, ratio: float, act: Network,
) -> Tensor:  # fmt: skip
    """MobileNetV2's block with mixed kernels; 1x1 layers in groups, squeeze and excite to
    `ratio` of the input's channels."""
    y, wide = x, x.shape[0] * expansion
    if expansion > 1:
        y = act(y.conv(wide, 1, groups=expand, bias=False).batchnorm(EPS))
    y = act(mixed(y, kernels, stride).batchnorm(EPS))
    if ratio:
        y = excite(y, int(x.shape[0] * ratio), act)
    y = y.conv(out, 1, groups=project, bias=False).batchnorm(EPS)
    return y.add(x) if x.shape == y.shape else y


def mixnet(x: Tensor, rows: Iterable[Row], stem: int, width: float, dropout: float) -> Tensor:
    """MixNet of the authors' code: ReLU in the first stages and at both ends, swish between, batch
    norm of eps 1e-3; a 1x1 in two parts is a convolution in two groups. Padding is symmetric
    (TensorFlow's: SAME). L is M made 1.3 times wider, but for its last convolution."""
    x = x.conv(divisible(stem * width), 3, stride=2, pad=1, bias=False).batchnorm(EPS).relu()
    for repeats, kernels, expand, project, stride, expansion, out, ratio, act in rows:
        shape = (expansion, divisible(out * width), ratio, act)
        for i in range(repeats):
            x = unit(x, kernels, expand, project, stride if i == 0 else 1, *shape)
    x = x.conv(1536, 1, bias=False).batchnorm(EPS).relu()
    return x.global_avgpool().dropout(dropout).dense(1000)


NETWORKS: dict[str, Network] = {
    name: network(3, size, size)(partial(mixnet, rows=rows, stem=stem, width=width, dropout=drop))
    for name, (rows, stem, width, drop, size) in MEMBERS.items()
}

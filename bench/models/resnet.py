"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1.

Two definitions go around: the paper's bottleneck halves the size in its first 1x1 convolution (v1),
that of most frameworks' model collections in its 3x3 (v1.5), at equal parameters and more work."""

from collections.abc import Callable
from functools import partial

from bench.graph import Network, Tensor, block, network

#              conv2 conv3 conv4 conv5      <- blocks per stage, table 1
BASICS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
}
BOTTLENECKS = {
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def conv(x: Tensor, out: int, kernel: int, stride: int = 1) -> Tensor:
    """Convolution that keeps the size at stride 1, without a bias, and batch norm."""
    return x.conv(out, kernel, stride, pad=kernel // 2, bias=False).batchnorm()


def residual(x: Tensor, out: Tensor, stride: int) -> Tensor:
    """Sum with the shortcut, a projection where the shape changes (option B), then ReLU."""
    shortcut = x if x.shape == out.shape else conv(x, out.shape[0], 1, stride)
    return out.add(shortcut).relu()


@block
def basic(x: Tensor, width: int, stride: int) -> Tensor:
    """Two 3x3 (figure 5, left); the first has the stride."""
    out = conv(x, width, 3, stride).relu()
    return residual(x, conv(out, width, 3), stride)


@block
def bottleneck(x: Tensor, width: int, stride: int, first: bool = False) -> Tensor:
    """1x1, 3x3, 1x1 with 4 times the width at the end (figure 5, right); the 3x3 has the stride
    (v1.5), or the first 1x1 (v1)."""
    out = conv(x, width, 1, stride if first else 1).relu()
    out = conv(out, width, 3, 1 if first else stride).relu()
    return residual(x, conv(out, 4 * width, 1), stride)


def name(stage: int, i: int) -> str:
    """2a, 2b, ... 3a: the stage of table 1 and a letter; after z comes aa."""
    letter = chr(ord("a") + i % 26)
    return f"{stage + 2}{'a' * (i // 26)}{letter}"


def stages(
    x: Tensor, unit: Callable[..., Tensor], blocks: tuple[int, ...], classes: int = 1000
) -> Tensor:
    """Table 1: a 7x7 convolution and a pool, then stages of units, of twice the width and half the
    size each; one dense layer."""
    x = conv(x, 64, 7, 2).relu().maxpool(3, 2, pad=1)
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if i == 0 and stage > 0 else 1
            x = unit(x, width=64 * 2**stage, stride=stride, name=name(stage, i))
    return x.global_avgpool().dense(classes)


def resnet_basic(x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """ResNet of basic blocks, with projection shortcuts where the shape changes (option B)."""
    return stages(x, basic, blocks)


def resnet(x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """ResNet of bottlenecks with the stride in the 3x3 (v1.5), with projection shortcuts where the
    shape changes (option B)."""
    return stages(x, bottleneck, blocks)


def resnet_v1(x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """ResNet of bottlenecks with the stride in the first 1x1, as the paper has it (v1), with
    projection shortcuts where the shape changes (option B)."""
    return stages(x, partial(bottleneck, first=True), blocks)


KINDS = (  # of networks: function, depths, suffix of the name
    (resnet_basic, BASICS, ""),
    (resnet, BOTTLENECKS, ""),
    (resnet_v1, BOTTLENECKS, "_v1"),
)
NETWORKS: dict[str, Network] = {
    f"{name}{suffix}": network(3, 224, 224)(partial(function, blocks=blocks))
    for function, depths, suffix in KINDS
    for name, blocks in depths.items()
}

"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1.

Bottlenecks have their stride in the 3x3 (v1.5, as most libraries have it) or, with `_v1`, in the
first 1x1 as the paper has it: the parameters are the same, the work is not."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, label

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
Block = Callable[..., Tensor]


def joined(x: Tensor, out: Tensor, stride: int) -> Tensor:
    """The residual added to its input, which is projected where shapes differ (option B)."""
    shortcut = x if x.shape == out.shape else conv_norm(x, out.shape[0], 1, stride)
    return out.add(shortcut).relu()


@block
def basic(x: Tensor, width: int, stride: int) -> Tensor:
    """3x3, 3x3 (figure 5, left)."""
    out = conv_norm(x, width, 3, stride).relu()
    return joined(x, conv_norm(out, width, 3), stride)


@block
def bottleneck(x: Tensor, width: int, stride: int) -> Tensor:
    """1x1, 3x3, 1x1 with 4 times the width at the end (figure 5); the 3x3 has the stride (v1.5)."""
    out = conv_norm(x, width, 1).relu()
    out = conv_norm(out, width, 3, stride).relu()
    return joined(x, conv_norm(out, 4 * width, 1), stride)


@block
def bottleneck_v1(x: Tensor, width: int, stride: int) -> Tensor:
    """The paper's: the first 1x1 has the stride."""
    out = conv_norm(x, width, 1, stride).relu()
    out = conv_norm(out, width, 3).relu()
    return joined(x, conv_norm(out, 4 * width, 1), stride)


def resnet(x: Tensor, block: Block, blocks: tuple[int, ...], classes: int = 1000) -> Tensor:
    """ResNet of residual blocks, with projection shortcuts where the shape changes (option B)."""
    x = conv_norm(x, 64, 7, 2).relu().maxpool(3, 2, pad=1)
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if i == 0 and stage > 0 else 1
            x = block(x, 64 * 2**stage, stride, name=label(stage + 2, i))
    return x.global_avgpool().dense(classes)


def family(
    block: Block, table: Mapping[str, tuple[int, ...]], suffix: str = ""
) -> dict[str, Network]:
    """The networks of a table, made of one kind of block."""
    return {
        name + suffix: network(3, 224, 224)(partial(resnet, block=block, blocks=blocks))
        for name, blocks in table.items()
    }


NETWORKS: dict[str, Network] = {
    **family(basic, BASICS),
    **family(bottleneck, BOTTLENECKS),
    **family(bottleneck_v1, BOTTLENECKS, "_v1"),
}

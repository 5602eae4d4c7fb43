"""The CIFAR-10 networks of He, Zhang, Ren, Sun, "Deep residual learning for image recognition",
2015, section 4.2: with shortcuts and, layer for layer the same, without.

Shortcuts have no parameters (option A): where the shape changes, every other pixel, and zeros for
the new channels. To add zeros is to change nothing: only the old channels are added to."""

from collections.abc import Callable
from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.resnet import conv

#         output size 32, 16, 8      <- the table of section 4.2; 2n layers each
WIDTHS = (16, 32, 64)
DEPTHS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}  # 6n + 2 layers: n


@block
def plain(x: Tensor, width: int, stride: int) -> Tensor:
    """Two 3x3; the first has the stride."""
    return conv(conv(x, width, 3, stride).relu(), width, 3).relu()


@block
def residual(x: Tensor, width: int, stride: int) -> Tensor:
    """The same with a shortcut (option A)."""
    out = conv(conv(x, width, 3, stride).relu(), width, 3)
    if x.shape == out.shape:
        return out.add(x).relu()
    old, new = out.split(x.shape[0], width - x.shape[0])
    return old.add(x.avgpool(1, stride)).concat(new).relu()


def stages(x: Tensor, unit: Callable[..., Tensor], n: int, classes: int = 10) -> Tensor:
    """A 3x3 convolution, three stages of n units, and a dense layer."""
    x = conv(x, WIDTHS[0], 3).relu()
    for stage, width in enumerate(WIDTHS):
        for i in range(n):
            x = unit(x, width, 2 if i == 0 and stage > 0 else 1, name=f"{stage + 1}_{i + 1}")
    return x.global_avgpool().dense(classes)


def plain_cifar(x: Tensor, n: int) -> Tensor:
    """The plain CIFAR-10 network of 6n + 2 layers: no shortcuts."""
    return stages(x, plain, n)


def resnet_cifar(x: Tensor, n: int) -> Tensor:
    """The residual CIFAR-10 network of 6n + 2 layers, with the paper's shortcuts without parameters
    (option A); implementations with projections have 2,752 parameters more."""
    return stages(x, residual, n)


NETWORKS: dict[str, Network] = {
    f"{kind}{depth}": network(3, 32, 32)(partial(function, n=n))
    for kind, function in (("plain", plain_cifar), ("resnet", resnet_cifar))
    for depth, n in DEPTHS.items()
}

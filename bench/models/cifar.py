"""The CIFAR networks of the ResNet paper: He, Zhang, Ren, Sun, "Deep residual learning for image
recognition", 2015, section 4.2 and table 6: 6n + 2 layers, with shortcuts (resnet) and without
(plain), which have the same parameters: the shortcuts are identities (option A)."""

from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, label

WIDTHS = (16, 32, 64)  # of the three stages, on images of 32, 16 and 8
DEPTHS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}  # layers: blocks per stage


def shortcut(x: Tensor, out: Tensor) -> Tensor:
    """x added to the result; where that is wider, x is subsampled and meets its first channels
    alone, as if zeros were behind its own."""
    if x.shape == out.shape:
        return out.add(x)
    near, rest = out.split(x.shape[0], out.shape[0] - x.shape[0])
    return near.add(x.avgpool(1, 2)).concat(rest)


@block
def plain(x: Tensor, width: int, stride: int) -> Tensor:
    """Two 3x3 convolutions."""
    out = conv_norm(x, width, 3, stride).relu()
    return conv_norm(out, width, 3).relu()


@block
def residual(x: Tensor, width: int, stride: int) -> Tensor:
    """Two 3x3 convolutions and the shortcut around them."""
    out = conv_norm(x, width, 3, stride).relu()
    return shortcut(x, conv_norm(out, width, 3)).relu()


def cifar(x: Tensor, shortcuts: bool, blocks: int) -> Tensor:
    """A network of 6n + 2 layers for images of 32 x 32 and 10 classes."""
    x = conv_norm(x, WIDTHS[0], 3).relu()
    for stage, width in enumerate(WIDTHS, 2):
        for i in range(blocks):
            stride = 2 if i == 0 and stage > 2 else 1
            x = (residual if shortcuts else plain)(x, width, stride, name=label(stage, i))
    return x.global_avgpool().dense(10)


NETWORKS: dict[str, Network] = {
    f"{kind}{depth}": network(3, 32, 32)(partial(cifar, shortcuts=shortcuts, blocks=blocks))
    for kind, shortcuts in (("plain", False), ("resnet", True))
    for depth, blocks in DEPTHS.items()
}

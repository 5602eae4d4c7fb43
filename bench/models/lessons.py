"""Small networks for the lessons of the document, two and two: what three 3x3 convolutions cost
against one 7x7 (VGG), what 1x1 reductions save (GoogLeNet, figure 2), and what a bottleneck saves
(ResNet, figure 5). Each is the thing in question and a classifier."""

from collections.abc import Callable
from functools import partial

from bench.graph import Network, Tensor, network
from bench.models import googlenet, resnet

CLASSES = 10
CHANNELS, SIZE = 64, 56  # of the images in which kernels are compared


def classified(x: Tensor) -> Tensor:
    return x.global_avgpool().dense(CLASSES)


@network(CHANNELS, SIZE, SIZE)
def stack3x3x3(x: Tensor) -> Tensor:
    """Three 3x3 convolutions of C channels: a window of 7x7 and 3 (3^2 C^2) parameters."""
    for _ in range(3):
        x = x.conv(CHANNELS, 3, pad=1, bias=False).relu()
    return classified(x)


@network(CHANNELS, SIZE, SIZE)
def conv7x7(x: Tensor) -> Tensor:
    """One 7x7 convolution of C channels: the same window and 7^2 C^2 parameters."""
    return classified(x.conv(CHANNELS, 7, pad=3, bias=False).relu())


@network(192, 28, 28)
def inception_naive(x: Tensor) -> Tensor:
    """Figure 2a: four branches without reductions, with the widths of module 3a; its pooling branch
    keeps all channels, so the depth can only grow."""
    one, _, three, _, five, _ = googlenet.MODULES["3a"]
    branches = (
        x.conv(three, 3, pad=1).relu(),
        x.conv(five, 5, pad=2).relu(),
        x.maxpool(3, pad=1),
    )
    return classified(x.conv(one, 1).relu().concat(*branches))


@network(192, 28, 28)
def inception_reduced(x: Tensor) -> Tensor:
    """Figure 2b: module 3a of GoogLeNet, with 1x1 reductions."""
    return classified(googlenet.inception(x, *googlenet.MODULES["3a"], name="3a"))


def residual(x: Tensor, block: Callable[..., Tensor], width: int) -> Tensor:
    """One residual block on images of 256 channels: two 3x3, or 1x1, 3x3, 1x1."""
    return classified(block(x, width, 1))


NETWORKS: dict[str, Network] = {
    "basic_block": network(256, 56, 56)(partial(residual, block=resnet.basic, width=256)),
    "bottleneck_block": network(256, 56, 56)(partial(residual, block=resnet.bottleneck, width=64)),
}

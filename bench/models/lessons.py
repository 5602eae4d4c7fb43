"""Pairs of small networks, each for one lesson: the same input, two ways to work on it.

    lesson            this                  or that                 weights of the layers
    small kernels     three 3x3             one 7x7                 27 C^2 against 49 C^2
    inception         naive (figure 2a)     reduced (figure 2b)     1,089,536 against 388,096
    bottleneck        two 3x3               1x1, 3x3, 1x1           18 C^2 against 17/16 C^2

A 1x1 convolution makes the channels, so that the layers in question are not the first: they
compute the gradient of their input, as in a real network. Small kernels: VGG's paper, section 2.3;
inception: module 3b of GoogLeNet; bottleneck: figure 5 of ResNet's."""

from bench.graph import Tensor, block, network
from bench.models.googlenet import MODULES, inception
from bench.models.resnet import basic, bottleneck

CLASSES = 10


def end(x: Tensor) -> Tensor:
    return x.global_avgpool().dense(CLASSES)


@network(3, 56, 56)
def stack3x3x3(x: Tensor) -> Tensor:
    """Three 3x3 convolutions of 64 channels: each output sees 7x7 inputs, through three ReLUs."""
    x = x.conv(64, 1).relu()
    for _ in range(3):
        x = x.conv(64, 3, pad=1, bias=False).relu()
    return end(x)


@network(3, 56, 56)
def conv7x7(x: Tensor) -> Tensor:
    """One 7x7 convolution of 64 channels: what three of 3x3 see, through one ReLU."""
    return end(x.conv(64, 1).relu().conv(64, 7, pad=3, bias=False).relu())


@block
def naive(x: Tensor, one: int, three: int, five: int) -> Tensor:
    """Figure 2a of GoogLeNet's paper: large kernels see all channels, the pool keeps them."""
    return x.conv(one, 1).relu().concat(
        x.conv(three, 3, pad=1).relu(), x.conv(five, 5, pad=2).relu(), x.maxpool(3, pad=1)
    )  # fmt: skip


@network(3, 28, 28)
def inception_naive(x: Tensor) -> Tensor:
    """Module 3b of GoogLeNet as it would be without reductions: 256 channels in, 672 out."""
    one, _, three, _, five, _ = MODULES["3b"]
    return end(naive(x.conv(256, 1).relu(), one, three, five))


@network(3, 28, 28)
def inception_reduced(x: Tensor) -> Tensor:
    """Module 3b of GoogLeNet: 256 channels in, 480 out."""
    return end(inception(x.conv(256, 1).relu(), *MODULES["3b"]))


@network(3, 28, 28)
def basic_block(x: Tensor) -> Tensor:
    """A basic residual block of 256 channels: two 3x3 at full width."""
    return end(basic(x.conv(256, 1).relu(), 256, stride=1))


@network(3, 28, 28)
def bottleneck_block(x: Tensor) -> Tensor:
    """A bottleneck block of 256 channels: the 3x3 works on 64 of them."""
    return end(bottleneck(x.conv(256, 1).relu(), 64, stride=1))

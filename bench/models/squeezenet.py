"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016,
table 1; 1.1 is the authors' later release, with 2.4 times fewer operations. Where their Caffe files
pool with ceil, a pad gives the same size."""

from bench.graph import Tensor, block, network

#      squeeze, expand to 1x1 and to 3x3 each      <- table 1
FIRES = {
    "fire2": (16, 64), "fire3": (16, 64), "fire4": (32, 128), "fire5": (32, 128),
    "fire6": (48, 192), "fire7": (48, 192), "fire8": (64, 256), "fire9": (64, 256),
}  # fmt: skip


@block
def fire(x: Tensor, squeeze: int, expand: int) -> Tensor:
    """Figure 1: 1x1 down, then 1x1 and 3x3 side by side."""
    x = x.conv(squeeze, 1).relu()
    return x.conv(expand, 1).relu().concat(x.conv(expand, 3, pad=1).relu())


def fires(x: Tensor, *numbers: int) -> Tensor:
    """Some of the fire modules, one after the other."""
    for number in numbers:
        x = fire(x, *FIRES[f"fire{number}"], name=str(number))
    return x


def classifier(x: Tensor) -> Tensor:
    """A 1x1 convolution to the classes, averaged over the image."""
    return x.dropout(0.5).conv(1000, 1).relu().global_avgpool()


@network(3, 224, 224)
def squeezenet1_0(x: Tensor) -> Tensor:
    """SqueezeNet 1.0 of the paper: 96 kernels of 7x7 at first, pooling behind fire 4 and 8."""
    x = x.conv(96, 7, stride=2).relu().maxpool(3, 2)
    x = fires(x, 2, 3, 4).maxpool(3, 2, pad=1)
    x = fires(x, 5, 6, 7, 8).maxpool(3, 2)
    return classifier(fires(x, 9))


@network(3, 224, 224)
def squeezenet1_1(x: Tensor) -> Tensor:
    """SqueezeNet 1.1: 64 kernels of 3x3 at first, and pooling sooner, behind fire 3 and 5."""
    x = x.conv(64, 3, stride=2).relu().maxpool(3, 2)
    x = fires(x, 2, 3).maxpool(3, 2)
    x = fires(x, 4, 5).maxpool(3, 2)
    return classifier(fires(x, 6, 7, 8, 9))

"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size", 2016, table 1; and the authors' version 1.1, published with their code."""

from bench.graph import Tensor, block, network

#        s1x1 e1x1 e3x3      <- the paper's table 1
FIRES = {
    "2": (16, 64, 64),
    "3": (16, 64, 64),
    "4": (32, 128, 128),
    "5": (32, 128, 128),
    "6": (48, 192, 192),
    "7": (48, 192, 192),
    "8": (64, 256, 256),
    "9": (64, 256, 256),
}


@block
def fire(x: Tensor, squeeze: int, one: int, three: int) -> Tensor:
    """Figure 1: few 1x1 filters, then 1x1 and 3x3 side by side."""
    x = x.conv(squeeze, 1).relu()
    return x.conv(one, 1).relu().concat(x.conv(three, 3, pad=1).relu())


def fires(x: Tensor, pools: tuple[str, ...], classes: int = 1000) -> Tensor:
    """All fire modules, a pool after each of `pools`, and a convolution for the classes."""
    for module, widths in FIRES.items():
        x = fire(x, *widths, name=module)
        if module in pools:
            x = x.maxpool(3, 2)
    return x.dropout(0.5).conv(classes, 1).relu().global_avgpool()


@network(3, 224, 224)
def squeezenet1_0(x: Tensor) -> Tensor:
    """SqueezeNet of the paper: 7x7 first, pools after conv1, fire4 and fire8. Pad 2 gives the sizes
    of its table, 111, 55, 27 and 13, which the authors' file has at 227x227 with pad 0;
    torchvision's has pad 0 at 224x224, and 109, 54, 27 and 13 with pools that round up."""
    return fires(x.conv(96, 7, stride=2, pad=2).relu().maxpool(3, 2), pools=("4", "8"))


@network(3, 224, 224)
def squeezenet1_1(x: Tensor) -> Tensor:
    """SqueezeNet 1.1: 64 filters of 3x3 first, pools after conv1, fire3 and fire5; the accuracy of
    1.0 for 2.4 times less work."""
    return fires(x.conv(64, 3, stride=2).relu().maxpool(3, 2), pools=("3", "5"))

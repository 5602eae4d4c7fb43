"""ShuffleNet: Zhang, Zhou, Lin, Sun, "ShuffleNet: an extremely efficient convolutional neural
network for mobile devices", 2017, table 1."""

from functools import partial

from bench.graph import Network, Tensor, block, network

#      stage 2, 3, 4      <- output channels by the number of groups, table 1
WIDTHS = {
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}
REPEATS = (4, 8, 4)  # units per stage, the first of stride 2
MEMBERS = {f"shufflenet_v1_g{groups}": groups for groups in WIDTHS}


def branch(x: Tensor, out: int, stride: int, groups: int, first: int) -> Tensor:
    """Grouped 1x1, shuffle, depthwise 3x3 without ReLU, grouped 1x1; a quarter as wide inside as
    the unit's output. The first 1x1 has `first` groups."""
    width, out = out // 4, out - (x.shape[0] if stride == 2 else 0)
    y = x.conv(width, 1, groups=first, bias=False).batchnorm().relu()
    if groups > 1:
        y = y.channel_shuffle(groups)
    y = y.conv(width, 3, stride, pad=1, groups=width, bias=False).batchnorm()
    return y.conv(out, 1, groups=groups, bias=False).batchnorm()


@block
def unit(x: Tensor, out: int, stride: int, groups: int, first: int) -> Tensor:
    """Figure 2b at stride 1: sum with the input; 2c at stride 2: beside the pooled input."""
    y = branch(x, out, stride, groups, first)
    shortcut = x.avgpool(3, 2, pad=1) if stride == 2 else x
    return (shortcut.concat(y) if stride == 2 else shortcut.add(y)).relu()


def shufflenet_v1(x: Tensor, groups: int, scale: float = 1.0, classes: int = 1000) -> Tensor:
    """ShuffleNet (v1) of the paper: the very first 1x1 of stage 2 is not grouped, for 24 channels
    are few. With one group there is nothing to shuffle. The paper's MACs are those of the
    convolutions alone, without the dense layer."""
    x = x.conv(24, 3, stride=2, pad=1, bias=False).batchnorm().relu().maxpool(3, 2, pad=1)
    for stage, (width, repeats) in enumerate(zip(WIDTHS[groups], REPEATS, strict=True)):
        for i in range(repeats):
            first = 1 if stage == i == 0 else groups
            x = unit(x, int(width * scale), 2 if i == 0 else 1, groups, first)
    return x.global_avgpool().dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, 224, 224)(partial(shufflenet_v1, groups=groups))
    for name, groups in MEMBERS.items()
}

"""ShuffleNet v1: Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for
mobile devices", 2017, table 1; width 1."""

from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, label

#  groups: channels of stages 2, 3 and 4      <- table 1
WIDTHS = {
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}
UNITS = (4, 8, 4)


@block
def unit(x: Tensor, out: int, groups: int, reduce_groups: int, stride: int) -> Tensor:
    """Figure 2: grouped 1x1 to a quarter of the width, shuffle, depthwise 3x3, grouped 1x1; added
    to the input, or with stride 2 beside its average (figure 2c)."""
    branch = out if stride == 1 else out - x.shape[0]
    y = conv_norm(x, out // 4, 1, groups=reduce_groups).relu()
    y = y.channel_shuffle(groups) if groups > 1 else y
    y = conv_norm(y, out // 4, 3, stride, groups=out // 4)
    y = conv_norm(y, branch, 1, groups=groups)
    return (x.add(y) if stride == 1 else x.avgpool(3, 2, pad=1).concat(y)).relu()


def shufflenet_v1(x: Tensor, groups: int) -> Tensor:
    """ShuffleNet v1 at width 1.0; the first 1x1 of stage 2 is not grouped, as its input is narrow
    (section 3.2)."""
    x = conv_norm(x, 24, 3, 2).relu().maxpool(3, 2, pad=1)
    for stage, (width, count) in enumerate(zip(WIDTHS[groups], UNITS, strict=True), 2):
        for i in range(count):
            first = stage == 2 and i == 0
            stride, name = 2 if i == 0 else 1, label(stage, i)
            x = unit(x, width, groups, 1 if first else groups, stride, name=name)
    return x.global_avgpool().dense(1000)


NETWORKS: dict[str, Network] = {
    f"shufflenet_v1_g{groups}": network(3, 224, 224)(partial(shufflenet_v1, groups=groups))
    for groups in WIDTHS
}

"""ShuffleNet v2: Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture
design", 2018, table 5, with torchvision's widths (2x: 244 in stage 2, where the paper's table has
the same)."""

from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, label

#  width: channels of stages 2, 3, 4 and of the last convolution      <- table 5
WIDTHS = {
    "x0_5": (48, 96, 192, 1024),
    "x1_0": (116, 232, 464, 1024),
    "x1_5": (176, 352, 704, 1024),
    "x2_0": (244, 488, 976, 2048),
}
UNITS = (4, 8, 4)


def branch(x: Tensor, out: int, stride: int) -> Tensor:
    """1x1, depthwise 3x3, 1x1."""
    y = conv_norm(x, out, 1).relu()
    return conv_norm(conv_norm(y, out, 3, stride, groups=out), out, 1).relu()


@block
def unit(x: Tensor, out: int) -> Tensor:
    """Figure 3c: half of the channels go through, half are worked on; then they are shuffled."""
    through, work = x.split(out // 2, out // 2)
    return through.concat(branch(work, out // 2, 1)).channel_shuffle(2)


@block
def reduction(x: Tensor, out: int) -> Tensor:
    """Figure 3d: stride 2 in two branches, which see all channels."""
    side = conv_norm(conv_norm(x, x.shape[0], 3, 2, groups=x.shape[0]), out // 2, 1).relu()
    return side.concat(branch(x, out // 2, 2)).channel_shuffle(2)


def shufflenet_v2(x: Tensor, widths: tuple[int, int, int, int]) -> Tensor:
    """ShuffleNet v2 with torchvision's widths."""
    x = conv_norm(x, 24, 3, 2).relu().maxpool(3, 2, pad=1)
    for stage, (width, count) in enumerate(zip(widths[:3], UNITS, strict=True), 2):
        x = reduction(x, width, name=label(stage, 0))
        for i in range(1, count):
            x = unit(x, width, name=label(stage, i))
    return conv_norm(x, widths[3], 1).relu().global_avgpool().dense(1000)


NETWORKS: dict[str, Network] = {
    f"shufflenet_v2_{name}": network(3, 224, 224)(partial(shufflenet_v2, widths=widths))
    for name, widths in WIDTHS.items()
}

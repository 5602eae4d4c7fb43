"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1."""

from functools import partial

from bench.graph import Network, Tensor, block, network

#              conv2 conv3 conv4 conv5      <- blocks per stage, table 1
BOTTLENECKS = {
    "resnet50": (3, 4, 6, 3),
}


def conv(x: Tensor, out: int, kernel: int, stride: int = 1) -> Tensor:
    """Convolution that keeps the size at stride 1, without a bias, and batch norm."""
    return x.conv(out, kernel, stride, pad=kernel // 2, bias=False).batchnorm()


@block
def bottleneck(x: Tensor, width: int, stride: int) -> Tensor:
    """1x1, 3x3, 1x1 with 4 times the width at the end (figure 5); the 3x3 has the stride (v1.5)."""
    out = conv(x, width, 1).relu()
    out = conv(out, width, 3, stride).relu()
    out = conv(out, 4 * width, 1)
    shortcut = x if x.shape == out.shape else conv(x, 4 * width, 1, stride)
    return out.add(shortcut).relu()


def resnet(x: Tensor, blocks: tuple[int, ...], classes: int = 1000) -> Tensor:
    """ResNet of bottlenecks, with projection shortcuts where the shape changes (option B)."""
    x = conv(x, 64, 7, 2).relu().maxpool(3, 2, pad=1)
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if i == 0 and stage > 0 else 1
            x = bottleneck(x, 64 * 2**stage, stride, name=f"{stage + 2}{chr(ord('a') + i)}")
    return x.global_avgpool().dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, 224, 224)(partial(resnet, blocks=blocks))
    for name, blocks in BOTTLENECKS.items()
}

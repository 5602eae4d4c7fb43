"""VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition",
2014, table 1: only 3x3 convolutions of stride 1 and pad 1, 2x2 max pooling, no LRN (the table's
A-LRN) and no 1x1 convolutions (C)."""

from functools import partial

from bench.graph import Network, Tensor, network

#                  conv3-64 128 256 512 512   <- layers per stage
CONFIGURATIONS = {
    "vgg11": (1, 1, 2, 2, 2),  # A
    "vgg13": (2, 2, 2, 2, 2),  # B
    "vgg16": (2, 2, 3, 3, 3),  # D
    "vgg19": (2, 2, 4, 4, 4),  # E
}
WIDTHS = (64, 128, 256, 512, 512)


def vgg(x: Tensor, layers: tuple[int, ...], classes: int = 1000) -> Tensor:
    """VGG: stages of 3x3 convolutions between 2x2 pools, then three dense layers."""
    for width, count in zip(WIDTHS, layers, strict=True):
        for _ in range(count):
            x = x.conv(width, 3, pad=1).relu()
        x = x.maxpool(2, 2)
    x = x.flatten().dense(4096).relu().dropout(0.5)
    x = x.dense(4096).relu().dropout(0.5)
    return x.dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, 224, 224)(partial(vgg, layers=layers))
    for name, layers in CONFIGURATIONS.items()
}

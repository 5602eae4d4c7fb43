"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
networks", 2012, section 3.5. The two GPUs of the paper are two groups in conv 2, 4 and 5.

The name is also given to the network of Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", 2014: one column, other widths, no LRN; here, `alexnet_owt`."""

from bench.graph import Tensor, block, network


@block
def norm(x: Tensor) -> Tensor:
    """Section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75; the paper's alpha multiplies the plain
    sum of squares, ours its mean over n, hence 5e-4."""
    return x.lrn(size=5, alpha=5e-4, beta=0.75, k=2.0)


@network(3, 227, 227)
def alexnet(x: Tensor) -> Tensor:
    """AlexNet of 2012: pooling before normalisation as in the document, grouped convolutions,
    dropout before the first two dense layers."""
    x = norm(x.conv(96, 11, stride=4).relu().maxpool(3, 2))
    x = norm(x.conv(256, 5, pad=2, groups=2).relu().maxpool(3, 2))
    x = x.conv(384, 3, pad=1).relu()
    x = x.conv(384, 3, pad=1, groups=2).relu()
    x = x.conv(256, 3, pad=1, groups=2).relu().maxpool(3, 2).flatten()
    x = x.dropout(0.5).dense(4096).relu()
    x = x.dropout(0.5).dense(4096).relu()
    return x.dense(1000)


@network(3, 224, 224)
def alexnet_owt(x: Tensor) -> Tensor:
    """AlexNet of "one weird trick", 2014, as torchvision has it under the name alexnet: no groups,
    no LRN, 64-192-384-256-256 channels, dropout before the first two dense layers."""
    x = x.conv(64, 11, stride=4, pad=2).relu().maxpool(3, 2)
    x = x.conv(192, 5, pad=2).relu().maxpool(3, 2)
    x = x.conv(384, 3, pad=1).relu().conv(256, 3, pad=1).relu()
    x = x.conv(256, 3, pad=1).relu().maxpool(3, 2).flatten()
    x = x.dropout(0.5).dense(4096).relu()
    x = x.dropout(0.5).dense(4096).relu()
    return x.dense(1000)

"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", 2014, table 1: no batch norm and a
real 5x5 branch. Where the paper's Caffe file pools with ceil, a pad gives the same size."""

from bench.graph import Tensor, block, network

#        1x1  3x3r  3x3  5x5r 5x5  pool      <- the paper's table 1
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


@block
def inception(
    x: Tensor, one: int, three_reduce: int, three: int, five_reduce: int, five: int, pool: int
) -> Tensor:
    """Figure 2b: four branches side by side, 1x1 reductions before the large kernels."""
    return x.conv(one, 1).relu().concat(
        x.conv(three_reduce, 1).relu().conv(three, 3, pad=1).relu(),
        x.conv(five_reduce, 1).relu().conv(five, 5, pad=2).relu(),
        x.maxpool(3, pad=1).conv(pool, 1).relu(),
    )  # fmt: skip


def norm(x: Tensor) -> Tensor:
    """The LRN of AlexNet as in the authors' Caffe file: alpha 1e-4 over 5 channels, k = 1."""
    return x.lrn(size=5, alpha=1e-4, beta=0.75, k=1.0)


@block
def head(x: Tensor) -> Tensor:
    """Section 5: a classifier on a middle layer, for training only."""
    x = x.avgpool(5, 3).conv(128, 1).relu().flatten()
    return x.dense(1024).relu().dropout(0.7).dense(1000)


def modules(x: Tensor, heads: tuple[str, ...] = ()) -> Tensor:
    """Table 1 from top to bottom, with auxiliary classifiers on the modules of `heads`."""
    x = norm(x.conv(64, 7, stride=2, pad=3).relu().maxpool(3, 2, pad=1))
    x = norm(x.conv(64, 1).relu().conv(192, 3, pad=1).relu()).maxpool(3, 2, pad=1)
    for module, widths in MODULES.items():
        x = inception(x, *widths, name=module)
        if module in heads:
            head(x, name=module).auxiliary(0.3)
        if module in ("3b", "4e"):
            x = x.maxpool(3, 2, pad=1)
    return x.global_avgpool().dropout(0.4).dense(1000)


@network(3, 224, 224)
def googlenet(x: Tensor) -> Tensor:
    """GoogLeNet of the paper, without the auxiliary classifiers: 22 layers with parameters."""
    return modules(x)


@network(3, 224, 224)
def googlenet_aux(x: Tensor) -> Tensor:
    """GoogLeNet of the paper with both auxiliary classifiers, on 4a and 4d: in training the loss is
    that of the logits plus 0.3 times each of theirs."""
    return modules(x, heads=("4a", "4d"))

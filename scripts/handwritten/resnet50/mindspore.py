"""ResNet-50 (v1.5) as MindSpore's documentation writes networks: nn.Cell, compiled by ms.jit."""

import mindspore as ms
from mindspore import nn, ops


def conv(inputs, outputs, kernel, stride=1, pad=0):
    return nn.Conv2d(inputs, outputs, kernel, stride, pad_mode="pad", padding=pad, has_bias=False)


class Bottleneck(nn.Cell):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.body = nn.SequentialCell(
            conv(inputs, width, 1), nn.BatchNorm2d(width), nn.ReLU(),
            conv(width, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU(),
            conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        self.shortcut = nn.Identity()
        if inputs != 4 * width or stride != 1:
            project = conv(inputs, 4 * width, 1, stride)
            self.shortcut = nn.SequentialCell(project, nn.BatchNorm2d(4 * width))
        self.relu = nn.ReLU()

    def construct(self, x):
        return self.relu(self.body(x) + self.shortcut(x))


class ResNet50(nn.Cell):
    def __init__(self):
        super().__init__()
        blocks, inputs = [], 64
        for stage, count in enumerate((3, 4, 6, 3)):
            for index in range(count):
                blocks.append(Bottleneck(inputs, 64 << stage, 2 if stage and not index else 1))
                inputs = 4 * (64 << stage)
        self.stem = nn.SequentialCell(
            conv(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, pad_mode="pad", padding=1),
        )  # fmt: skip
        self.blocks = nn.SequentialCell(*blocks)
        self.dense = nn.Dense(inputs, 1000)

    def construct(self, x):
        return self.dense(ops.mean(self.blocks(self.stem(x)), (2, 3)))


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    model = ResNet50()
    x, y = ms.Tensor(x), ms.Tensor(y.astype("int32"))
    loss, trained = nn.WithLossCell(model, nn.CrossEntropyLoss()), model.trainable_params()
    gradient = ms.jit(ms.value_and_grad(loss, None, trained))

    @ms.jit
    def infer(x):
        return model(x)

    def prepare(phase):
        model.set_train(phase != "inference")
        return {"inference": lambda: infer(x), "train": lambda: gradient(x, y)}[phase]

    return prepare, sum(p.size for p in trained)

"""PaddlePaddle's own ResNet-50 (v1.5), paddle.vision.models.resnet50, called eagerly."""

import paddle
from paddle.vision.models import resnet50


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    model, loss = resnet50(), paddle.nn.CrossEntropyLoss()
    x, y = paddle.to_tensor(x), paddle.to_tensor(y)
    trained = [p for p in model.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Momentum(1e-4, 0.9, trained)

    def inference():
        with paddle.no_grad():
            return model(x)

    def train():
        optimizer.clear_grad()
        value = loss(model(x), y)
        value.backward()
        return value

    def prepare(phase):
        (model.eval if phase == "inference" else model.train)()
        return {"inference": inference, "train": train}[phase]

    return prepare, sum(p.size for p in trained)

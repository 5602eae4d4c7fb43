"""ResNet-50 (v1.5) in cntk.layers, as CNTK's own examples write residual networks."""

import cntk as C
import numpy

L = C.layers


def normal(x, width, kernel, stride=1, pad=False):
    x = L.Convolution(kernel, width, strides=stride, pad=pad, bias=False, init=C.he_normal())(x)
    return L.BatchNormalization(map_rank=1, normalization_time_constant=4096)(x)


def bottleneck(x, width, stride, project):
    y = C.relu(normal(x, width, (1, 1)))
    y = C.relu(normal(y, width, (3, 3), stride, True))
    y = normal(y, 4 * width, (1, 1))
    return C.relu(y + (normal(x, 4 * width, (1, 1), stride) if project else x))


def resnet50(x):
    x = C.relu(normal(x, 64, (7, 7), 2, True))
    x = L.MaxPooling((3, 3), 2, pad=True)(x)
    for stage, count in enumerate((3, 4, 6, 3)):
        for index in range(count):
            x = bottleneck(x, 64 << stage, 2 if stage and not index else 1, not index)
    return L.Dense(1000)(L.GlobalAveragePooling()(x))


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    image, label = C.input_variable(x.shape[1:]), C.input_variable(1000)
    logits = resnet50(image)
    loss = C.reduce_mean(C.cross_entropy_with_softmax(logits, label), C.Axis.all_axes())
    batch = {image: C.Value(x), label: C.Value(numpy.eye(1000, dtype="float32")[y])}

    def inference():
        return logits.eval({image: batch[image]}, as_numpy=False)

    def train():
        return loss.grad(batch, list(logits.parameters), as_numpy=False)

    def prepare(phase):
        return {"inference": inference, "train": train}[phase]

    return prepare, sum(p.value.size for p in logits.parameters)

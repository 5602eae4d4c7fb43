"""Caffe2's own ResNet-50, caffe2.python.models.resnet, on its IDEEP device as its users ran it:
convolutions in training mode, and global pooling as a window of the whole image."""

import numpy
from caffe2.proto import caffe2_pb2
from caffe2.python import brew, core, model_helper, workspace
from caffe2.python.models import resnet

IDEEP = core.DeviceOption(caffe2_pb2.IDEEP)
HOST = core.DeviceOption(caffe2_pb2.CPU)
conv, average_pool = brew.conv, brew.average_pool


def describe(training):
    """A model of the network; its module calls brew, which IDEEP wants called otherwise."""
    options = {"training_mode": 1} if training else {}
    resnet.brew.conv = lambda *a, **k: conv(*a, **dict(k, **options))
    resnet.brew.average_pool = lambda m, x, y, global_pooling=None, **k: average_pool(m, x, y, **k)
    model = model_helper.ModelHelper(f"hand_{training:d}", True, training, {"order": "NCHW"})
    with core.DeviceScope(IDEEP):
        if training:
            _, loss = resnet.create_resnet50(model, "data", 3, 1000, label="label", no_bias=1)
            model.AddGradientOperators([loss])
        else:
            options = {"is_test": True, "no_loss": True, "no_bias": 1}
            resnet.create_resnet50(model, "data", 3, 1000, **options)
    resnet.brew.conv, resnet.brew.average_pool = conv, average_pool
    return model


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    models = {"train": describe(True), "inference": describe(False)}
    ours = workspace.CurrentWorkspace()
    workspace.SwitchWorkspace("handwritten", True)  # the blobs have the same names
    workspace.FeedBlob("data", x, IDEEP)
    workspace.FeedBlob("label", y.astype(numpy.int32), HOST)
    workspace.RunNetOnce(models["train"].param_init_net)
    trained = [str(p) for p in models["train"].GetParams()]
    count = sum(workspace.FetchBlob(name).size for name in trained)
    workspace.SwitchWorkspace(ours)

    def run(net):
        workspace.SwitchWorkspace("handwritten")
        workspace.RunNet(net)
        workspace.SwitchWorkspace(ours)

    def prepare(phase):
        net = models[phase].net
        workspace.SwitchWorkspace("handwritten")
        workspace.CreateNet(net, overwrite=True)
        workspace.SwitchWorkspace(ours)
        return lambda: run(net)

    return prepare, count

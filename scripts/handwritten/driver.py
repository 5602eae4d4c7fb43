"""Runs in a framework's environment: our adapter and the handwritten network, in one process,
alternating. Prints one JSON line: the seconds of each step, by contender and round.

    python -s driver.py REQUEST.json
"""

import importlib.util
import json
import os
import random
import sys
import time

sys.path.pop(0)  # this folder has a torch.py of its own
HERE = os.path.dirname(os.path.abspath(__file__))
IMPLS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "impls")


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    with open(path) as text:
        return json.load(text)


def main(request):
    os.sched_setaffinity(0, request["cpus"])
    import numpy

    load("convmark", os.path.join(IMPLS, "adapter.py"))
    phase, threads = request["phase"], request["threads"]
    ours, theirs = load("ours", request["adapter"]), load("theirs", request["handwritten"])
    x, y = (numpy.load(request["inputs"])[key] for key in "xy")
    adapter = ours.Adapter(request["mode"], "cpu", "fp32", threads)
    adapter.build(read(request["graph"]), dict(numpy.load(request["weights"])))
    prepare, parameters = theirs.steps(x, y, threads)
    assert parameters == sum(a.size for a in adapter.parameters().values()), parameters
    contenders = {"ours": adapter.step(phase, x, y), "handwritten": prepare(phase)}
    samples = {key: [] for key in contenders}
    for index in range(-request["warmup"], request["rounds"]):
        for key in random.sample(sorted(contenders), 2):
            start = time.perf_counter()
            adapter.wait(contenders[key]())
            if index >= 0:
                samples[key].append(time.perf_counter() - start)
    print(json.dumps(samples))


main(read(sys.argv[1]))

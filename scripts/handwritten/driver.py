"""Runs in a framework's environment: our worker with its adapter; the adapter's step in a bare
loop; and, where there is one, the handwritten network in that loop; in one process, alternating in
blocks. Prints one JSON line: the seconds of a step, by contender, block and sample.

    python -s driver.py REQUEST.json
"""

import importlib.util
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IMPLS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "impls")


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bare(step, wait, repeats, seconds):
    """Samples of a loop that a user would write: so many steps, the wait, the clock."""
    samples, begin = [], time.perf_counter()
    wait(step())
    while not samples or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(repeats):
            result = step()
        wait(result)
        samples.append((time.perf_counter() - start) / repeats)
    return samples


def main(request):
    os.sched_setaffinity(0, request["cpus"])

    serving = load("serving", os.path.join(IMPLS, "worker.py"))  # what it prints goes to the log
    phase, seconds = request["phase"], request["block"]
    worker = serving.Worker(request["adapter"])
    worker.hello(request["mode"], "cpu", "fp32", request["threads"])
    worker.build(request["graph"], request["weights"])
    asked = {"inputs": request["inputs"], "seconds": request["warmup"], "shortest": 0.001}
    repeats = worker.warmup(phase, **asked)["repeats"]
    step, wait = worker.steps[phase][0], worker.adapter.wait
    contenders = {
        "ours": lambda: worker.measure(phase, seconds, 1000)["samples"],
        "bare": lambda: bare(step, wait, repeats, seconds),
    }
    if request["handwritten"]:
        x, y = (serving.read_arrays(request["inputs"])[key] for key in "xy")
        prepare, count = load("theirs", request["handwritten"]).steps(x, y, request["threads"])
        assert count == sum(a.size for a in worker.adapter.parameters().values()), count
        theirs = prepare(phase)
        contenders["handwritten"] = lambda: bare(theirs, wait, repeats, seconds)
        contenders["handwritten"]()  # warm, too
    samples = {key: [] for key in contenders}
    for _ in range(request["rounds"]):
        for key in random.sample(sorted(contenders), len(contenders)):
            samples[key].append(contenders[key]())
    serving.CHANNEL.write(json.dumps(samples) + "\n")
    serving.CHANNEL.flush()


with open(sys.argv[1]) as text:
    main(json.load(text))

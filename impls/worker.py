# Python 3.6 syntax, standard library and numpy only.
"""Serves one framework to the harness: JSON lines on the original standard input and output.

    python -s worker.py <framework>/adapter.py

A request is {"verb": ..., ...}; its reply is {"value": ...} or {"error": {"kind", "message",
"traceback"}}. Arrays travel as paths of files: see `read_arrays`. File descriptor 1 is pointed at
2, and 0 at nothing, before anything else is imported: no print of Python or C++ can corrupt the
channel.
The worker holds the one stopwatch: a timed region is steps and the wait, nothing else.
"""

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import sys
import time
import traceback

REQUESTS, CHANNEL = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # no child may read a request
os.dup2(2, 1)
sys.stdout = sys.stderr
HERE = os.path.dirname(os.path.abspath(__file__))
# a folder called impls/torch must not shadow the real one
OURS = (HERE, os.path.dirname(HERE))
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") not in OURS]

LEVEL = 0.05  # warm-up ends when two groups of samples agree within this
GROUP = 4  # samples in such a group
STEPS = 100  # between two readings of memory, at most
DEEPEST = 50000  # calls: Theano and Keras 2 call themselves from layer to layer


def set_affinity():
    """Bind to the processors that the harness gave, before any library counts them."""
    cpus = os.environ.get("CONVMARK_CPUS", "")
    if cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [int(c) for c in cpus.split(",")])


def die_with_parent():
    """Let Linux end us when the harness is killed, so that nothing disturbs the next run."""
    try:
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    except (OSError, AttributeError):
        pass


def load(name, path):
    """The module in the file `path`, known as `name`."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def write_arrays(path, arrays):
    """Arrays by name: an array of the names, then each of theirs."""
    import numpy

    with open(path, "wb") as out:
        numpy.save(out, numpy.array(list(arrays), dtype=str), allow_pickle=False)
        for array in arrays.values():
            numpy.save(out, array, allow_pickle=False)


def read_arrays(path):
    """What `write_arrays` wrote."""
    import numpy

    with open(path, "rb") as source:
        names = numpy.load(source, allow_pickle=False).tolist()
        return {name: numpy.load(source, allow_pickle=False) for name in names}


FIELDS = {
    "resident": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon", "file": "RssFile",
    "shared": "RssShmem",
}  # fmt: skip


def resident():
    """Memory of this process in bytes (proc(5), status); {} where there is no /proc."""
    try:
        with open("/proc/self/status") as lines:
            found = dict(line.split(":", 1) for line in lines)
    except IOError:
        return {}
    return {k: int(found[v].split()[0]) * 1024 for k, v in FIELDS.items() if v in found}


@contextlib.contextmanager
def uncollected():
    """Without Python's search for garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def freeze():
    """Leave all objects so far out of the search for garbage: to look through those of a framework
    takes a tenth of a second, as long as a block."""
    gc.collect()
    spare()


def spare():
    """Leave them out unsearched."""
    if hasattr(gc, "freeze"):  # Python 3.7
        gc.freeze()


def thaw():
    """Search everything again."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()


def settled():
    """Memory in use, after the C library gave back what it only keeps for later."""
    thaw()
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        pass  # another C library than glibc
    return resident()


def reset_peak():
    """Let VmHWM start again from the memory in use now (Linux, proc(5), clear_refs 5)."""
    try:
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
        return True
    except IOError:
        return False


class Worker(object):
    def __init__(self, path):
        self.path = path
        self.adapter = None
        self.steps = {}  # by phase: the step, and how many of them make a sample
        self.compiled = set()  # phases that were read since the network was built

    def hello(self, mode, device, precision, threads):
        """Import the framework; seconds of that import, and who we are."""
        import numpy  # noqa: F401  its import is not the framework's

        load("convmark", os.path.join(HERE, "adapter.py"))
        start = time.perf_counter()
        module = load("convmark_" + os.path.basename(os.path.dirname(self.path)), self.path)
        self.adapter = module.Adapter(mode, device, precision, threads)
        seconds = time.perf_counter() - start
        return {
            "framework": module.NAME, "mode": mode, "import_seconds": seconds, "pid": os.getpid(),
            "python": sys.version.split()[0], "versions": dict(self.adapter.versions()),
            "rss": resident().get("resident"),
        }  # fmt: skip

    def build(self, graph, weights):
        """Build a network from files; seconds that the adapter took."""
        with open(graph) as text:
            graph = json.load(text)
        weights = read_arrays(weights)
        self.steps, self.compiled = {}, set()
        thaw()  # the last network may be garbage
        freeze()  # else each search while this one is built and compiled looks through all others
        sys.setrecursionlimit(DEEPEST)
        start = time.perf_counter()
        self.adapter.build(graph, weights)
        return {"build_seconds": time.perf_counter() - start}

    def source(self):
        return {"source": self.adapter.source()}

    def parameters(self, out=None):
        """How many parameters the native network has; save them where that is asked."""
        arrays = self.adapter.parameters()
        if out:
            write_arrays(out, arrays)
        return {"parameters": int(sum(a.size for a in arrays.values()))}

    def logits(self, inputs, out):
        """Save what the function that is timed as `inference` gives."""
        x, y = self.arrays(inputs)
        found = self.read("inference", x, y, lambda: self.adapter.logits(x))
        write_arrays(out, {"logits": found})
        return {}

    def loss(self, inputs, calls=1):
        """The loss that the function that is timed as `forward` gives in the last of some calls."""
        x, y = self.arrays(inputs)
        found = self.read("forward", x, y, lambda: self.adapter.loss(x, y), calls)
        return {"loss": float(found)}

    def gradients(self, inputs, out, calls=1):
        """Save the gradients that the function that is timed as `train` gives in the last of some
        calls; the loss."""
        x, y = self.arrays(inputs)
        loss, gradients = self.read("train", x, y, lambda: self.adapter.gradients(x, y), calls)
        write_arrays(out, gradients)
        return {"loss": float(loss)}

    def read(self, phase, x, y, method, calls=1):
        """What a method of the adapter makes of the last call of the function that is timed: it
        finds that call's result in place of `step`."""
        with uncollected():  # the search takes a quarter of the time that Theano compiles
            step = self.adapter.step(phase, x, y)
            for _ in range(calls):
                result = step()
            if phase not in self.compiled:
                spare()  # the search when the next network is built finds what compiling left
                self.compiled.add(phase)
        self.adapter.wait(result)
        if phase == "train" and self.adapter.rerun:
            return method()
        return self.reading(phase, result, method)

    def reading(self, phase, result, method):
        """What a method of the adapter makes of a result."""
        asked = []
        self.adapter.step = lambda name, *_: asked.append(name) or (lambda: result)
        try:
            found = method()
        finally:
            del self.adapter.step
        if asked != [phase]:
            raise TypeError("what is compared must be what is timed: read step(%r, x, y)()" % phase)
        return found

    def late(self, phase, inputs, least, most, seconds):
        """Whether work goes on after the wait: seconds of a step and its wait, and until its result
        is read, at once and after a rest in which what is left over would be done. The middle of
        at least `least` calls each, up to `most` within `seconds`; nothing where what is read is
        another function's."""
        if phase == "train" and self.adapter.rerun:
            return {}
        x, y = self.arrays(inputs)
        step = self.steps[phase][0]
        method = self.adapter.logits if phase == "inference" else self.adapter.gradients
        given = (x,) if phase == "inference" else (x, y)
        taken, at_once, rested, rest = [], [], [], 0.0
        begin = time.perf_counter()
        for index in range(-1, most):
            if index >= least and time.perf_counter() - begin > seconds:
                break
            for found, pause in ((at_once, 0.0), (rested, rest)):
                taken.append(-time.perf_counter())
                result = step()
                self.adapter.wait(result)
                taken[-1] += time.perf_counter()
                time.sleep(pause)
                start = time.perf_counter()
                self.reading(phase, result, lambda: method(*given))
                found.append(time.perf_counter() - start)
            if index < 0:  # reading at once waits for what is left over: it tells how long to rest
                rest = 2 * max(at_once)
                del at_once[:], rested[:], taken[:]
        return {"taken": middle(taken), "at_once": middle(at_once), "rested": middle(rested)}

    def update(self, inputs, steps):
        """Do whole training steps, to be followed by `parameters`."""
        step = self.adapter.step("step", *self.arrays(inputs))
        for _ in range(steps):
            self.adapter.wait(step())
        return {}

    def overwrite(self, inputs, steps):
        """The same, with the host's arrays overwritten after the first step: the others should not
        see it."""
        x, y = self.arrays(inputs)
        step = self.adapter.step("step", x, y)
        for _ in range(steps):
            self.adapter.wait(step())
            x[...], y[...] = 0, 0
        return {}

    def losses(self, inputs):
        """Train on one batch after the other; the loss before each step."""
        found = []
        for x, y in zip(*self.arrays(inputs)):
            found.append(float(self.adapter.gradients(x, y)[0]))
            self.adapter.wait(self.adapter.step("step", x, y)())
        return {"losses": found}

    def train(self, inputs):
        """Train on one batch after the other."""
        for x, y in zip(*self.arrays(inputs)):
            self.adapter.wait(self.adapter.step("step", x, y)())
        return {}

    def warmup(self, phase, inputs, seconds, shortest):
        """Prepare a phase and run it until its samples are level, or for `seconds` (at least once);
        then find how many steps make a sample of `shortest` seconds.

        Level: the medians of the last two groups differ by less than LEVEL."""
        step = self.adapter.step(phase, *self.arrays(inputs))
        first = self.sample(step, 1)
        samples, level = [], False
        start = time.perf_counter()
        while time.perf_counter() - start < seconds and not level:
            samples.append(self.sample(step, 1))
            level = is_level(samples)
        spent = time.perf_counter() - start
        typical = middle(samples[-2 * GROUP :] or [first])
        repeats = int(max(1, -(-shortest // typical)))
        self.steps[phase] = (step, repeats)
        freeze()
        return {
            "first_call": first, "samples": samples, "level": level, "seconds": spent,
            "typical": typical, "repeats": repeats,
        }  # fmt: skip

    def measure(self, phase, seconds, samples):
        """A block of samples of a prepared phase: at least one, at most `samples`, for about
        `seconds`. Where there is time for several, one goes before them, apart: caches are those
        of whoever ran before."""
        step, repeats = self.steps[phase]
        settle, results = None, []
        gc.collect()
        with uncollected():
            begin = time.perf_counter()
            if samples > 1:
                settle = self.sample(step, repeats)
            cpu, start = time.process_time(), time.perf_counter()
            while not results or (len(results) < samples and time.perf_counter() - begin < seconds):
                results.append(self.sample(step, repeats))
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {
            "repeats": repeats, "settle": settle, "samples": results, "wall": wall, "cpu": cpu,
        }  # fmt: skip

    def settle(self, phase, inputs):
        """Take two steps of a trivial network; the memory that everything takes without a real one,
        and the device allocator's figures."""
        step = self.adapter.step(phase, *self.arrays(inputs))
        for _ in range(2):
            self.adapter.wait(step())
        del step
        return {"settled": settled(), "allocator": self.adapter.memory()}

    def memory(self, phase, inputs, least, most, seconds, batch=None):
        """Memory as built, over the first step (which compiles) and over the steps after it: at
        least `least` readings, and up to `most` within `seconds`, with `each` steps before each, so
        many as spread them over that time. Bytes; `after` is a list, of each reading.

        `batch` repeats the images up to so many."""
        built = settled()
        step = self.adapter.step(phase, *self.arrays(inputs, batch))
        settled()
        reset_peak()
        self.adapter.wait(step())
        first = resident()
        settled()
        reset, ready, after, allocated = reset_peak(), resident(), [], []
        start = time.perf_counter()
        self.adapter.wait(step())
        each = max(1, min(STEPS, int(seconds / most / (time.perf_counter() - start))))
        while len(after) < least or (len(after) < most and time.perf_counter() - start < seconds):
            for _ in range(each):
                self.adapter.wait(step())
            gc.collect()  # what Python would collect at some later step is no leak
            after.append(resident().get("anonymous"))
            allocated.append(self.adapter.memory())
        return {
            "built": built, "first": first, "ready": ready, "last": resident(), "reset": reset,
            "after": after, "each": each, "allocated": allocated, "allocator": allocated[-1],
        }  # fmt: skip

    def sample(self, step, repeats):
        """Seconds per step, over `repeats` steps."""
        wait, clock = self.adapter.wait, time.perf_counter
        start = clock()
        for _ in range(repeats):
            result = step()
        wait(result)
        return (clock() - start) / repeats

    def arrays(self, path, batch=None):
        """Images and labels of a file; as many as `batch`, repeated if there are not so many."""
        import numpy

        found = read_arrays(path)
        x, y = found["x"], found["y"]
        if batch is None:
            return x, y
        return numpy.resize(x, (batch, *x.shape[1:])), numpy.resize(y, batch)

    def answer(self, request):
        """The reply to a request; every failure is a field of it."""
        verb = request.pop("verb")
        try:
            return {"value": getattr(self, verb)(**request)}
        except MemoryError:
            return failure("out_of_memory")
        except Exception as error:
            return failure(kind_of(error))


def is_level(samples):
    if len(samples) < 2 * GROUP:
        return False
    late, early = middle(samples[-GROUP:]), middle(samples[-2 * GROUP : -GROUP])
    return abs(late - early) <= LEVEL * early


def middle(samples):
    """One of them: no average that a single slow one moves."""
    return sorted(samples)[len(samples) // 2]


def kind_of(error):
    """`unsupported`, `out_of_memory` or `error`; frameworks word lack of memory differently."""
    if type(error).__name__ == "Unsupported":
        return "unsupported"
    text = (type(error).__name__ + " " + str(error)).lower()
    signs = ("out of memory", "outofmemory", "resource_exhausted", "bad_alloc", "cudaerrormemory")
    return "out_of_memory" if any(sign in text for sign in signs) else "error"


def failure(kind):
    error = sys.exc_info()[1]
    message = str(error) or type(error).__name__
    return {"error": {"kind": kind, "message": message, "traceback": traceback.format_exc()}}


def main(path):
    die_with_parent()
    set_affinity()
    worker = Worker(os.path.abspath(path))
    for line in iter(REQUESTS.readline, ""):
        request = json.loads(line)
        if request["verb"] == "exit":
            break
        CHANNEL.write(json.dumps(worker.answer(request)) + "\n")
        CHANNEL.flush()
    os._exit(0)  # frameworks' own shutdown is slow and can crash; nothing is left to save


if __name__ == "__main__":
    main(sys.argv[1])

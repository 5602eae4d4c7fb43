# Python 3.6 syntax, standard library and numpy only: real frameworks' interpreters read it too.
"""Mistakes to plant into a correct framework: does the gate see them? See scripts/mutations.py.

A mistake is a function; its docstring says what the author of the adapter got wrong, its place what
it is given and what it changes:

    graph       (graph)                     the network's JSON, changed in place
    weights     (graph, weights)            the arrays by name, changed in place
    inputs      (x)                         gives other pictures
    operators   (patch)                     patch(table or module, name, other function); toy only
    logits      (logits)                    gives other logits
    gradients   (adapter, loss, found, y)   gives another loss and other gradients
    parameters  (adapter, found)            gives other parameters
    optimiser   (w, g, v, momentum, rate)   gives a parameter and its velocity; toy only
    step        (adapter, phase, x, y)      gives the function that is timed

`kinds` are the operators that it concerns: networks without them need not be asked. A mistake that
no comparison can see is `same`, with the reason. One that makes another program, which the gate
does not run or compare, is `blind`, with the reason: a known hole.
"""

import collections
import importlib

MODULES = ("graph", "weights", "operators", "results", "optimiser")

Mistake = collections.namedtuple("Mistake", "name place what kinds same blind plant")
MISTAKES = collections.OrderedDict()


def mistake(place, *kinds, **reasons):
    """Register a function as a mistake at a place."""

    def register(plant):
        what = " ".join(plant.__doc__.split())
        same, blind = reasons.get("same", ""), reasons.get("blind", "")
        assert plant.__name__ not in MISTAKES, plant.__name__
        MISTAKES[plant.__name__] = Mistake(plant.__name__, place, what, kinds, same, blind, plant)
        return plant

    return register


def load(toy=True):
    """Every mistake by name; those in operators and optimiser need the referee's own code."""
    for name in MODULES:
        if toy or name not in ("operators", "optimiser"):
            importlib.import_module("tests.mistakes." + name)
    return MISTAKES

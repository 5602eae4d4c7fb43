"""CI runs a part of all checks on real frameworks: it leaves out no operator and no framework."""

from __future__ import annotations

from bench import chance, conformance, frameworks, models
from bench.graph import Graph
from bench.ops import OPS
from tests.test_real import PAIRS, SLICE, SMALL, TRAINED, is_default

NETWORKS = [models.load(name) for name in SLICE]
CASES = conformance.cases() + [chance.case(name) for name in chance.CASES]


def kinds(graphs: list[Graph]) -> set[str]:
    return {node.op.kind for graph in graphs for node in graph.nodes}


def test_every_operator_has_a_case_and_is_in_a_network_of_the_slice() -> None:
    assert kinds(CASES) == set(OPS)
    assert kinds([*NETWORKS, *CASES]) == set(OPS)
    # what no network of the slice has, some case has: nothing else may join these
    assert set(OPS) - kinds(NETWORKS) == {"relu6", "sigmoid", "stochasticdepth", "swish"}
    assert any(graph.auxiliary for graph in NETWORKS)


def joints(graph: Graph) -> set[tuple[str, str]]:
    """Which kind of operator feeds which."""
    kinds = {node.name: node.op.kind for node in graph.nodes}
    return {(kinds.get(i, ""), node.op.kind) for node in graph.nodes for i in node.inputs}


def test_whichever_operator_feeds_which_in_a_network_does_so_in_the_slice() -> None:
    """CNTK could not add what came from a pooling, and only networks outside the slice do."""
    seen = set().union(*map(joints, [*NETWORKS, *CASES]))
    for name in models.discover():
        assert joints(models.load(name)) - seen == set(), name


def test_every_framework_is_in_it_in_every_mode() -> None:
    known = frameworks.discover()
    assert {(c.framework, c.mode) for c in PAIRS} == {
        (name, mode) for name, framework in known.items() for mode in framework.modes
    }
    assert {c.framework for c in PAIRS if is_default(c)} == set(known)
    assert {c.framework for c in TRAINED} == set(known)
    assert SMALL in SLICE

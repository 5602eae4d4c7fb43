"""A parity failure names the first wrong node; a network is checked on smaller images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Lock
from types import SimpleNamespace

import psutil
import pytest

from bench import client, gate, locate, models, subjects
from bench.cases import Contender
from bench.client import Failure, Worker
from bench.entrants import Entrant
from bench.graph import Tensor, build
from bench.parity import Checker, Expected, Referee, Verdict
from bench.subjects import MOST, Subject, portions, room
from tests.conftest import fake, fakes, mistaken
from tests.test_parity import network, silent

#          mistake: the node and a piece of what is said of it
CULPRITS = {
    "padding": ("conv1", "pad=[1, 1]"),
    "pooling_stride": ("maxpool1", "stride=[2, 2]"),
    "epsilon": ("batchnorm1", "eps=1e-05"),
    "lrn_alpha": ("lrn1", "alpha=0.01"),
    "relu": ("relu1", "relu()"),
    "concat_order": ("concat1", "(16, 6, 7), (3, 6, 7)"),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    with mistaken(tmp_path_factory.mktemp("wrong")) as checker:
        yield checker


@pytest.mark.parametrize("mistake", CULPRITS)
def test_the_first_wrong_node_is_named_in_both_phases(wrong: Checker, mistake: str) -> None:
    node, detail = CULPRITS[mistake]
    for verdict in wrong.check(Referee(network(mistake))):
        assert f"the first wrong node is {node}, " in verdict.reason
        assert detail in verdict.reason
        assert " is off by " in verdict.reason


def test_what_all_prefixes_share_is_named_too(wrong: Checker) -> None:
    verdicts = wrong.check(Referee(network("gradient_not_divided")))
    assert "what all prefixes share" in verdicts[1].reason


def twice_pooled(x: Tensor) -> Tensor:
    """Windows that overlap give the next pooling equal maxima."""
    return x.conv(4, 3).maxpool(2, 1).maxpool(2, 2).lrn(3, 0.1, 0.75, 1.0).flatten().dense(3)


def test_a_gradient_to_each_of_equal_maxima_is_not_named_where_it_is_declared(
    tmp_path: Path,
) -> None:
    referee = Referee(build(twice_pooled, "lrn_alpha", (2, 9, 9)))
    with mistaken(tmp_path, "every_maximum", "each has the gradient") as checker:
        reasons = [verdict.reason for verdict in checker.check(referee)]
    assert ["the first wrong node is lrn1, " in reason for reason in reasons] == [True, True]


def test_every_prefix_is_a_network_that_computes_its_node() -> None:
    graph = models.load("googlenet")
    for index in range(0, len(graph.nodes), 17):
        part = locate.prefix(graph, index)
        names = [node.name for node in part.nodes]
        assert graph.nodes[index].name in names
        assert all(i in ("input", *names) for node in part.nodes for i in node.inputs)
        assert part.classes == locate.CLASSES


def test_bisection_finds_the_node_and_asks_few_times() -> None:
    graph = models.load("resnet50")
    asked = []

    def check(part: object) -> str:
        names = [node.name for node in part.nodes]  # type: ignore[attr-defined]
        asked.append(len(names))
        return "off" if "bottleneck_3b.conv2" in names else ""

    assert "is bottleneck_3b.conv2, conv(out=128" in locate.first_wrong(graph, check)
    assert len(asked) <= 10


# -- smaller images -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet50", (3, 96, 96)),
        ("vgg16", (3, 224, 224)),
        ("lenet5", (1, 32, 32)),
        ("googlenet", (3, 160, 160)),  # its 5x5 windows would be larger than the last images
        ("efficientnet_b7", (3, 152, 152)),
        ("mixnet_s", (3, 224, 224)),  # a window of 9x9 on images of 7x7 in the paper, too
    ],
)
def test_networks_are_checked_small_where_their_weights_do_not_depend_on_it(
    name: str, size: tuple[int, ...]
) -> None:
    graph = models.load(name)
    small = graph.for_checks()
    assert small.input == size
    assert small.params == graph.params
    assert [n.op for n in small.nodes] == [n.op for n in graph.nodes]


def test_a_smaller_network_is_that_which_would_be_built() -> None:
    def convolutional(x: Tensor) -> Tensor:
        return x.conv(4, 3, 2, pad=1).maxpool(3, 2).channels(1, 4).global_avgpool().dense(3)

    graph = build(convolutional, shape=(3, 301, 224))
    assert graph.for_checks() == build(convolutional, shape=(3, 109, 96))


def test_sizes_stay_even_or_odd_through_five_halvings() -> None:
    for size in range(128, 700):
        small = build(lambda x: x.flatten(), "f", (1, size, size)).resized(96 + size % 32, 96).input
        assert (size - small[1]) % 32 == 0


def test_a_verdict_says_the_size_and_full_size_is_full(tmp_path: Path) -> None:
    graph = build(lambda x: x.conv(4, 3, 2).global_avgpool().dense(3), "net", (3, 150, 130))
    toy = Contender("toy", "plain")
    judge = gate.Gate(fakes(toy), "cpu", 1, tmp_path)
    full = replace(judge, full_size=True)
    assert {v.image for v in judge.check([toy], [graph], silent)} == {"3x118x98"}
    assert {v.image for v in full.check([toy], [graph], silent)} == {"3x150x130"}


# -- several at a time ----------------------------------------------------------------------------


def test_contenders_are_checked_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, lock = Barrier(2, timeout=60), Lock()
    met: list[Contender] = []

    def verdicts(self: gate.Gate, contender: Contender, subject: Subject) -> list[list[Verdict]]:
        both.wait()  # passes only if the two run at once
        with lock:
            met.append(contender)
        return [[]]

    monkeypatch.setattr(gate.Gate, "verdicts", verdicts)
    contenders = [Contender("toy", "plain"), Contender("toy", "other")]
    said: list[str] = []
    judge = gate.Gate(fakes(*contenders), "cpu", 1, tmp_path, jobs=2)
    judge.check(contenders, [network("none")], lambda what, verdicts: said.append(what))
    assert sorted(said) == ["toy other none", "toy plain none"]
    assert set(met) == set(contenders)


def test_others_go_on_while_one_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Event()

    def verdicts(self: gate.Gate, contender: Contender, subject: Subject) -> list[list[Verdict]]:
        name = subject.graphs[0].name
        if (contender.mode, name) == ("plain", "none"):
            assert done.wait(30)  # until somebody has the second network
        if name == "second":
            done.set()
        return [[Verdict("toy", contender.mode, True, name, "inference", "ok")]]

    monkeypatch.setattr(subjects, "MOST", 1)
    monkeypatch.setattr(gate.Gate, "verdicts", verdicts)
    contenders = [Contender("toy", "plain"), Contender("toy", "other")]
    graphs = [network("none"), replace(network("none"), name="second")]
    found = gate.Gate(fakes(*contenders), "cpu", 1, tmp_path, jobs=2).check(
        contenders, graphs, silent
    )
    assert [(v.model, v.mode) for v in found] == [
        ("none", "plain"), ("none", "other"), ("second", "plain"), ("second", "other"),
    ]  # fmt: skip


def test_the_referee_is_asked_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    subjects: list[Subject] = []
    gradients, referee = Referee.gradients, Subject.referee

    def counted(self: Referee, every: bool = False) -> dict[str, Expected]:
        made.append(self.graph.name)
        return gradients(self, every)

    def asked(self: Subject, index: int) -> Referee:
        subjects.append(self)
        return referee(self, index)

    monkeypatch.setattr(Referee, "gradients", counted)
    monkeypatch.setattr(Subject, "referee", asked)
    contenders = [Contender("toy", "plain"), Contender("toy", "other")]
    judge = gate.Gate(fakes(*contenders), "cpu", 1, tmp_path, jobs=2)
    assert all(v.ok for v in judge.check(contenders, [network("none")], silent))
    assert made == ["none"] and len(subjects) == 2
    assert subjects[0].referees == {}  # forgotten in the end


def test_frameworks_at_a_time_have_seats_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seats: list[int] = []
    both = Barrier(2, timeout=30)

    def start(self: gate.Gate, entrant: Entrant, seat: int) -> Worker:
        seats.append(seat)
        both.wait()
        raise Failure("error", "not wanted")

    monkeypatch.setattr(gate.Gate, "start", start)
    contenders = [Contender("toy", "plain"), Contender("toy", "other")]
    judge = gate.Gate(fakes(*contenders), "cpu", 1, tmp_path, jobs=2)
    judge.check(contenders, [network("none")], silent)
    judge.check(contenders, [network("none")], silent)
    assert sorted(seats) == [0, 0, 1, 1]  # and given back


def test_a_worker_takes_the_seat_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    bound = client.processors
    monkeypatch.setattr(client, "processors", lambda n, seat=0: seen.append(seat) or bound(n, seat))
    gate.Gate(fakes(Contender("toy", "plain")), "cpu", 1, tmp_path).start(fake("toy"), 3).kill()
    assert seen == [3]


def test_an_interrupt_ends_the_workers(tmp_path: Path) -> None:
    hanging = Contender("hang", "plain")
    judge = gate.Gate(fakes(hanging, Contender("toy", "plain")), "cpu", 1, tmp_path, jobs=2)

    def interrupt(what: str, verdicts: list[Verdict]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge.check([Contender("toy", "plain"), hanging], [network("none")], interrupt)
    assert judge.live == set()


def test_networks_are_taken_in_portions_that_fit_in_memory() -> None:
    small, large = models.load("lenet5"), models.load("vgg16")
    parts = list(portions([small] * (MOST + 1) + [large, small], 100 * small.params))
    assert [len(part) for part in parts] == [MOST, 1, 1, 1]
    parts = list(portions([small] * 10, 4 * small.params))
    assert [len(part) for part in parts] == [4, 4, 2]


def test_a_portion_has_room_in_a_part_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"available": 8 << 30}
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(**free))
    assert 80e6 < room() < 90e6
    free["available"] //= 2
    assert 40e6 < room() < 45e6

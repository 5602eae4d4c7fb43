"""Training runs: images, initial weights, figures, and what the journal keeps of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import console, course, images, session, store, training
from bench.cases import Contender
from bench.cli.commands import train as train_command
from bench.errors import BenchError
from bench.graph import Tensor, build
from bench.images import Images
from bench.ops import BatchNorm
from bench.training import Recipe
from tests.conftest import ADAPTERS, Command, fake
from tests.journals import written

RECIPE = Recipe(epochs=6, batch=16, learning_rate=0.05, seeds=2, budget=1e6)
NETWORK = """
from bench.graph import network

@network(3, 8, 8)
def little(x):
    for width in (4, 6, 8):
        x = x.conv(width, 3, pad=1).batchnorm().relu()
    return x.global_avgpool().dense(7)
"""


def little(x: Tensor) -> Tensor:
    for width in (4, 6, 8):
        x = x.conv(width, 3, pad=1).batchnorm().relu()
    return x.global_avgpool().dense(7)


def few(count: int = 96) -> Images:
    """Some digits: two classes that are easily told apart."""
    every = images.digits_of((3, 8, 8))
    kept = every.y < 2
    return Images("few", every.x[kept][:count], every.y[kept][:count], 2)


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "little.py"
    path.write_text(NETWORK)
    return f"{path}:little"


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return store.Run(written(tmp_path / "run", []))


def learn(run: store.Run, names: list[str], recipe: Recipe = RECIPE, who: str = "toy") -> list[str]:
    return list(course.train(run, fake(who), names, few(), recipe, "cpu", 1))


# -- images ---------------------------------------------------------------------------------------


def test_training_images_are_not_tested_on() -> None:
    data = few()
    train, test = data.x[data.part("train")], data.x[data.part("test")]
    assert len(train) + len(test) == len(data) and len(test) == 19
    x, y = data.epoch(seed=0, epoch=0, size=16)
    assert x.shape == (4, 16, 3, 8, 8) and y.shape == (4, 16)
    flat = {image.tobytes() for image in x.reshape(-1, 3, 8, 8)}
    assert flat <= {image.tobytes() for image in train}


def test_each_seed_and_epoch_has_an_order_of_its_own_that_comes_again() -> None:
    data = few()
    orders = [data.epoch(*which, 16)[1].tolist() for which in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert orders[0] == orders[3] and orders[0] not in orders[1:3]


def pictures(folder: Path, **colours: int) -> Path:
    for name, value in colours.items():
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (9, 5), (value, 0, 255)).save(folder / name / f"{number}.png")
    return folder


def test_a_folder_of_images_has_a_class_for_each_subfolder(tmp_path: Path) -> None:
    data = images.from_folder(pictures(tmp_path / "own", red=255, blue=0), (3, 8, 8))
    assert (data.name, data.classes, len(data), data.shape) == ("own", 2, 6, (3, 8, 8))
    assert sorted(data.y.tolist()) == [0, 0, 0, 1, 1, 1]
    for image, label in zip(data.x, data.y, strict=True):
        assert image[0] == pytest.approx(-1 if label == 0 else 1)  # classes in alphabetical order
        assert image[2] == pytest.approx(1)


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    shape = (3, 8, 8)
    with pytest.raises(BenchError, match="no such folder"):
        images.from_folder(tmp_path / "nowhere", shape)
    one = pictures(tmp_path / "one", red=255)
    with pytest.raises(BenchError, match="at least two; found: red"):
        images.from_folder(one, shape)
    (one / "empty").mkdir()
    with pytest.raises(BenchError, match=r"empty holds no image \(\.bmp"):
        images.from_folder(one, shape)
    (one / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"broken\.png cannot be read as an image"):
        images.from_folder(one, shape)
    with pytest.raises(BenchError, match="fewer than a batch of 64"):
        training.data_of(pictures(tmp_path / "two", red=255, blue=0), Recipe())


# -- networks -------------------------------------------------------------------------------------


def test_a_bare_network_is_the_same_without_batch_norm() -> None:
    whole, bare = training.network("plain20"), training.network("plain20_bare")
    assert bare.name == "plain20_bare"
    assert not any(isinstance(node.op, BatchNorm) for node in bare.nodes)
    kept = [node.op for node in whole.nodes if not isinstance(node.op, BatchNorm)]
    assert [node.op for node in bare.nodes] == kept
    names = {node.name for node in bare.nodes} | {"input"}
    assert all(set(node.inputs) <= names for node in bare.nodes)


def test_a_network_is_fitted_to_the_images() -> None:
    graph = training.fitted(build(little, "little", (3, 32, 32)), few(), RECIPE)
    assert graph.input == (3, 8, 8) and graph.nodes[-1].output == (2,)
    assert graph.learning_rate == RECIPE.learning_rate

    def headless(x: Tensor) -> Tensor:
        return x.conv(4, 3).global_avgpool()

    with pytest.raises(BenchError, match="does not end in a dense layer"):
        training.fitted(build(headless, "headless", (3, 8, 8)), few(), RECIPE)
    with pytest.raises(BenchError, match="does not take images of --size 8"):
        training.fitted(training.network("alexnet"), few(), RECIPE)


def test_training_starts_from_he_weights_of_its_seed() -> None:
    graph = build(little, "little", (3, 8, 8))
    one, again, other = (training.initial(graph, seed) for seed in (0, 0, 1))
    assert all((one[key] == again[key]).all() for key in one)
    assert (one["conv2/weight"] != other["conv2/weight"]).all()
    assert one["conv3/weight"].std() == pytest.approx(np.sqrt(2 / (6 * 9)), rel=0.15)
    assert (one["batchnorm1/scale"] == 1).all() and (one["batchnorm1/shift"] == 0).all()


# -- courses --------------------------------------------------------------------------------------


def test_a_network_learns_and_the_journal_has_the_figures(run: store.Run, net: str) -> None:
    said = learn(run, [net], replace(RECIPE, seeds=1))
    assert "training loss" in said[0] and said[0].startswith("seed 0 little")
    (row,) = store.load(run.folder).training.to_dict("records")
    assert row["status"] == "ok" and row["data"] == "few" and row["epochs"] == 6
    assert row["train_loss_end"] < 0.5 * row["train_loss_start"]
    assert row["test_error_end"] < 0.2 < row["test_error_start"] + 0.2
    assert len(row["curve"]) == 7
    for moment in ("start", "end"):
        sizes = row[f"gradients_{moment}"]
        assert list(sizes) == ["conv1/weight", "conv2/weight", "conv3/weight"]
        assert row[f"early_gradient_{moment}"] == pytest.approx(sizes["conv1/weight"])
        assert row[f"late_gradient_{moment}"] == pytest.approx(sizes["conv3/weight"])


def test_what_the_journal_holds_is_not_trained_again(run: store.Run, net: str) -> None:
    recipe = replace(RECIPE, epochs=1)
    assert len(learn(run, [net], recipe)) == 2
    assert learn(run, [net], recipe) == []
    assert len(learn(run, [net], replace(recipe, seeds=3))) == 1
    assert len(learn(run, [net], replace(recipe, epochs=2))) == 2  # another recipe
    seeds = store.load(run.folder).training["seed"].tolist()
    assert seeds == [0, 1, 2, 0, 1]


def test_no_seed_is_begun_that_would_not_end_in_the_budget(run: store.Run, net: str) -> None:
    said = learn(run, [net, f"{net}_bare"], replace(RECIPE, epochs=1, seeds=5, budget=1e-6))
    assert len(said) == 3 and "stopped after seed 0" in said[-1]
    assert len(store.load(run.folder).training) == 2  # every network has that seed


def test_divergence_is_a_result(run: store.Run, net: str) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, seeds=1)
    (said,) = learn(run, [f"{net}_bare"], recipe)
    assert "diverged" in said
    line = json.loads(run.journal.read_text(), parse_constant=pytest.fail)  # no NaN in it
    assert line["train_loss_end"] is None and line["status"] == "ok"


def test_a_framework_that_dies_is_a_result_too(run: store.Run, net: str) -> None:
    said = learn(run, [net], replace(RECIPE, seeds=1), who="crash")
    assert "died" in said[0]
    (row,) = store.load(run.folder).training.to_dict("records")
    assert row["status"] == "died" and row["reason"]


def test_no_parity_no_training(
    run: store.Run, net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wrong = fake("wrong")
    variables = wrong.variables(1) | {"CONVMARK_REAL": str(ADAPTERS / "toy.py")}
    wrong.variables = lambda threads: variables
    monkeypatch.setattr(session, "provision", lambda *_: {wrong.contender: wrong})
    path = tmp_path / "epsilon.py"
    path.write_text(NETWORK.replace("little", "epsilon"))  # the mistake that the adapter makes
    names, recipe = [net, f"{path}:epsilon", f"{path}:epsilon_bare"], replace(RECIPE, seeds=1)
    course.hold(run, wrong.contender, names, few(), recipe, "cpu", 1, console.Watch())
    tables = store.load(run.folder)
    assert tables.training["model"].tolist() == ["little"]
    words = tables.verdicts.groupby("model")["status"].agg(set)
    assert words["little"] == {"ok"} and "wrong" in words["epsilon"]
    more = replace(recipe, seeds=2)
    capsys.readouterr()
    course.hold(run, wrong.contender, names, few(), more, "cpu", 1, console.Watch())
    assert "training 1/1" in "".join(capsys.readouterr())  # only what was left


# -- the command ----------------------------------------------------------------------------------


def test_one_framework_in_one_mode_trains() -> None:
    assert train_command.chosen("jax", "default") == Contender("jax", "nnx")
    assert train_command.chosen("jax", "linen") == Contender("jax", "linen")
    with pytest.raises(BenchError, match="Did you mean 'torch'"):
        train_command.chosen("torhc", "default")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "plain21"), "unknown network 'plain21'"),
        (("--data", "nowhere"), "--data nowhere: no such folder"),
        (("--model", "alexnet"), "does not take images of --size 8"),
        (("--batch", "1000"), "fewer than a batch of 1000"),
        (("--budget", "soon"), "--budget 'soon' is not a positive duration"),
        (("--framework", "*"), "unknown framework '*'"),
    ],
)
def test_mistakes_are_said_before_anything_is_set_up(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    done = command("train", *arguments)
    assert done.status == 2 and said in done.err and done.out == ""

"""Networks that learn: from a dataset to a file that dreams, whatever happens on the way."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch.nn import functional as F

import phosphene as ph
from phosphene import nets
from phosphene.errors import ImageError, OutputError, PhospheneError, SettingError, WeightsError
from phosphene.media.dataset import bundled
from phosphene.nets.learnt import facts_of
from phosphene.nets.zoo.graph import GraphNet
from phosphene.recipe import Dataset
from phosphene.recipe.presets import preset_settings
from phosphene.training import classifier as classifier_module
from phosphene.training.attack import attacked
from phosphene.training.teacher import Teacher, observed
from tests import forked
from tests.cli.program import run
from tests.training.datasets import QUICK, bars, stripes


def quick(folder: Path, **changes: object) -> ph.Job:
    """A short training on the pictures in a folder."""
    return ph.job("learn", folder, **{**QUICK, **changes})  # type: ignore[arg-type]


def test_a_folder_becomes_a_network_that_tells_its_classes_apart_and_dreams(tmp_path: Path) -> None:
    out = tmp_path / "net.pt2"
    quick(stripes(tmp_path / "data"), epochs=12).save(out)
    net = nets.load(str(out))
    assert [names[0] for names in net.card.labels] == ["lying", "standing"]
    assert net.card.input.channels == 1
    seen = [
        torch.from_numpy(np.array(PIL.Image.open(tmp_path / f"data/{name}/3.png"))) for name in ("lying", "standing")
    ]
    pictures = F.interpolate(torch.stack(seen)[:, None].float() / 255, size=(24, 24), mode="bilinear")
    assert net(pictures, ["logits"])["logits"].argmax(dim=1).tolist() == [0, 1]
    assert all(layer.statistics is not None for layer in net.card.layers.values())
    sheet = run("sheet", "--net", out, "all", "--size", 16, "--steps", 2, "-o", tmp_path / "sheet.png")
    assert sheet.exit_code == 0, sheet.output
    shown = np.asarray(PIL.Image.open(tmp_path / "sheet.png"))
    assert shown.shape == (16, 36, 3)
    photo = tmp_path / "photo.png"
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(photo)
    for command in (["dream", photo, "--octaves", 1, "-o", tmp_path / "dream.png"], ["see", photo]):
        done = run(*command, "--net", out)
        assert done.exit_code == 0, done.output
    assert '"kind": "learn"' in run("show", out).output


def test_what_it_imagines_has_the_ground_of_the_pictures_that_it_learnt(tmp_path: Path) -> None:
    out = tmp_path / "net.pt2"
    quick(bars(tmp_path / "data"), frames=2).save(out)
    few = {"steps": 4, "views": 1, "sketches": 1, "gap": 0, "columns": 1}

    def corner(images: torch.Tensor) -> float:
        return float(images[0, :, -3:, :3].mean())

    for size in ("24", "40x20"):
        (sheet,) = ph.job("sheet", targets="all", net=str(out), size=size, **few).run()
        assert corner(sheet.image) < 0.05  # black, as theirs
    (sheet,) = ph.job("sheet", targets="all", net=str(out), size=24, vary="typical=0", **few).run()
    assert corner(sheet.image[..., :24, :24]) > 0.2
    *_, last = ph.job("recall", tmp_path / "net.run", size=24, steps=2, captions=False)
    image = last.preview()
    assert image is not None
    assert corner(image[..., 4:28, 4:28]) < 0.05
    targets = [f"class:{names[0]}" for names in nets.load(str(out)).card.labels]
    *_, frame = ph.job("morph", ideas=targets, net=str(out), size="24x24", steps=4, views=1, seconds=0.2)
    image = frame.preview()
    assert image is not None
    assert corner(image) < 0.05
    assert torch.equal(image[:, 0], image[:, 2])  # as grey as what the network sees


class Unpickled:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_the_file_has_a_data_card_and_nothing_of_a_dataset_is_run(tmp_path: Path) -> None:
    data = stripes(tmp_path / "data", colour=True)
    (data / "lying" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "outside.png").write_bytes((data / "lying" / "1.png").read_bytes())
    (data / "standing" / "link.png").symlink_to(tmp_path / "outside.png")
    trap = Unpickled(tmp_path / "run")
    np.save(data / "standing" / "all.npy", np.array([trap], dtype=object), allow_pickle=True)
    (data / "standing" / "more.pkl").write_bytes(pickle.dumps(trap))
    short = ["--epochs", 2, "--width", 8, "--batch", 8, "--licence", "CC0"]
    done = run("learn", data, *short, "-o", tmp_path / "net.pt2")
    assert done.exit_code == 0, done.output
    assert "1 of 28 files cannot be read: lying/bad.png" in done.stderr
    assert "link.png (is a link that leads out of the folder)" in done.stderr
    for name in ("all.npy", "more.pkl"):
        assert f"standing/{name}" in done.stderr
    assert not trap.folder.exists()
    facts = facts_of(tmp_path / "net.pt2")
    card = facts["data"]
    assert card["pictures"] == {"lying": 12, "standing": 12}
    assert (card["unreadable_count"], card["skipped_count"]) == (1, 3)
    assert card["licence"] == facts["licence"] == "CC0"
    assert len(card["sha256"]) == 64
    assert facts["structure"]["channels"] == 3
    assert str(tmp_path) not in str(facts)


def test_torch_opens_the_file_too(tmp_path: Path) -> None:
    quick(stripes(tmp_path / "data"), epochs=1).save(tmp_path / "net.pt2")
    net = nets.load(str(tmp_path / "net.pt2"))
    picture = torch.rand(2, 1, 32, 24)
    program = torch.export.load(tmp_path / "net.pt2").module()
    assert torch.allclose(program(net.card.normalise(picture)), net(picture, ["logits"])["logits"], atol=1e-5)


def test_the_same_recipe_gives_the_same_bytes_however_often_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.render import job

    data = stripes(tmp_path / "data")
    quick(data).save(tmp_path / "whole.pt2")
    monkeypatch.setattr(job, "CHECKPOINT_SECONDS", 0.0)
    for cut in (2, 3, 5):
        events = quick(data).writing(tmp_path / "broken.pt2")
        for _ in zip(range(cut), events):  # noqa: B905
            pass
        events.close()  # type: ignore[attr-defined]
    notes = [event.note for event in quick(data).writing(tmp_path / "broken.pt2")]
    assert any(note and "continues" in note for note in notes)
    assert (tmp_path / "broken.pt2").read_bytes() == (tmp_path / "whole.pt2").read_bytes()
    assert not list(tmp_path.glob("*.work"))


KILLED = """
import os, random, signal, sys, time
import torch.export
from phosphene.cli import main
from phosphene.render import job, learning
from phosphene.render.dataset_work import TrainingOutput

job.CHECKPOINT_SECONDS, job.CHECKPOINT_SHARE = 0.0, 1e9
whole, broken, *command = sys.argv[1:]
keep = TrainingOutput.checkpoint

def begin(out):
    "Learn in a process of its own; return it, when it keeps something for the first time."
    tells, told = os.pipe()
    child = os.fork()
    if child:
        os.close(told)
        os.read(tells, 1)
        return child

    def keep_and_tell(self, step):
        keep(self, step)
        if os.path.isdir(out + ".work"):
            os.write(told, b".")

    TrainingOutput.checkpoint = keep_and_tell
    sys.argv = ["phosphene", *command, "-o", out]
    try:
        main()
    finally:
        os._exit(0)

child, began = begin(whole), time.monotonic()
os.waitpid(child, 0)
took = time.monotonic() - began
draw = random.Random(0)
for _ in range(3):
    child = begin(broken)
    time.sleep(draw.uniform(0, took / 2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if os.path.exists(broken):
        break
else:
    os.waitpid(begin(broken), 0)
"""
"""Training, and the same once more, which is killed at random moments from its first step on."""


def test_killed_the_same_command_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    command = ["learn", stripes(tmp_path / "data"), "--epochs", 3, "--width", 8, "--batch", 8, "--threads", 1]
    whole, broken = tmp_path / "whole.pt2", tmp_path / "broken.pt2"
    done = forked.run(KILLED, whole, broken, *map(str, command))
    assert "continues unfinished work" in done.stderr
    assert broken.read_bytes() == whole.read_bytes()


def test_progress_tells_of_losses_and_accuracies(tmp_path: Path) -> None:
    events = list(quick(stripes(tmp_path / "data"), attack_from=0))
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1)
    wanted = {
        "loss",
        "attacked loss",
        "accuracy",
        "attacked accuracy",
        "held-out accuracy",
        "robust accuracy",
        "attack",
    }
    assert wanted <= set(events[-1].metrics)
    shown = events[-1].preview()
    assert shown is not None
    assert shown.shape[:2] == (1, 3)


def test_training_stops_early_and_the_file_has_the_best_network_that_was_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.training.classifier import Classifier

    weights, accuracies = [], [0.5, 0.9, 0.9, 0.8, 0.7]

    def tested(classifier: Classifier, *_: object) -> float:
        weights.append(torch.cat([each.flatten() for each in classifier.finished(best=False).tensors().values()]))
        return accuracies[len(weights) - 1]

    monkeypatch.setattr(Classifier, "_accuracy", tested)
    monkeypatch.setattr(classifier_module, "SETTLED", 0.0)
    events = list(job := quick(stripes(tmp_path / "data"), epochs=20, attack=0.0, patience=3))
    assert len(weights) == 5  # the second is the best, and three more are no better
    assert events[-1].step < (events[-1].steps or 0)
    assert events[-1].progress == pytest.approx(1)
    job.result().save(tmp_path / "net.pt2")
    net = nets.load(str(tmp_path / "net.pt2"))
    assert isinstance(net, GraphNet)
    kept = torch.cat([each.flatten() for each in net.tensors().values()])
    assert [torch.equal(kept, each) for each in weights] == [False, True, False, False, False]
    assert facts_of(tmp_path / "net.pt2")["tests"]["held-out accuracy"] == 0.9


def test_tests_in_a_training_are_under_the_same_attack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []

    def attacked(net: object, images: torch.Tensor, labels: object, length: float) -> torch.Tensor:
        lengths.append(length)
        return images

    monkeypatch.setattr(classifier_module, "attacked", attacked)
    list(quick(stripes(tmp_path / "data"), attack=0.9, attack_from=0.5))
    assert lengths == [0.9, 0.9]


def test_an_attack_grows_only_while_the_network_learns(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (24, 12, 12)).astype(np.uint8)
    for index, pixels in enumerate(noise):
        folder = tmp_path / "noise" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels).save(folder / f"{index}.png")
    lengths = {}
    for data in (tmp_path / "noise", stripes(tmp_path / "stripes")):
        events = quick(data, epochs=8, attack_from=0)
        lengths[data.name] = [event.metrics["attack"] for event in events if "attack" in event.metrics]
    assert lengths["noise"][-1] < lengths["noise"][0]
    assert lengths["stripes"][-1] > min(lengths["stripes"])


def test_without_attacks_it_learns_too_and_says_so(tmp_path: Path) -> None:
    events = list(quick(stripes(tmp_path / "data"), attack=0.0))
    assert "attack" not in events[-1].metrics


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: (folder / "only").mkdir(), "must have pictures in class folders, but has none"),
        (lambda folder: stripes(folder / "inner"), "two or more classes"),
        (lambda folder: None, "must have pictures"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_one_line(make: object, problem: str, tmp_path: Path) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(PhospheneError, match=problem) as raised:
        quick(tmp_path)
    assert "\n" not in str(raised.value)


def test_one_picture_of_each_class_is_enough(tmp_path: Path) -> None:
    quick(stripes(tmp_path / "data", count=1, side=1), epochs=1).save(tmp_path / "net.pt2")
    assert nets.load(str(tmp_path / "net.pt2")).card.input.size == 24


def test_refusals() -> None:
    with pytest.raises(ImageError, match="there is no folder"):
        ph.job("learn", "/nowhere/at/all")
    with pytest.raises(SettingError, match="epochs must be"):
        ph.job("learn", Dataset(own="digits"), epochs=0)


def test_the_result_must_be_called_pt2(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must end in \.pt2"):
        quick(stripes(tmp_path / "data")).save(tmp_path / "net.png")


def test_a_dataset_that_changes_meanwhile_is_not_continued(tmp_path: Path) -> None:
    data = stripes(tmp_path / "data")
    quick(data).save(tmp_path / "net.pt2")
    (data / "lying" / "3.png").unlink()
    assert "has changed" in run("again", tmp_path / "net.pt2", "--look-in", tmp_path, "-o", tmp_path / "b.pt2").output


def test_a_network_is_trained_further_on_other_classes(tmp_path: Path) -> None:
    quick(stripes(tmp_path / "data"), epochs=1).save(tmp_path / "first.pt2")
    more = stripes(tmp_path / "more")
    (more / "lying").rename(more / "flat")
    stripes(tmp_path / "third")
    (tmp_path / "third" / "lying").rename(more / "again")
    quick(more, epochs=1, start=str(tmp_path / "first.pt2")).save(tmp_path / "second.pt2")
    first, second = (nets.load(str(tmp_path / f"{name}.pt2")) for name in ("first", "second"))
    assert [names[0] for names in second.card.labels] == ["again", "flat", "standing"]
    assert second.card.layers.keys() == first.card.layers.keys()


def test_the_preset_pocket_grows_pictures_and_attacks_in_the_last_third(tmp_path: Path) -> None:
    few = {"side": 24, "epochs": 6, "batch": 16, "precision": "float32"}
    data = stripes(tmp_path / "data", colour=True)
    job = ph.job("learn", data, **preset_settings("learn", "pocket", few))  # type: ignore[arg-type]
    events = [event for event in job if event.metrics]
    sides = [image.shape[3] // 4 for event in events if (image := event.preview()) is not None]
    assert sides == [16, 16, 16, 24, 24, 24]
    lengths = [event.metrics.get("attack", 0.0) for event in events]
    assert lengths == pytest.approx([0, 0, 0, 0, 0.6, 0.9])
    assert {"mixed3a", "mixed4d", "mixed5b"} <= job.result().net.card.layers.keys()


def test_lite_is_trained_further(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    quick(stripes(tmp_path / "data"), epochs=1, start="lite", side=32).save(path)
    net = nets.load(str(path))
    assert [names[0] for names in net.card.labels] == ["lying", "standing"]
    assert net.card.layers.keys() >= {"stem", "block15", "head", "logits"}
    image = torch.rand(2, 3, 32, 32)
    program = torch.export.load(path).module()
    seen = program(net.card.normalise(image))
    assert torch.allclose(seen, net(image, ["logits"])["logits"], atol=1e-4)


def test_a_network_is_its_own_teacher_and_keeps_its_classes(tmp_path: Path) -> None:
    quick(stripes(tmp_path / "data"), epochs=6).save(tmp_path / "first.pt2")
    shutil.rmtree(tmp_path / "data" / "standing")
    changes = {"start": str(tmp_path / "first.pt2"), "side": 24, "attack": 2.0, "rate": 2e-3, "epochs": 40}
    settings = preset_settings("learn", "lite", {**QUICK, **changes})
    job = ph.job("learn", tmp_path / "data", **settings)  # type: ignore[arg-type]
    *_, _ = job
    first, second = nets.load(str(tmp_path / "first.pt2")), job.result().net
    assert second.card.labels == first.card.labels
    assert isinstance(first, GraphNet)
    assert isinstance(second, GraphNet)
    pixels = [np.array(PIL.Image.open(each)) for each in sorted((tmp_path / "data" / "lying").iterdir())]
    images = F.interpolate(torch.from_numpy(np.stack(pixels))[:, None] / 255, size=(24, 24), mode="bilinear")
    lesson = Teacher(first, torch.float32)(images)
    losses = [float(lesson.loss(*observed(net, attacked(net, images, lesson.labels, 2.0)))) for net in (first, second)]
    assert losses[1] < 0.8 * losses[0]
    heads = [net.tensors()["logits.weight"] for net in (first, second)]
    assert torch.equal(*heads)
    assert not torch.equal(*(net.tensors()["conv1.weight"] for net in (first, second)))
    with pytest.raises(SettingError, match="must be named: --from NET"):
        quick(tmp_path / "data", lessons="itself")


def test_what_describes_no_network_is_refused(tmp_path: Path) -> None:
    from phosphene.nets.zoo.table_json import TableError, from_json

    quick(stripes(tmp_path / "data"), epochs=1).save(tmp_path / "net.pt2")
    whole = (tmp_path / "net.pt2").read_bytes()
    for old, new in (
        (b'"stride": 2', b'"stride": 3'),
        (b'"channels": 8', b'"channels": 9'),
        (b'"mean_pool"', b'"mean_pole"'),
        (b'"pictures": {\n  "side": 24', b'"pictures": {\n  "side": 23'),
    ):
        (tmp_path / "bad.pt2").write_bytes(whole.replace(old, new))
        with pytest.raises(WeightsError) as raised:
            nets.load(str(tmp_path / "bad.pt2"))
        assert "\n" not in str(raised.value)
    for bad in (
        {},
        {"channels": 3, "steps": []},
        {"channels": 3, "steps": [{"name": "a", "from": ["b"], "op": "relu"}]},
    ):
        with pytest.raises(TableError):
            from_json(bad)


def test_any_torch_dataset_can_be_learnt() -> None:
    digits = bundled.digits()

    class Own(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
        classes = digits.classes

        def __len__(self) -> int:
            return 60

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.from_numpy(digits.pixels[index])[None], int(digits.targets[index])

    seen: list[ph.Event] = []
    learnt = ph.learn(Own(), on_event=seen.append, **QUICK)  # type: ignore[arg-type]
    assert seen[-1].progress == pytest.approx(1)
    assert len(learnt.net.card.labels) == 10
    with pytest.raises(SettingError, match="torch Dataset, not list"):
        ph.learn([(torch.zeros(3, 4, 4), 0)])


@pytest.mark.slow
def test_digits_from_nothing_are_recognised_by_the_network_and_by_their_neighbours(tmp_path: Path) -> None:
    began = time.process_time()
    assert run("learn", "--digits", "-o", tmp_path / "digits.pt2").exit_code == 0
    assert time.process_time() - began < 120  # of all cores together: a minute of two
    net = nets.load(str(tmp_path / "digits.pt2"))

    assert facts_of(tmp_path / "digits.pt2")["tests"]["held-out accuracy"] > 0.95
    assert run("sheet", "--net", tmp_path / "digits.pt2", "all", "--columns", 10, "--gap", 0, "--size", 48,
               "-o", tmp_path / "all.png").exit_code == 0  # fmt: skip
    sheet = torch.from_numpy(np.array(PIL.Image.open(tmp_path / "all.png"))).float().mean(dim=2) / 255
    imagined = sheet.unflatten(1, (10, 48)).transpose(0, 1)[:, None]
    scores = net(F.interpolate(imagined, size=(24, 24), mode="area"), ["logits"])["logits"]
    assert scores.argmax(dim=1).tolist() == list(range(10))
    real = bundled.digits()
    known = F.normalize(_centred(torch.from_numpy(real.pixels).float().flatten(1)))
    mine = F.normalize(_centred(F.interpolate(imagined, size=(8, 8), mode="area").flatten(1)))
    nearest = torch.from_numpy(real.targets)[(mine @ known.T).topk(5).indices]
    named = [int(each.bincount(minlength=10).argmax()) for each in nearest]
    assert sum(name == digit for digit, name in enumerate(named)) >= 9


def _centred(rows: torch.Tensor) -> torch.Tensor:
    return rows - rows.mean(dim=1, keepdim=True)

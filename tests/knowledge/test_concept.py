"""Concepts: a planted mark is learnt and trusted, a difference by chance is not; directions agree with finite steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from phosphene.errors import SettingError
from phosphene.knowledge.concept import learn_concept
from phosphene.media.dataset.folder import open_dataset
from phosphene.nets.intervention import logits_with
from phosphene.nets.weights.vector import read_vector
from phosphene.objectives import Class, resolve
from tests.cli.program import run
from tests.tinynet import tiny_net


def folder(path: Path, count: int, *, marked: bool, seed: int) -> Path:
    """Pictures of soft noise, with a magenta mark somewhere or without."""
    rng = np.random.default_rng(seed)
    path.mkdir()
    for index in range(count):
        coarse = rng.integers(60, 160, (4, 4, 3), dtype=np.uint8)
        pixels = np.asarray(PIL.Image.fromarray(coarse).resize((24, 24))).copy()
        y, x = rng.integers(0, 14, 2)
        if marked:
            pixels[y : y + 10, x : x + 10] = (255, 0, 255)
        PIL.Image.fromarray(pixels).save(path / f"{index}.png")
    return path


def test_a_planted_mark_is_trusted_and_chance_is_not(tmp_path: Path) -> None:
    marked = open_dataset(folder(tmp_path / "marked", 12, marked=True, seed=0))
    plain = open_dataset(folder(tmp_path / "plain", 12, marked=False, seed=1))
    other = open_dataset(folder(tmp_path / "other", 12, marked=False, seed=2))
    net = tiny_net()
    real, chance = (learn_concept(net, "high", each, plain) for each in (marked, other))
    assert real.accuracy > 0.9
    assert real.p == 0.01
    assert abs(real.shuffled - 0.5) < 0.1
    assert chance.p > 0.05
    assert real.vector.norm() == pytest.approx(1, abs=1e-5)
    assert torch.equal(real.vector, learn_concept(net, "high", marked, plain).vector)


def test_a_label_rises_along_the_concept_where_finite_steps_say_so(tmp_path: Path) -> None:
    marked = open_dataset(folder(tmp_path / "marked", 6, marked=True, seed=0))
    plain = open_dataset(folder(tmp_path / "plain", 6, marked=False, seed=1))
    net = tiny_net()
    labels = [resolve(Class(each), net.card) for each in ("cat", "dog", "golden retriever")]
    found = learn_concept(net, "high", marked, plain, labels=labels, pictures=plain)  # type: ignore[arg-type]
    step = 1e-2 * found.vector.view(1, -1, 1, 1)
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    change = logits_with(net, image, "high", lambda activation: activation + step) - net(image, ["logits"])["logits"]
    # The tiny network ends in a linear layer: a label rises in all pictures or in none.
    assert [each.share for each in found.sensitivities] == (change[0] > 0).double().tolist()


def test_the_command_writes_a_direction_and_names_what_it_could_not_read(tmp_path: Path) -> None:
    marked = folder(tmp_path / "a", 5, marked=True, seed=0)
    plain = folder(tmp_path / "b", 4, marked=False, seed=1)
    (plain / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "mark.safetensors"
    command = ["concept", str(marked), str(plain), "--net", "pocket", "--layer", "mixed3b", "-o", str(out), "--json"]
    told = json.loads(run(*command).stdout)
    assert told["pictures"] == [5, 4]
    assert ["broken.png" in each["name"] for each in told["unreadable"]] == [True]
    assert read_vector(out)[0].norm() == pytest.approx(1, abs=1e-5)
    again = run(*command)
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_three_pictures_are_too_few(tmp_path: Path) -> None:
    few = open_dataset(folder(tmp_path / "a", 3, marked=True, seed=0))
    enough = open_dataset(folder(tmp_path / "b", 4, marked=False, seed=1))
    with pytest.raises(SettingError, match="4 or more pictures"):
        learn_concept(tiny_net(), "high", few, enough)

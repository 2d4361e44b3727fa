"""Atlases: what is sampled, what cells argue for, and the page, whatever happens while it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import safetensors.torch
import torch

import phosphene as ph
from phosphene.errors import PhospheneError, SettingError
from phosphene.knowledge.cells import whitened
from phosphene.knowledge.sampling import Sample, Sampler
from phosphene.nets.intervention import logits_with
from tests.cli.program import run
from tests.tinynet import tiny_net

SMALL = {"columns": 3, "size": 32, "steps": 2, "precision": "float32", "net": "pocket", "layer": "mixed4a"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures with odd names, and two files that are none."""
    folder = tmp_path_factory.mktemp("some photos") / "a 'b' ü"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(20):
        low = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        PIL.Image.fromarray(low).resize((48, 40)).save(folder / f"{index} & <b>.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def atlas(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished atlas."""
    path = tmp_path_factory.mktemp("made") / "atlas"
    notes = [each.note for each in ph.job("atlas", photos, **SMALL).writing(path) if each.note]  # type: ignore[arg-type]
    assert len(notes) == 1
    assert "1 of 21 files are left out: broken.png" in notes[0]
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def data_of(folder: Path) -> dict[str, object]:
    (line,) = [each for each in (folder / "index.html").read_text().splitlines() if each.startswith("var data = ")]
    data: dict[str, object] = json.loads(line.removeprefix("var data = ").removesuffix(";"))
    return data


def test_page_has_every_activation_once_and_a_label_for_each_cell(atlas: Path) -> None:
    data = data_of(atlas)
    cells = data["cells"]
    assert isinstance(cells, list)
    assert sum(each["count"] for each in cells) == 20
    assert all(each["labels"] for each in cells)
    with PIL.Image.open(atlas / "atlas.png") as picture:
        assert picture.size == (data["width"], data["height"])


def test_stopped_atlas_goes_on_to_the_same_bytes(atlas: Path, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "atlas"

    def broken_off(stage: str, steps: int) -> None:
        events: Iterator[ph.Event] = ph.job("atlas", photos, **SMALL).writing(path)  # type: ignore[arg-type]
        for event in events:
            if event.stage.startswith(stage):
                steps -= 1
            if not steps:
                break
        events.close()  # type: ignore[attr-defined]
        assert not path.exists()

    broken_off("reading", 1)
    broken_off("laying", 40)
    broken_off("icons", 1)
    ph.job("atlas", photos, **SMALL).save(path)  # type: ignore[arg-type]
    assert contents(path) == contents(atlas)


def test_again_makes_the_same_atlas(atlas: Path, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "again"
    result = run("again", str(atlas), "--look-in", str(photos.parent), "-o", str(path), "-q")
    assert result.exit_code == 0, result.output
    assert contents(path) == contents(atlas)


def test_direction_of_a_file_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    safetensors.torch.save_file({"v": torch.randn(512, generator=torch.Generator().manual_seed(0))}, path)
    picture = ph.imagine(f"direction({path}, mixed4a)", net="pocket", size=32, steps=1)
    assert len(picture.recipe.model_dump()["guides"]) == 1
    safetensors.torch.save_file({"v": torch.zeros(3)}, path)
    with pytest.raises(SettingError, match=r"must have 512 numbers.*has 3"):
        ph.imagine(f"direction({path}, mixed4a)", net="pocket", size=32, steps=1)


@pytest.mark.parametrize(
    ("changes", "count", "message"),
    [
        ({}, 2, r"needs 16 pictures or more, but .* has 2"),
        ({}, 0, r"must have pictures in class folders, but has none"),
        ({"layer": "logits"}, 20, r"logits has no positions to map"),
        ({"layer": "mixed9"}, 20, r"mixed9"),
    ],
)
def test_what_cannot_be_mapped_is_one_line(
    photos: Path, tmp_path: Path, changes: dict[str, object], count: int, message: str
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for each in sorted(photos.glob("*b*.png"))[:count]:
        if each.name != "broken.png":
            (folder / each.name).write_bytes(each.read_bytes())
    with pytest.raises(PhospheneError, match=message):
        ph.job("atlas", folder, **{**SMALL, **changes})


def test_foreign_folder_is_not_replaced(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(PhospheneError, match="is in the way"):
        ph.job("atlas", photos, **SMALL).save(tmp_path / "mine")  # type: ignore[arg-type]


def test_effects_before_a_linear_head_are_shares_of_the_logit() -> None:
    net = tiny_net()
    image = torch.rand(3, 3, 16, 16)
    sampler = Sampler(net, "high", 0, torch.float32)
    sample = sampler.add(Sample.empty(16), [0, 1, 2], image)
    weight = net.by_layer()["logits"].weight  # type: ignore[union-attr]
    share = sample.vectors.float() @ (weight - weight.mean(dim=0)).T / 16
    for row in range(3):
        for label, effect in zip(sample.labels[row].tolist(), sample.effects[row].tolist(), strict=True):
            if label >= 0:
                assert effect == pytest.approx(float(share[row, label]), abs=2e-3)


def test_interventions_leave_the_network_as_it_was() -> None:
    net = tiny_net()
    image = torch.rand(2, 3, 16, 16)
    before = net(image, ["logits"])["logits"]
    silent = logits_with(net, image, "high", lambda activation: activation * 0)
    bias = net.by_layer()["logits"].bias  # type: ignore[union-attr]
    assert torch.allclose(silent, bias.expand(2, -1))
    assert torch.equal(net(image, ["logits"])["logits"], before)


def test_interventions_reach_fused_operations() -> None:
    net = ph.load_net("lite")
    image = torch.rand(1, 3, 64, 64)
    before = net(image, ["logits"])["logits"]
    for layer in ("block15", "block15/expand", "block2", "head"):
        assert not torch.allclose(logits_with(net, image, layer, lambda each: each * 0), before, atol=0.1), layer


def test_whitening_removes_what_all_activations_share() -> None:
    rng = torch.Generator().manual_seed(0)
    vectors = 0.1 * torch.randn(500, 6, generator=rng) + torch.tensor([5.0, 0, 0, 0, 0, 0])
    mean = torch.tensor([[5.0, 0.1, 0, 0, 0, 0]])
    direction = whitened(vectors, mean)[0]
    assert direction[1] / direction[0] > 10 * (0.1 / 5)

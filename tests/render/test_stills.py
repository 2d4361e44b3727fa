"""The Python doors: what they take, what they give, and that a recipe gives the same pixels again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import phosphene as ph
from phosphene import recipe as recipes
from phosphene.errors import ImageError, RecipeError, SettingError, UnknownNameError
from phosphene.recipe import DreamRecipe, Noise
from phosphene.render.picture import Picture

QUICK: dict[str, Any] = {"target": "block1", "octaves": 2, "steps": 1}


def pixels(picture: Picture | list[Picture]) -> torch.Tensor:
    assert isinstance(picture, Picture)
    return picture.image


def test_paths_images_arrays_and_tensors_are_the_same(photo: Path) -> None:
    opened = Image.open(photo)
    array = np.asarray(opened)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    from_path = ph.dream(photo, **QUICK)
    for source in (str(photo), opened, array, tensor, tensor[None]):
        assert torch.equal(ph.dream(source, **QUICK).image, from_path.image)


@pytest.mark.parametrize("source", [3, None, torch.zeros(2, 3, 8, 8), np.zeros((4, 4, 7))])
def test_what_is_no_picture_is_answered(source: object) -> None:
    with pytest.raises(SettingError):
        ph.dream(source, **QUICK)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
def test_any_size_dreams(height: int, width: int, octaves: int) -> None:
    picture = ph.dream(np.full((height, width, 3), 90, np.uint8), target="block1", octaves=octaves, steps=1)
    assert picture.size == (height, width)
    assert picture.image.isfinite().all()
    assert 0 <= picture.image.min() <= picture.image.max() <= 1


def test_a_dream_changes_the_picture_and_no_steps_leave_it(photo: Path) -> None:
    assert not torch.equal(ph.dream(photo, **QUICK).image, ph.dream(photo, **{**QUICK, "steps": 0}).image)


def test_steps_are_followed(photo: Path) -> None:
    seen: list[ph.Event] = []
    last = ph.dream(photo, **{**QUICK, "steps": 3}, on_event=seen.append)
    stages = ["octave 1 of 2"] * 3 + ["octave 2 of 2"] * 3
    assert [(event.stage, event.step) for event in seen] == list(zip(stages, [1, 2, 3] * 2, strict=True))
    assert seen[-1].progress == 1
    preview = seen[-1].preview()
    assert preview is not None
    assert torch.equal(preview, last.image)


def test_targets_are_text_or_expressions(photo: Path) -> None:
    expression = ph.Layer("block1") - 0.5 * ph.Channel("stem", 3)
    by_text = ph.dream(photo, **{**QUICK, "target": str(expression)})
    assert torch.equal(ph.dream(photo, **{**QUICK, "target": expression}).image, by_text.image)
    assert by_text.recipe.target == str(expression)


def test_a_guide_is_read(photo: Path) -> None:
    assert ph.dream(photo, **{**QUICK, "target": f'guide("{photo}", block1)'}).size == (56, 72)
    with pytest.raises(ImageError, match="there is no file"):
        ph.dream(photo, **{**QUICK, "target": "guide(nowhere.jpg, block1)"})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"octave": 2}, UnknownNameError, "no setting named 'octave'.*'octaves'"),
        ({"preset": "louder"}, UnknownNameError, "no preset named 'louder'"),
        ({"steps": -1}, SettingError, "steps must be a whole number from 0"),
        ({"size": 2**17}, SettingError, "size must be"),
        ({"net": "poket"}, UnknownNameError, "'pocket'"),
        ({"target": ""}, SettingError, "target must be text that is not empty"),
        ({"target": "block91"}, UnknownNameError, "did you mean 'block"),
    ],
)
def test_wrong_settings_are_answered_before_the_photo_is_read(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ph.dream("nowhere.jpg", **{**QUICK, **change})


def test_alpha_is_scaled_with_the_picture() -> None:
    array = np.full((20, 30, 4), 200, np.uint8)
    array[:10, :, 3] = 0
    picture = ph.dream(array, **QUICK, size=60)
    assert picture.alpha is not None
    assert picture.alpha.shape == (1, 1, 40, 60)
    assert picture.alpha[0, 0, 5, 5] == 0
    assert picture.pil().mode == "RGBA"
    assert picture.array().shape == (40, 60, 4)


def test_a_picture_shows_itself(photo: Path) -> None:
    assert ph.dream(photo, **QUICK)._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.avif"])
def test_again_gives_the_same_pixels_from_every_format(name: str, photo: Path, tmp_path: Path) -> None:
    first = ph.dream(photo, **QUICK, seed=5, jitter=4)
    first.save(tmp_path / name)
    second = ph.again(tmp_path / name)
    assert torch.equal(pixels(second), first.image)
    assert isinstance(second, Picture)
    assert second.recipe == first.recipe


def test_again_from_json_from_a_recipe_and_from_a_picture(photo: Path, tmp_path: Path) -> None:
    first = ph.dream(photo, **QUICK)
    path = tmp_path / "recipe.json"
    path.write_text(recipes.dumps(recipes.relative_to(first.recipe, tmp_path)))
    for again in (ph.again(path), ph.again(first), ph.again(first.recipe)):
        assert torch.equal(pixels(again), first.image)


def test_again_from_noise(tmp_path: Path) -> None:
    first = ph.dream(Noise(noise=(30, 40)), **QUICK, seed=1)
    first.save(tmp_path / "a.png")
    assert torch.equal(pixels(ph.again(tmp_path / "a.png")), first.image)
    assert not torch.equal(pixels(ph.again(tmp_path / "a.png", seed=2)), first.image)


def test_again_with_settings_changed(photo: Path, tmp_path: Path) -> None:
    ph.dream(photo, target="block1", steps=1).save(tmp_path / "a.png")
    larger = ph.again(tmp_path / "a.png", size=300)
    assert isinstance(larger, Picture)
    assert larger.size == (233, 300)
    assert isinstance(larger.recipe, DreamRecipe)
    assert larger.recipe.octaves == 2  # was chosen automatically, and is chosen again
    assert larger.recipe.target == "block1"
    with pytest.raises(UnknownNameError, match="no setting named 'sise'"):
        ph.again(tmp_path / "a.png", sise=30)


def test_the_photo_is_found_beside_the_recipe(photo: Path, tmp_path: Path) -> None:
    first = ph.dream(photo, **QUICK)
    first.save(tmp_path / "a.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(tmp_path / "a.png", elsewhere)
    shutil.move(photo, elsewhere)
    assert torch.equal(pixels(ph.again(elsewhere / "a.png")), first.image)


def test_a_sheet_takes_text_expressions_and_ranges() -> None:
    quick: dict[str, Any] = {"size": (24, 32), "columns": 2, "gap": 1, "steps": 1, "sketches": 1, "views": 1}
    sheet = ph.sheet(["block3:0..1", ph.Channel("block3", 2) + ph.Class("banana")], **quick)
    assert sheet.size == (49, 65)
    assert json.loads(recipes.dumps(sheet.recipe))["targets"] == ["block3:0", "block3:1", "block3:2 + class:banana"]
    assert torch.equal(pixels(ph.again(sheet)), sheet.image)
    assert torch.equal(ph.sheet("block3:0..1", **quick).image, ph.sheet(["block3:0", "block3:1"], **quick).image)
    with pytest.raises(SettingError, match="has no source"):
        ph.again(sheet, source=np.zeros((8, 8, 3), np.uint8))


def test_a_photo_that_is_gone_or_changed_is_answered(photo: Path, tmp_path: Path) -> None:
    ph.dream(photo, **QUICK).save(tmp_path / "a.png")
    photo.unlink()
    with pytest.raises(RecipeError, match=r"there is no file .*--source PATH"):
        ph.again(tmp_path / "a.png")
    Image.new("RGB", (20, 30)).save(photo)
    with pytest.raises(RecipeError, match="another photo or has changed"):
        ph.again(tmp_path / "a.png")
    other = ph.again(tmp_path / "a.png", source=photo)
    assert isinstance(other, Picture)
    assert other.size == (30, 20)  # the size was the photo's own, and is so again


def test_pixels_from_memory_are_asked_for_again(tmp_path: Path) -> None:
    array = np.full((20, 30, 3), 99, np.uint8)
    first = ph.dream(array, **QUICK)
    first.save(tmp_path / "a.png")
    with pytest.raises(RecipeError, match=r"pixels in memory.*source="):
        ph.again(tmp_path / "a.png")
    assert torch.equal(pixels(ph.again(tmp_path / "a.png", source=array)), first.image)


def test_files_without_a_recipe_are_answered(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="carries no recipe"):
        ph.again(photo)
    with pytest.raises(ImageError, match="there is no file"):
        ph.again(tmp_path / "nowhere.png")


def test_other_weights_are_refused_unless_asked_for(photo: Path) -> None:
    recipe = ph.dream(photo, **QUICK).recipe
    text = json.loads(recipes.dumps(recipe))
    text["net"]["sha256"] = "0" * 64
    changed = recipes.loads(json.dumps(text))
    with pytest.raises(RecipeError, match=r"must have the weights 000000000000.*--net lite"):
        ph.again(changed)
    assert isinstance(ph.again(changed, net="lite"), Picture)


def test_global_chance_is_left_alone(photo: Path) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    ph.dream(photo, **QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_of_ones_own_dreams_and_is_known_again(photo: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = nn.Sequential()
    module.add_module("low", nn.Conv2d(3, 8, 3, stride=2, padding=1))
    module.add_module("bend", nn.ReLU())
    module.add_module("high", nn.Conv2d(8, 8, 3, padding=1))
    net = ph.wrap(module, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), name="mine", input_size=32)
    dreamt = ph.dream(photo, net=net, target="high", octaves=1, steps=2)
    assert dreamt.recipe.net.name == "mine"
    dreamt.save(tmp_path / "mine.png")
    assert torch.equal(ph.again(tmp_path / "mine.png", net=net).image, dreamt.image)
    with pytest.raises(UnknownNameError, match="mine"):
        ph.again(tmp_path / "mine.png")
    imagined = ph.imagine("high:2", net=net, size=32, steps=2, sketches=1)
    assert imagined.image.isfinite().all()


def test_a_presets_target_counts_unless_another_is_given() -> None:
    from phosphene.recipe.presets import PRESETS

    noise = Noise(noise=(24, 32))
    for name, preset in PRESETS["dream"].items():
        if "pocket" in preset.targets:
            made = ph.dream(noise, preset=name, net="pocket", steps=0)
            assert made.recipe.model_dump()["target"] == preset.targets["pocket"]
            made = ph.dream(noise, preset=name, net="pocket", steps=0, target="conv2")
            assert made.recipe.model_dump()["target"] == "conv2"


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("lucid", "tileable", True),
        ("maco", "tileable", True),
        ("maco", "symmetry", "mirror"),
        ("maco", "print", "a6@72"),
    ],
)
def test_a_method_refuses_what_it_cannot_do(method: str, setting: str, value: object) -> None:
    with pytest.raises(SettingError, match=f"method {method} and {setting} exclude each other"):
        ph.job("imagine", target="conv2:3", net="pocket", method=method, **{setting: value}).work  # noqa: B018


def test_what_does_not_matter_is_transparent_with_maco_and_white_on_its_sheet() -> None:
    few = {"net": "pocket", "method": "maco", "size": 32, "steps": 2, "sketches": 1, "views": 1}
    made = ph.imagine("conv2:3", detail=0.0, **few)
    assert made.alpha is not None
    assert made.alpha.min() < 0.5 < made.alpha.max() == 1
    assert made.pil().mode == "RGBA"
    sheet = ph.sheet(["conv2:3", "conv2:4"], **few)
    assert sheet.alpha is None
    assert sheet.size == (32, 68)

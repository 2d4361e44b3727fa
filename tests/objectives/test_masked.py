"""Targets with masks of their own: their text, and what is dreamt where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import phosphene as ph
from phosphene.errors import ExpressionError, SettingError
from phosphene.objectives.expr import parse
from phosphene.objectives.masked import masked_parts

ONCE = {"net": "pocket", "octaves": 1, "steps": 1, "jitter": 0, "headroom": 0.0, "precision": "float32"}


@pytest.mark.parametrize(
    "text",
    ["masked(mixed4c, mask.png)", "a + 0.5*masked(b - 2*c, m (1).png)", 'masked(a, "x,y.png") - masked(b:3, n.png)'],
)
def test_the_text_is_kept(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["masked(a)", "masked(a, )", "masked(, m.png)", "masked(a, m.png", "masked"])
def test_a_broken_text_is_refused(text: str) -> None:
    if text == "masked":
        assert str(parse(text)) == text  # a name like any other
        return
    with pytest.raises(ExpressionError):
        parse(text)


def test_one_mask_does_not_go_inside_of_another() -> None:
    with pytest.raises(ExpressionError, match="does not go inside"):
        masked_parts(parse("masked(a + masked(b, m.png), n.png)"))


@pytest.fixture
def halves(tmp_path: Path) -> tuple[Path, Path]:
    white = np.zeros((48, 64), np.uint8)
    white[:, :32] = 255
    left, right = tmp_path / "left.png", tmp_path / "right.png"
    Image.fromarray(white).save(left)
    Image.fromarray(255 - white).save(right)
    return left, right


def test_each_target_is_dreamt_in_its_own_part(halves: tuple[Path, Path], tmp_path: Path) -> None:
    left, right = halves
    photo = 0.3 + 0.4 * torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(3))
    both = ph.dream(photo, target=f"masked(mixed3a, {left}) + masked(mixed4a, {right})", **ONCE)
    one, other = (ph.dream(photo, target=target, **ONCE) for target in ("mixed3a", "mixed4a"))
    assert torch.equal(both.image[..., :32], one.image[..., :32])
    assert torch.equal(both.image[..., 32:], other.image[..., 32:])
    assert not torch.allclose(one.image, other.image, atol=1e-3)
    assert set(both.recipe.guides) == {str(left), str(right)}  # found again by their hashes


def test_what_cannot_be_dreamt_in_parts_says_so(halves: tuple[Path, Path]) -> None:
    photo = torch.full((3, 48, 64), 0.5)
    with pytest.raises(SettingError, match="exclude each other"):
        ph.dream(photo, target=f"masked(mixed3a, {halves[0]})", symmetry="mirror", **ONCE)
    with pytest.raises(ExpressionError, match="for dreams on pictures only"):
        ph.imagine(f"masked(mixed3a, {halves[0]})", net="pocket", size=32, steps=1)
    with pytest.raises(SettingError, match="proportions"):
        ph.dream(torch.full((3, 64, 64), 0.5), target=f"masked(mixed3a, {halves[0]})", **ONCE)

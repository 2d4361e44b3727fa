"""Patching: part of a layer, for one picture, is replaced by what it is for another, and labels follow."""

from __future__ import annotations

import pytest
import torch

from phosphene.attribution import Patch, patched_labels, see
from phosphene.errors import ExpressionError, SettingError, UnknownNameError
from tests.tinynet import tiny_net

NET = tiny_net()
torch.manual_seed(0)
ONE, OTHER = torch.rand(3, 32, 32), torch.rand(3, 32, 32) ** 3


def patched(parts: str, other: torch.Tensor = OTHER) -> dict[str, float]:
    return {each.label: each.patched for each in patched_labels(ONE, other, parts, net=NET)}


def labels(picture: torch.Tensor) -> dict[str, float]:
    return {each.label: each.probability for each in see(picture, net=NET).labels}


@pytest.mark.parametrize("parts", ["middle", "middle:0..11", "high", "low@0,0..1,1", "low:0..3, low:4..7"])
def test_a_whole_layer_of_another_picture_gives_its_labels(parts: str) -> None:
    assert patched(parts) == pytest.approx(labels(OTHER), abs=1e-6)
    assert labels(OTHER) != pytest.approx(labels(ONE), abs=1e-6)


def test_nothing_patched_changes_nothing() -> None:
    assert patched("middle", ONE) == pytest.approx(labels(ONE), abs=1e-6)
    none = patched_labels(ONE, OTHER, [Patch("middle", ())], net=NET)
    assert {each.label: each.patched for each in none} == pytest.approx(labels(ONE), abs=1e-6)
    assert all(each.patched == pytest.approx(each.probability) for each in none)


def test_halves_add_up_to_the_whole_and_a_point_is_one_position() -> None:
    assert patched("high@0,0..0.5,1, high@0.5,0..1,1") == pytest.approx(labels(OTHER), abs=1e-6)
    part = patched("high@0.1,0.1")
    assert part != pytest.approx(labels(ONE), abs=1e-6)
    assert part != pytest.approx(labels(OTHER), abs=1e-6)
    assert Patch("high", None, 0.5, 0.25, 0.5, 0.25).mask(torch.zeros(1, 2, 4, 4)).nonzero().tolist() == [
        [0, 0, 1, 2],
        [0, 1, 1, 2],
    ]


@pytest.mark.parametrize(
    ("parts", "error", "text"),
    [
        ("middle:12", ExpressionError, "channels 0 to 11"),
        ("midle", UnknownNameError, "middle"),
        ("logits", SettingError, "no positions"),
        ("middle@0.5", SettingError, "patch must be"),
        ("middle@0,0..2,1", SettingError, "places go from"),
        ("middle+low", SettingError, "patch must be"),
        ("middle:", ExpressionError, "channel"),
        ("", SettingError, "patch must be"),
    ],
)
def test_parts_that_cannot_be_patched(parts: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        patched(parts)

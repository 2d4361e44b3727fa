"""Groups of what a layer sees: they are where their things are, add up, and are drawn in colours."""

from __future__ import annotations

import pytest
import torch

from phosphene.errors import SettingError
from phosphene.knowledge.groups import groups, groups_picture
from tests.tinynet import tiny_net


def halves() -> torch.Tensor:
    """A picture that is one texture at the left and another at the right."""
    picture = torch.zeros(1, 3, 32, 64)
    picture[..., ::2, :32] = 1
    picture[:, 2, :, 32:] = 1
    return picture


def test_groups_are_where_their_things_are() -> None:
    found = groups(halves(), tiny_net(), layer="middle", count=2, steps=1, size=32)
    assert sum(found.shares) == pytest.approx(1)
    assert found.shares[0] >= found.shares[1]
    left, right = found.maps[..., :14].mean(dim=(1, 2, 3)), found.maps[..., 18:].mean(dim=(1, 2, 3))
    assert ((left / right) > 2).tolist() != ((right / left) > 2).tolist()  # each has a side of its own
    assert sorted((left > right).tolist()) == [False, True]
    assert set(found.labels) <= {"cat", "dog", "golden retriever"}
    page = groups_picture(halves(), found)
    assert page.shape[1] == 3
    assert page[..., :360, :].std() > 0.05
    # The two sides are of other colours: each pixel's hue is that of its group.
    one, other = page[0, :, 100, 100], page[0, :, 100, 600]
    assert one.argmax() != other.argmax()


def test_a_layer_needs_positions_and_as_many_channels() -> None:
    with pytest.raises(SettingError, match="a layer with positions"):
        groups(halves(), tiny_net(), layer="logits")
    with pytest.raises(SettingError, match="1 to 8"):
        groups(halves(), tiny_net(), layer="low", count=9)

"""Motion between frames: where it leads, where it cannot be trusted, and cuts."""

from __future__ import annotations

import pytest
import torch
from skimage import data
from torch.nn import functional as F

from phosphene.errors import MissingExtraError
from phosphene.loops import optical_flow as flows
from phosphene.loops.optical_flow import follow, luminance, warp
from tests.loops.scenes import Scene

SCENE = Scene(96, 160)


def test_flow_leads_to_where_things_were() -> None:
    now, before = SCENE.frame(3), SCENE.frame(2)
    motion = follow(luminance(now), luminance(before), (96, 160))
    true, seen = SCENE.flow(3)
    error = (motion.flow - true).square().sum(dim=1, keepdim=True).sqrt()
    assert (error * seen).sum() / seen.sum() < 0.4
    assert not motion.cut


def test_what_came_into_view_is_not_trusted() -> None:
    scene = Scene(96, 160, speed=3.0)
    motion = follow(luminance(scene.frame(3)), luminance(scene.frame(2)), (96, 160))
    _, seen = scene.flow(3)
    assert motion.known[seen == 0].mean() < motion.known[seen == 1].mean() - 0.3


@pytest.mark.parametrize("others", [("coffee", "astronaut"), ("chelsea", "astronaut"), ("rocket", "coffee")])
def test_another_scene_is_a_cut(others: tuple[str, str]) -> None:
    small = [
        F.interpolate(torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None] / 255.0, (90, 120), mode="area")
        for name in others
    ]
    assert follow(luminance(small[0]), luminance(small[1]), (90, 120)).cut
    assert not follow(luminance(small[0]), luminance(small[0]), (90, 120)).cut


def test_a_flash_is_no_cut() -> None:
    now = SCENE.frame(1)
    assert not follow(luminance((now * 1.1).clamp(0, 1)), luminance(SCENE.frame(0)), (96, 160)).cut


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (700, 20)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    small = luminance(torch.rand(1, 3, *size))
    motion = follow(small, small, size)
    assert motion.flow.shape == (1, 2, *size)
    assert torch.isfinite(motion.flow).all()


def test_pictures_are_moved_along() -> None:
    picture = torch.rand(1, 3, 20, 30)
    left = torch.zeros(1, 2, 20, 30)
    left[:, 0] = 4.0
    assert torch.allclose(warp(picture, left)[..., :-4], picture[..., 4:], atol=1e-5)


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    flows.opencv.cache_clear()
    with pytest.raises(MissingExtraError, match=r"phosphene\[video\]"):
        flows.opencv()

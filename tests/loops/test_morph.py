"""Morphs: stations that are both, aligned pictures, smooth frames, and going on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise

import pytest
import torch
from torch import Tensor

import phosphene as ph
from phosphene.errors import SettingError
from phosphene.loops.frames import Frame
from phosphene.loops.morph import MorphSettings, keyframes, morph_frames
from phosphene.loops.stages import ImagineSettings
from phosphene.loops.step import State, unpack
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from tests.tinynet import tiny_net

SETTINGS = MorphSettings(
    frames=9,
    fps=Fraction(5),
    size=(40, 56),
    between=1,
    shared=0.5,
    loop=False,
    seed=1,
    look=ImagineSettings(steps=16, views=2, sketches=1, diversity=0.0),
)


def morph(*ideas: str, settings: MorphSettings = SETTINGS, state: State | None = None) -> list[Frame]:
    net = tiny_net()
    resolved = tuple(resolve(parse(idea), net.card) for idea in ideas)
    return list(morph_frames(net, resolved, settings, torch.float32, state=state))


def steps_between(images: list[Tensor]) -> Tensor:
    return torch.stack([(a - b).abs().mean() for a, b in pairwise(images)])


def test_stations_lead_from_idea_to_idea() -> None:
    assert keyframes(3, 1).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    assert keyframes(2, 0, loop=True).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert torch.allclose(keyframes(4, 3, loop=True).sum(dim=1), torch.ones(17))


def test_each_end_shows_its_idea() -> None:
    frames = morph("cat", "dog")
    net = tiny_net()
    cat, dog = (net.card.find_label(name) for name in ("cat", "dog"))
    first, last = (net(frames[i].image, ["logits"])["logits"][0] for i in (0, -1))
    assert first[cat] - first[dog] > last[cat] - last[dog]
    assert [frame.index for frame in frames] == list(range(9))
    assert all(frame.image.shape == (1, 3, 40, 56) for frame in frames)
    assert all(frame.image.min() >= 0 and frame.image.max() <= 1 for frame in frames)


def test_frames_are_closer_to_their_neighbours_than_the_ends_are() -> None:
    images = [frame.image for frame in morph("cat", "dog", "high:2")]
    assert steps_between(images).max() < (images[0] - images[-1]).abs().mean() * 1.5


def test_more_that_is_shared_is_more_alike() -> None:
    def apart(shared: float) -> float:
        images = [frame.image for frame in morph("cat", "dog", settings=replace(SETTINGS, shared=shared))]
        return float((images[0] - images[-1]).abs().mean())

    assert apart(0.9) < apart(0.1)


@pytest.mark.parametrize("loop", [False, True])
def test_it_goes_on_to_the_same_bytes(loop: bool) -> None:
    settings = replace(SETTINGS, loop=loop)
    whole = morph("cat", "high:2", settings=settings)
    for stop in (1, 6):
        rest = morph("cat", "high:2", settings=settings, state=unpack(whole[stop - 1].saved()))
        assert [frame.index for frame in rest] == list(range(stop, 9))
        assert all(torch.equal(a.image, b.image) for a, b in zip(whole[stop:], rest, strict=True))


def test_a_closed_morph_ends_where_it_begins() -> None:
    images = [frame.image for frame in morph("cat", "dog", settings=replace(SETTINGS, loop=True, frames=16))]
    steps = steps_between([*images, images[0]])
    assert steps[-1] <= steps.max()


def test_memory_does_not_hold_frames() -> None:
    net = tiny_net()
    ideas = tuple(resolve(parse(idea), net.card) for idea in ("cat", "dog"))
    states = [
        sum(tensor.numel() for tensor in frame.state.values())
        for frame in islice(morph_frames(net, ideas, replace(SETTINGS, frames=1000), torch.float32), 30)
    ]
    assert len(set(states)) == 1


@pytest.mark.parametrize("change", [{"between": -1}, {"shared": 1.5}])
def test_settings_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        replace(SETTINGS, **change)


def test_imagining_tells_how_far_it_has_come() -> None:
    run = ph.morph(["mixed3a:1", "mixed3a:2"], seconds=0.2, fps=10, size=32, steps=4, between=0)
    shares: list[float] = []
    run.preparation.on_progress = shares.append
    next(iter(run))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > 4

"""Morphs: keyframes that are both, aligned pictures, smooth frames, and going on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise

import pytest
import torch
from torch import Tensor

from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.morph import keyframes, morph_steps
from phosphene.loops.step import State, Step, pack, unpack
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.films import MorphSettings
from phosphene.recipe.stills import ImagineSettings
from tests.tinynet import tiny_net

SETTINGS = MorphSettings(seconds=1.8, fps="5", between=1, steps=16, views=2)
SIZE = (40, 56)


def changed(**changes: object) -> MorphSettings:
    return MorphSettings(**{**SETTINGS.model_dump(), **changes})


def steps_of(*ideas: str, settings: MorphSettings = SETTINGS, state: State | None = None) -> Iterator[Step]:
    net = tiny_net()
    resolved = tuple(resolve(parse(idea), net.card) for idea in ideas)
    look = ImagineSettings(steps=settings.steps, views=settings.views)
    return morph_steps(
        net, resolved, settings, look, size=SIZE, dtype=torch.float32, arithmetic=Arithmetic(1), state=state
    )


def morph(*ideas: str, settings: MorphSettings = SETTINGS) -> list[Step]:
    """Return the steps that finish a frame."""
    return [step for step in steps_of(*ideas, settings=settings) if step.frame is not None]


def steps_between(images: list[Tensor]) -> Tensor:
    return torch.stack([(a - b).abs().mean() for a, b in pairwise(images)])


def test_keyframes_lead_from_idea_to_idea() -> None:
    assert keyframes(3, 1).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    assert keyframes(2, 0, loop=True).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert torch.allclose(keyframes(4, 3, loop=True).sum(dim=1), torch.ones(17))


def test_each_end_shows_its_idea() -> None:
    frames = morph("cat", "dog")
    net = tiny_net()
    cat, dog = (net.card.find_label(name) for name in ("cat", "dog"))
    first, last = (net(frames[i].image, ["logits"])["logits"][0] for i in (0, -1))
    assert first[cat] - first[dog] > last[cat] - last[dog]
    assert [step.frame and step.frame.index for step in frames] == list(range(9))
    assert all(frame.image.shape == (1, 3, 40, 56) for frame in frames)
    assert all(frame.image.min() >= 0 and frame.image.max() <= 1 for frame in frames)


def test_frames_are_closer_to_their_neighbours_than_the_ends_are() -> None:
    images = [frame.image for frame in morph("cat", "dog", "high:2")]
    assert steps_between(images).max() < (images[0] - images[-1]).abs().mean() * 1.5


def test_more_that_is_shared_is_more_alike() -> None:
    def apart(shared: float) -> float:
        images = [frame.image for frame in morph("cat", "dog", settings=changed(shared=shared))]
        return float((images[0] - images[-1]).abs().mean())

    assert apart(0.9) < apart(0.1)


@pytest.mark.parametrize("loop", [False, True])
def test_it_goes_on_to_the_same_bytes(loop: bool) -> None:
    settings = changed(loop=loop)
    whole = list(steps_of("cat", "high:2", settings=settings))
    imagining = sum(step.frame is None for step in whole)
    for stop in (1, 9, imagining - 1, imagining, imagining + 3):
        kept = pack(whole[stop - 1].state)
        rest = list(steps_of("cat", "high:2", settings=settings, state=unpack(kept)))
        assert [step.step for step in rest] == [step.step for step in whole[stop:]]
        assert all(torch.equal(a.image, b.image) for a, b in zip(whole[stop:], rest, strict=True))


def test_a_closed_morph_ends_where_it_begins() -> None:
    images = [frame.image for frame in morph("cat", "dog", settings=changed(loop=True, seconds=1.6))]
    steps = steps_between([*images, images[0]])
    assert steps[-1] <= steps.max()


def test_memory_does_not_hold_frames() -> None:
    sizes = [
        sum(tensor.numel() for tensor in step.state.values())
        for step in islice((step for step in steps_of("cat", "dog", settings=changed(seconds=200)) if step.frame), 30)
    ]
    assert len(set(sizes)) == 1


def test_imagining_tells_how_far_it_has_come() -> None:
    steps = list(steps_of("cat", "dog"))
    progress = [step.progress for step in steps]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert sum(step.frame is None for step in steps) > 16
    assert all(step.stage.startswith("imagining") == (step.frame is None) for step in steps)

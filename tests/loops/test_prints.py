"""A print is the same dream as the picture that it is a print of, with more detail."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from phosphene.gradients.engine import Engine
from phosphene.loops import prints
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import PhotoBases, canvas_for, dream_steps
from phosphene.loops.octaves import Surface
from phosphene.loops.prints import carried_on, print_steps, surface_for
from phosphene.loops.step import Step
from phosphene.media.planes import Planes
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import resize
from tests.tinynet import tiny_net

SETTINGS = DreamSettings(octaves=2, steps=2, jitter=4, step_size=0.03)
BEGUN, BOX = (40, 48), ((0, 40), (6, 42))
FURTHER = [(56, 50), (78, 70)]


def engine() -> Engine:
    net = tiny_net()
    return Engine(net, resolve(parse("high"), net.card), precision="float32", tile=24)


def photo() -> Tensor:
    return torch.rand(1, 3, 100, 120, generator=torch.Generator().manual_seed(4)) * 0.6 + 0.2


def surface(store: Planes | None = None, settings: DreamSettings = SETTINGS) -> Surface:
    own = PhotoBases(resize(photo(), BEGUN, clamp=True), settings, lambda image: canvas_for(settings, image))
    return surface_for(engine(), photo(), BEGUN, BOX, FURTHER, settings, Arithmetic(1), own, store)


def steps_of(settings: DreamSettings = SETTINGS) -> list[Step]:
    return list(print_steps(surface(settings=settings), settings.steps, None))


@pytest.mark.parametrize("resampling", ["bicubic", "linear"])
def test_the_octaves_of_the_picture_are_the_same_to_the_byte(resampling: str) -> None:
    settings = SETTINGS.model_copy(update={"resampling": resampling})
    image = resize(photo(), BEGUN, clamp=True)
    small = list(dream_steps(engine(), image, settings, arithmetic=Arithmetic(1)))
    large = steps_of(settings)
    assert len(large) == len(small) + 2 * len(FURTHER)
    assert all(torch.equal(one.image, other.image) for one, other in zip(small, large, strict=False))
    assert [tuple(step.image.shape[-2:]) for step in large[len(small) :: 2]] == FURTHER


def test_what_was_dreamt_stays_in_its_place() -> None:
    large = steps_of()
    small = large[3].image - resize(photo(), BEGUN, clamp=True)
    rows, columns = BOX
    begun = small[:, :, slice(*rows), slice(*columns)]
    base = photo()[:, :, :, 15:105]  # the same part
    added = resize(large[-1].image - resize(base, FURTHER[-1]), (40, 36))
    both = torch.corrcoef(torch.stack((begun.flatten(), added.flatten())))
    shifted = torch.corrcoef(torch.stack((begun.roll(5, 3).flatten(), added.flatten())))
    assert both[0, 1] > 0.6
    assert both[0, 1] > shifted[0, 1] + 0.15


def test_octaves_too_large_for_memory_are_done_on_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = steps_of()[-1].image
    for limit in (3000, 1000):  # the last octave, or both further ones
        monkeypatch.setattr(prints, "IN_MEMORY", limit)
        store = Planes(tmp_path / str(limit))
        for step in print_steps(surface(store), SETTINGS.steps, None):
            assert step.progress <= 1
        found = store.read("canvas-3", (0, FURTHER[-1][0]), (0, FURTHER[-1][1]))
        torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)
        assert {path.name for path in (tmp_path / str(limit)).glob("canvas*")} == {"canvas-3"}


def test_an_imagined_picture_is_the_smallest_octave() -> None:
    picture = photo()[:, :, :40, :48]
    made = list(dream_steps(engine(), picture, SETTINGS, arithmetic=Arithmetic(0)))

    def on(image: Tensor) -> Surface:
        return surface_for(engine(), image, BEGUN, ((0, 40), (0, 48)), [(56, 67)], SETTINGS, Arithmetic(1))

    steps = list(carried_on(lambda state: iter(made), lambda image: image, on, 2, 0.5, None))
    assert [step.progress for step in steps] == sorted(step.progress for step in steps)
    assert steps[-1].progress == pytest.approx(1)
    assert steps[-1].image.shape == (1, 3, 56, 67)
    begun = made[-1].image
    shown = torch.stack((resize(steps[-1].image, BEGUN).flatten(), begun.flatten()))
    assert torch.corrcoef(shown)[0, 1] > 0.8
    resumed = list(carried_on(lambda state: iter(()), lambda image: image, on, 2, 0.5, steps[-2].state))
    assert len(resumed) == 1
    assert torch.equal(resumed[-1].image, steps[-1].image)

"""The settings of `--preset 2015` against the 2015 notebook's algorithm, written out here with NumPy and SciPy."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import ndimage

from phosphene.gradients.engine import Engine
from phosphene.loops.dream import dream_steps
from phosphene.loops.target_schedule import TargetSchedule
from phosphene.loops.version1 import Version1
from phosphene.loops.zoom import zoom_steps
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.films import ZoomSettings
from phosphene.recipe.keyframes import read_keys
from phosphene.recipe.presets import PRESETS
from phosphene.recipe.stills import DreamSettings
from tests.tinynet import tiny_net

NOTEBOOK = DreamSettings(
    octaves=4,
    octave_scale=1.4,
    steps=10,
    step_size=1.5 / 255,
    jitter=32,
    margin=0,
    shaping="normalise",
    natural_colour=0.0,
    headroom=0.0,
    resampling="linear",
    seed=5,
)
STEP = 1.5  # of 255


def reference_step(
    net: Net, layer: str, source: np.ndarray, shift: tuple[int, int], *, clip: bool = True
) -> np.ndarray:
    """One step on pixels of 0 to 255."""
    rolled = np.roll(source, shift, axis=(2, 3))
    leaf = torch.tensor(rolled / 255, dtype=torch.float64).requires_grad_()
    (0.5 * net(leaf, [layer])[layer].square().sum()).backward()
    gradient = leaf.grad.numpy() / 255
    moved = rolled + STEP / np.abs(gradient).mean() * gradient
    moved = np.roll(moved, (-shift[0], -shift[1]), axis=(2, 3))
    return np.clip(moved, 0, 255) if clip else moved


def reference_dream(net: Net, layer: str, photo: np.ndarray, shifts: list[tuple[int, int]]) -> np.ndarray:
    """The whole dream: four octaves, the smallest first."""
    octaves = [photo]
    for _ in range(3):
        octaves.append(ndimage.zoom(octaves[-1], (1, 1, 1 / 1.4, 1 / 1.4), order=1))
    detail = np.zeros_like(octaves[-1])
    upcoming = iter(shifts)
    for base in reversed(octaves):
        factors = np.array(base.shape) / np.array(detail.shape)
        detail = ndimage.zoom(detail, factors, order=1)
        source = base + detail
        for _ in range(10):
            source = reference_step(net, layer, source, next(upcoming))
        detail = source - base
    return source


def shifts_of(settings: DreamSettings) -> list[tuple[int, int]]:
    """The jitter that a dream with these settings draws, read off what the engine is shown."""
    shifts = []
    for octave in range(settings.octaves):
        for step in range(settings.steps):
            rng = random.Random(f"{settings.seed}/{octave}/{step}")
            shifts.append((rng.randint(-32, 32), rng.randint(-32, 32)))
    return shifts


def engine_for(net: Net, layer: str) -> Engine:
    return Engine(net, resolve(parse(layer), net.card, normalised=False), precision="float32")


def test_the_whole_dream_is_the_notebooks() -> None:
    photo = torch.rand(1, 3, 70, 91, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.1
    *_, last = dream_steps(engine_for(tiny_net(), "high"), photo, NOTEBOOK, arithmetic=Version1(NOTEBOOK.seed))
    expected = reference_dream(tiny_net(dtype=torch.float64), "high", photo.double().numpy() * 255, shifts_of(NOTEBOOK))
    difference = np.abs(last.image.numpy() * 255 - expected)
    assert np.median(difference) < 0.01
    assert difference.mean() < 0.25  # float32 against float64, over 40 steps


def test_a_step_changes_pixels_by_one_and_a_half_on_average() -> None:
    photo = torch.full((1, 3, 48, 48), 0.5)
    first = next(dream_steps(engine_for(tiny_net(), "high"), photo, NOTEBOOK, arithmetic=Version1(NOTEBOOK.seed)))
    small = torch.full_like(first.image, 0.5)
    assert (first.image - small).abs().mean().item() * 255 == pytest.approx(1.5, rel=1e-4)


def test_jitter_is_drawn_from_all_of_its_range_and_moves_both_axes() -> None:
    seen: list[torch.Tensor] = []

    class Spy(Engine):
        """Notes what it is shown, and leaves it as it is."""

        def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.append(image)
            return torch.zeros(len(image)), torch.zeros_like(image)

    net = tiny_net()
    spy = Spy(net, resolve(parse("high"), net.card, normalised=False), precision="float32")
    image = torch.zeros(1, 3, 200, 200)
    image[..., 100, 100] = 0.9
    chosen = NOTEBOOK.model_copy(update={"octaves": 1, "steps": 400})
    list(dream_steps(spy, image, chosen, arithmetic=Version1(5)))
    spots = torch.stack([shown[0, 0].flatten().argmax() for shown in seen])
    rows, columns = spots // 200 - 100, spots % 200 - 100
    for offsets in (rows, columns):
        assert offsets.min() == -32
        assert offsets.max() == 32


def test_zero_steps_give_back_the_photograph_exactly() -> None:
    photo = torch.rand(1, 3, 50, 60)
    none = NOTEBOOK.model_copy(update={"steps": 0})
    steps = list(dream_steps(engine_for(tiny_net(), "high"), photo, none, arithmetic=Version1(5)))
    assert not steps


def test_a_zoom_enlarges_each_frame_about_its_middle_linearly() -> None:
    """Frames that are not dreamt on show the motion alone: 1 / 0.95 of the size of the last one."""
    net = tiny_net()
    photo = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(3))
    objective = resolve(parse("high"), net.card, normalised=False)
    schedule = TargetSchedule(engine_for(net, "high"), read_keys("high").map(lambda _: objective))
    # Frames that are not dreamt on: no step is shorter than this one.
    preset = {**PRESETS["zoom"]["2015"].settings, "octaves": 1, "steps": 1, "step_size": 1e-9, "seconds": 0.12}
    steps = zoom_steps(schedule, photo, ZoomSettings(**preset), arithmetic=Version1(5))
    first, second, _ = (step for step in steps if step.frame is not None)
    middle = [31.5, 39.5]  # of pixels 0 to 63 and 0 to 79
    for plane, moved in zip(first.image[0].numpy(), second.image[0].numpy(), strict=True):
        offset = [each * 0.05 for each in middle]
        expected = ndimage.affine_transform(plane, [0.95, 0.95], offset, order=1)
        assert np.abs(moved - expected)[2:-2, 2:-2].max() < 1e-3


def test_a_zoom_has_a_hundred_frames() -> None:
    preset = PRESETS["zoom"]["2015"].settings
    assert preset["seconds"] * Fraction(preset["fps"]) == 100

"""Every canvas can hold every picture, of any size, and passes gradients on."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data, transform

from phosphene.canvas.base import Canvas
from phosphene.canvas.colour import from_rgb, step_matrix, to_rgb
from phosphene.canvas.fourier import FourierCanvas, spectrum_weights
from phosphene.canvas.lucid import LucidCanvas
from phosphene.canvas.pixels import PixelCanvas
from phosphene.canvas.symmetric import SymmetricCanvas
from phosphene.types import Image, Size

NOISE: dict[str, Callable[[Size, int, torch.Generator], Canvas]] = {
    "fourier": lambda size, count, rng: FourierCanvas(size, count, generator=rng),
    "fourier, rgb": lambda size, count, rng: FourierCanvas(size, count, decorrelate=False, generator=rng),
    "fourier, steep": lambda size, count, rng: FourierCanvas(size, count, decay=2.0, generator=rng),
    "lucid": lambda size, count, rng: LucidCanvas(size, count, generator=rng),
}
HOLDING: dict[str, Callable[[Image], Canvas]] = {
    "pixels": PixelCanvas,
    "fourier": FourierCanvas.from_image,
    "fourier, rgb": lambda image: FourierCanvas.from_image(image, decorrelate=False),
    "fourier, steep": lambda image: FourierCanvas.from_image(image, decay=2.0),
    "lucid": LucidCanvas((1, 1), generator=torch.Generator()).showing,
}
SIDES = st.integers(1, 19)


def photo(name: str, size: Size) -> Image:
    small = transform.resize(getattr(data, name)(), size, anti_aliasing=True)
    return torch.from_numpy(small).float().permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", HOLDING)
@pytest.mark.parametrize("subject", ["astronaut", "chelsea", "hubble_deep_field"])
def test_a_canvas_can_be_a_photograph(name: str, subject: str) -> None:
    image = photo(subject, (61, 90))
    assert (HOLDING[name](image)() - image).abs().mean() < 1 / 255


@pytest.mark.parametrize("name", HOLDING)
@given(height=SIDES, width=SIDES, count=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_canvas_can_be_any_picture_of_any_size(name: str, height: int, width: int, count: int, seed: int) -> None:
    image = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))
    image = (image * 1.2 - 0.1).clamp(0, 1)  # black and white occur
    canvas = HOLDING[name](image)
    assert canvas.size == (height, width)
    torch.testing.assert_close(canvas(), image, rtol=0, atol=1 / 255)


@pytest.mark.parametrize("name", NOISE)
@given(height=SIDES, width=SIDES, count=st.integers(1, 3))
def test_noise_is_faint_and_follows_the_seed(name: str, height: int, width: int, count: int) -> None:
    def begin(seed: int) -> Image:
        return NOISE[name]((height, width), count, torch.Generator().manual_seed(seed))().detach()

    image = begin(1)
    assert image.shape == (count, 3, height, width)
    assert image.min() > 0
    assert image.max() < 1
    assert torch.equal(image, begin(1))
    assert not torch.equal(image, begin(2))


@pytest.mark.parametrize("name", NOISE)
def test_ascent_reaches_a_target_from_noise(name: str) -> None:
    canvas = NOISE[name]((12, 17), 1, torch.Generator().manual_seed(0))
    ascends_to(canvas, photo("coffee", (12, 17)))


def test_pixels_reach_a_target_and_stay_in_range() -> None:
    goal = photo("coffee", (12, 17)) * 1.5 - 0.25  # parts of it out of range
    canvas = PixelCanvas(torch.full_like(goal, 0.5))
    ascends_to(canvas, goal)
    assert canvas().min() >= 0
    assert canvas().max() <= 1


def ascends_to(canvas: Canvas, goal: Image) -> None:
    """Assert that Adam on the parameters brings the image closer to the goal."""
    before = (canvas() - goal).abs().mean().item()
    optimiser = torch.optim.Adam(canvas.parameters(), lr=0.1)
    for _ in range(90):
        optimiser.zero_grad()
        (canvas() - goal).square().sum().backward()
        optimiser.step()
        canvas.settle()
    assert (canvas() - goal).abs().mean() < before / 4


@given(height=SIDES, width=SIDES, decay=st.floats(0, 3))
def test_a_spectrum_of_unit_deviation_gives_a_picture_of_unit_deviation(height: int, width: int, decay: float) -> None:
    weights = spectrum_weights((height, width), decay)
    # The expected energy, in closed form: each number of the spectrum contributes its weight's square.
    twice = [1.0 if column in (0, width / 2) else 2.0 for column in range(width // 2 + 1)]
    energy = (2 * weights.square() * torch.tensor(twice)).sum() / (height * width)
    assert math.isclose(energy, 1, rel_tol=1e-4)


def test_a_steeper_decay_gives_smoother_noise() -> None:
    def roughness(decay: float) -> float:
        image = FourierCanvas((32, 32), decay=decay, generator=torch.Generator().manual_seed(0))().detach()
        return float(image.diff(dim=-1).std() / image.std())

    assert roughness(0.0) > roughness(1.0) > roughness(2.0)


def test_decorrelated_noise_has_natural_colours() -> None:
    """Mostly light and dark: red, green and blue rise and fall together, as in photographs."""
    image = FourierCanvas((64, 64), count=8, decay=0.5, generator=torch.Generator().manual_seed(0))()
    colours = torch.corrcoef(image.detach().transpose(0, 1).flatten(1))
    assert colours[0, 1] > 0.8
    assert colours[1, 2] > 0.8
    plain = FourierCanvas((64, 64), 8, decorrelate=False, generator=torch.Generator().manual_seed(0))()
    assert torch.corrcoef(plain.detach().transpose(0, 1).flatten(1))[0, 1].abs() < 0.2


def test_decorrelated_colours_are_undone() -> None:
    colours = torch.rand(2, 3, 4, 5) - 0.5
    torch.testing.assert_close(to_rgb(from_rgb(colours)), colours)
    assert torch.equal(step_matrix(1.0), step_matrix(1.0).T)


@pytest.mark.parametrize("name", HOLDING)
def test_an_enlarged_canvas_shows_the_same_image(name: str) -> None:
    image = photo("coffee", (24, 37))
    canvas = HOLDING[name](image)
    larger = canvas.showing(canvas.resized((48, 74)))
    assert larger.size == (48, 74)
    small = torch.nn.functional.interpolate(larger().detach(), (24, 37), mode="area")
    assert (small - image).abs().mean() < 2 / 255


@pytest.mark.parametrize("name", HOLDING)
def test_uphill_is_how_the_image_moves_for_a_step_along_the_gradient(name: str) -> None:
    canvas = HOLDING[name](torch.rand(1, 3, 9, 14) * 0.6 + 0.2).double()
    gradient = torch.randn(1, 3, 9, 14, dtype=torch.float64)
    if name == "pixels":  # which moves in natural colours
        canvas = PixelCanvas(canvas().detach(), natural_colour=0.0)
    direction = canvas.uphill(gradient.clone())
    before = canvas().detach().clone()
    steps = torch.autograd.grad(canvas(), list(canvas.parameters()), gradient)
    with torch.no_grad():
        for parameter, step in zip(canvas.parameters(), steps, strict=True):
            parameter += 1e-7 * step
    torch.testing.assert_close((canvas().detach() - before) / 1e-7, direction, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*HOLDING, "symmetric"])
def test_a_canvas_moves_in_a_direction_and_stays_in_range(name: str) -> None:
    image = torch.rand(1, 3, 12, 15) * 0.6 + 0.2
    canvas = SymmetricCanvas(PixelCanvas(image), "mirror") if name == "symmetric" else HOLDING[name](image)
    before = canvas().detach().clone()
    direction = torch.randn(1, 3, 12, 15)
    direction = direction + direction.flip(-1)
    moved = canvas.moved(direction, 0.01)
    torch.testing.assert_close(moved().detach() - before, 0.01 * direction, rtol=0, atol=2 / 255)
    assert torch.equal(canvas().detach(), before)
    far = canvas.moved(direction, 10.0)()
    assert far.min() >= 0
    assert far.max() <= 1


def test_steps_of_pixels_follow_natural_colours() -> None:
    gradient = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    image = torch.full((1, 3, 16, 16), 0.5)
    plain, natural = (PixelCanvas(image, natural_colour=each).uphill(gradient.clone()) for each in (0.0, 2.0))
    torch.testing.assert_close(plain, gradient)
    correlated = torch.corrcoef(natural.transpose(0, 1).flatten(1))
    assert correlated[0, 1] > 0.8
    assert correlated[1, 2] > 0.8

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
from phosphene.canvas.pixels import PixelCanvas
from phosphene.types import Image, Size

NOISE: dict[str, Callable[[Size, int, torch.Generator], Canvas]] = {
    "pixels": lambda size, count, rng: PixelCanvas(size, count, generator=rng),
    "fourier": lambda size, count, rng: FourierCanvas(size, count, generator=rng),
    "fourier, rgb": lambda size, count, rng: FourierCanvas(size, count, decorrelate=False, generator=rng),
    "fourier, steep": lambda size, count, rng: FourierCanvas(size, count, decay=2.0, generator=rng),
}
HOLDING: dict[str, Callable[[Image], Canvas]] = {
    "pixels": PixelCanvas.from_image,
    "fourier": FourierCanvas.from_image,
    "fourier, rgb": lambda image: FourierCanvas.from_image(image, decorrelate=False),
    "fourier, steep": lambda image: FourierCanvas.from_image(image, decay=2.0),
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
    goal = photo("coffee", (12, 17))
    before = (canvas() - goal).abs().mean().item()
    optimiser = torch.optim.Adam(canvas.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        (canvas() - goal).square().sum().backward()
        optimiser.step()
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

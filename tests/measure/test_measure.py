"""What is known of a picture is what is measured of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from phosphene.fractals import escape
from phosphene.fractals.escape import NEVER, Rules
from phosphene.fractals.formula import parse
from phosphene.measure import colour, dimension, polar
from phosphene.measure.fit import line
from phosphene.measure.page import page
from phosphene.measure.report import measure
from phosphene.measure.spectrum import spectrum
from phosphene.media.image.jpeg import as_jpeg


def koch(width: int, depth: int) -> np.ndarray:
    points = np.array([0, 1 + 0j])
    for _ in range(depth):
        a, third = points[:-1], np.diff(points) / 3
        peak = a + third + third * np.exp(1j * np.pi / 3)
        points = np.append(np.stack([a, a + third, peak, a + 2 * third], 1).ravel(), 1)
    drawn = np.zeros((width // 2, width))
    for share in np.linspace(0, 1, 8, endpoint=False):
        place = points[:-1] + np.diff(points) * share
        drawn[(width // 2 - 4 - place.imag * (width - 8)).astype(int), (4 + place.real * (width - 8)).astype(int)] = 1
    return drawn


def carpet(depth: int) -> np.ndarray:
    drawn = np.ones((1, 1))
    for _ in range(depth):
        drawn = np.block([[drawn] * 3, [drawn, np.zeros_like(drawn), drawn], [drawn] * 3])
    return drawn


def straight(side: int) -> np.ndarray:
    drawn = np.zeros((side, side))
    drawn[side // 2] = 1
    return drawn


@pytest.mark.parametrize(
    ("drawn", "known"),
    [
        (koch(1024, 7), np.log(4) / np.log(3)),
        (carpet(6), np.log(8) / np.log(3)),
        (np.ones((400, 500)), 2.0),
        (straight(500), 1.0),
        (np.eye(500), 1.0),
    ],
    ids=["Koch", "carpet", "plane", "line", "diagonal"],
)
def test_dimensions_are_the_known_ones(drawn: np.ndarray, known: float) -> None:
    pixels, _ = dimension.chosen(drawn, "auto")
    assert -dimension.box_counting(pixels).line.slope == pytest.approx(known, abs=0.05)
    assert dimension.correlation(pixels).line.slope == pytest.approx(known, abs=0.05)


def test_the_border_of_the_mandelbrot_set_is_rougher_the_closer_one_looks() -> None:
    """Its dimension is 2 (Shishikura 1991), which no finite picture reaches."""
    found = []
    for centre, width, iterations in ((-0.6 + 0j, 3.0, 200), (-0.7435 + 0.1314j, 0.01, 1000)):
        side = np.linspace(-width / 2, width / 2, 300)
        x, y = np.meshgrid(side + centre.real, side + centre.imag)
        ready = escape.prepare(parse("z^2 + c"), Rules(iterations, 2.0))
        inside = escape.iterate(ready, x.ravel(), y.ravel()).count.reshape(x.shape) > iterations // 4
        inside |= escape.iterate(ready, x.ravel(), y.ravel()).count.reshape(x.shape) == NEVER
        pixels, _ = dimension.chosen(inside.astype(float), "border")
        found.append(-dimension.box_counting(pixels).line.slope)
    assert 1.0 < found[0] < found[1] <= 2.0


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_spectra_of_noise_have_their_exponent(exponent: float) -> None:
    side = 1024
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    white = np.fft.rfft2(np.random.default_rng(5).normal(size=(side, side)))
    found = spectrum(np.fft.irfft2(white * frequency ** (-exponent / 2)))
    assert found.exponent == pytest.approx(exponent, abs=0.03)
    assert found.line.range[0] < np.log(0.01)


@pytest.mark.parametrize(("factor", "turn"), [(1.7, 30), (1.41, 0), (2.3, -45)])
def test_a_picture_that_contains_itself_is_found_at_its_factor(factor: float, turn: float) -> None:
    y, x = np.mgrid[0:300, 0:300] - 149.5
    rounds = np.log(np.hypot(x, y)) / np.log(factor)
    angle = np.arctan2(-y, x) - np.deg2rad(turn) * rounds
    waves = np.sin(2 * np.pi * rounds) * np.cos(angle) + np.cos(4 * np.pi * rounds + 1) * np.sin(3 * angle)
    found = polar.self_similarity(waves + 0.5 * np.cos(angle))
    assert found.best == pytest.approx(factor, rel=0.02)
    assert found.best_turn == pytest.approx(turn, abs=2)
    assert found.best_likeness > 0.9
    noise = polar.self_similarity(np.random.default_rng(0).normal(size=(300, 300)))
    assert noise.best is None


def test_a_magnified_picture_is_found_in_another() -> None:
    y, x = np.mgrid[0:200, 0:200] - 99.5
    first, second = (np.sin(x * s / 9) + np.cos(y * s / 7 + x * s / 21) for s in (1.0, 1 / 1.3))
    found = polar.self_similarity(first, second)
    assert found.best == pytest.approx(1.3, rel=0.03)


def test_measures_of_a_product_are_multifractal_as_computed() -> None:
    shares = np.array([[0.1, 0.2], [0.3, 0.4]])
    mass = np.ones((1, 1))
    for _ in range(7):
        mass = np.kron(mass, shares)
    found = dimension.multifractal(mass * 1e6)
    for moment, value in zip(found.moments, found.dimensions, strict=True):
        if moment not in (-2, -1, 1):  # what is added to black pixels shows in the rarest
            known = np.log((shares**moment).sum()) / np.log(0.5) / (moment - 1)
            assert value == pytest.approx(known, abs=0.01)
    even = (found.moments >= 0) & (found.moments != 1)
    assert (found.errors[even] < 0.01).all()
    uneven = dimension.multifractal(np.pad(np.full((60, 60), 1.0), 34))  # a square is no fractal: its line is bent
    assert uneven.errors[list(uneven.moments).index(2)] > 0.004


def test_symmetries_and_seams_are_found() -> None:
    y, x = np.mgrid[0:128, 0:128] - 63.5
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    star = np.cos(5 * angle + radius / 6) + np.sin(10 * angle - radius / 9) / 3
    assert polar.symmetry_found(polar.symmetries(star)) == ["rotate:5"]
    mirrored = np.random.default_rng(0).normal(size=(16, 16)).repeat(8, 0).repeat(8, 1)
    mirrored = mirrored + mirrored[:, ::-1]
    assert polar.symmetry_found(polar.symmetries(mirrored)) == ["mirror"]
    wave = np.sin(2 * np.pi * np.mgrid[0:64, 0:64][0] / 64)[..., None].repeat(3, 2)
    assert polar.seam(wave) < 1.5
    assert polar.seam(wave[:40]) > 5


def test_fringes_are_those_that_were_put_there() -> None:
    grey = np.random.default_rng(0).random((12, 16)).repeat(12, 0).repeat(12, 1)
    grey = 0.2 + 0.6 * grey
    plain = np.stack((grey, grey, grey), -1)
    shifted = np.stack((np.roll(grey, 1, 1), grey, np.roll(grey, -1, 1)), -1)
    assert colour.fringes(plain).strength < 0.01
    found = colour.fringes(shifted)
    assert found.strength > 0.2
    assert colour.fringes(as_jpeg(shifted, 50)).strength < found.strength
    red = plain * np.array([1.0, 0.4, 0.3])
    assert colour.fringes(red).spread < found.spread


def test_clipping_is_counted() -> None:
    pixels = np.full((10, 10, 3), 0.5)
    pixels[0], pixels[1, :5] = 0.0, 1.0
    assert colour.clipping(pixels) == (0.1, 0.05)


def test_lines_know_how_sure_they_are() -> None:
    x = np.arange(50.0)
    found = line(x, 2 * x + 1 + np.random.default_rng(0).normal(size=50))
    assert abs(found.slope - 2) < 3 * found.error
    assert found.error == pytest.approx(1 / np.sqrt(50 * x.var()), rel=0.3)
    assert np.isnan(line(x[:2], x[:2]).slope)


def test_the_page_is_a_document_with_a_plot_of_everything() -> None:
    pixels = np.random.default_rng(0).random((64, 80, 3))
    report = measure(pixels)
    found = page([("a <b>.png", report), ("flat.png", measure(np.full((64, 64, 3), 0.5)))])
    root = ET.fromstring(found)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a <b>.png" in texts
    assert "Power spectrum" in texts
    assert "nan" not in found
    rising = f"slope {report.correlation.line.slope:.3f}"
    heights = [float(each.get("y", 0)) % 300 for each in root.iter() if each.text == rising]
    assert heights
    assert min(heights) > 130, "in the lower half, below the line, which rises"


def test_fitted_lines_stay_within_their_plots() -> None:
    waves = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=(128, 128))) * np.exp(-80 * waves**2)
    bent = 0.5 + 0.1 * np.fft.ifft2(noise).real / np.fft.ifft2(noise).real.std()
    root = ET.fromstring(page([("bent.png", measure(bent[..., None] * np.ones(3)))]))
    frames = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("stroke") == "#999"]
    top, height = (float(frames[0].get(name, 0)) for name in ("y", "height"))
    lines = list(root.iter("{http://www.w3.org/2000/svg}line"))
    assert lines
    assert all(top <= float(each.get(end, 0)) <= top + height for each in lines for end in ("y1", "y2"))

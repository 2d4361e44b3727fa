"""Pictures of formulas: the same in any bands and after any break, continuous, and as deep as they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.fractals import colouring, palette
from phosphene.fractals.colouring import Colours
from phosphene.fractals.escape import Rules
from phosphene.fractals.formula import parse
from phosphene.fractals.view import Scene, Viewport
from phosphene.loops import iterate
from phosphene.loops.iterate import Drawing, Orbits
from phosphene.recipe import IterateSettings

RULES = Rules(150, 1000.0, slopes=True)
COLOURS = Colours(palette.named("dusk"))


def drawing(text: str = "z^2 + c", view: Viewport | None = None, rules: Rules = RULES, per_pixel: int = 2) -> Drawing:
    return Drawing(Scene(parse(text), rules, view or Viewport(("-0.6", "0.1"), 3.0)), COLOURS, per_pixel)


def test_every_band_can_be_continued_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterate, "BAND", 1000)
    steps = list(iterate.still_steps(drawing(), (31, 40), threads=2))
    assert len(steps) > 2
    for step in steps[:-1]:
        rest = list(iterate.still_steps(drawing(), (31, 40), threads=1, state=step.state))
        assert torch.equal(rest[-1].image, steps[-1].image)
    monkeypatch.setattr(iterate, "BAND", 10**6)
    (whole,) = iterate.still_steps(drawing(), (31, 40), threads=1)
    assert torch.equal(whole.image, steps[-1].image)


def test_a_film_ends_with_the_picture_that_it_zooms_to() -> None:
    settings = IterateSettings(zoom=0.01, seconds=1.0, fps="4")
    centre = ("-0.743643887", "0.131825904")
    film = list(iterate.film_steps(drawing(view=Viewport(centre, 3.0)), settings, (20, 30), threads=1))
    assert [step.frame.index for step in film if step.frame] == [0, 1, 2, 3]
    (end,) = iterate.still_steps(drawing(view=Viewport(centre, 0.01)), (20, 30), threads=1)
    assert torch.allclose(film[-1].image, end.image, atol=1e-3)
    later = list(
        iterate.film_steps(drawing(view=Viewport(centre, 3.0)), settings, (20, 30), threads=1, state=film[1].state)
    )
    assert torch.equal(later[-1].image, film[-1].image)


def test_a_deep_picture_is_the_one_of_doubles_where_both_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    one = drawing(view=Viewport(("-0.743643887", "0.131825904"), 0.01, turn=30.0)).rows((24, 36), slice(0, 24))
    monkeypatch.setattr("phosphene.fractals.view.FINEST", 1.0)
    other = drawing(view=Viewport(("-0.743643887", "0.131825904"), 0.01, turn=30.0)).rows((24, 36), slice(0, 24))
    assert np.abs(one - other).mean() < 1e-3


def test_a_picture_repeats_itself_at_a_branch_point_far_beyond_doubles() -> None:
    """At c = i the Mandelbrot set looks the same after each 4 sqrt 2, turned (Tan Lei 1990)."""
    rules = Rules(400, 1000.0)
    pictures = []
    for power in (0, 2):
        scene = Scene(parse("z^2 + c"), rules, Viewport(("0", "1"), 1e-40 / 32**power))
        da, db = scene.view.differences((24, 24), slice(0, 24), 1)
        found = scene.look(da, db, 24)
        pictures.append(np.sort(colouring.smooth_count(found, rules, 2.0)))
    assert np.nanmedian(pictures[1] - pictures[0]) == pytest.approx(8, abs=0.5)  # two applications each 4 sqrt 2


def test_smooth_counts_have_no_steps() -> None:
    for text, rules in (("z^2 + c", Rules(60, 1000.0)), ("newton(z^3 - 1)", Rules(60, 1e6, settles=1e-6))):
        scene = Scene(parse(text), rules, Viewport(("0.9", "0.9"), 0.3))
        da, db = scene.view.differences((1, 4000), slice(0, 1), 1)
        found = scene.look(da, db, 4000)
        assert len(set(found.count.tolist())) > 1
        smooth = colouring.smooth_count(found, rules, colouring.degree(scene.formula))
        assert np.abs(np.diff(smooth)).max() < 0.02


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("z^2 + c", 2.0),
        ("z^3 + z c", 3.0),
        ("fold(z)^2 + c", 2.0),
        ("c sin(z)", None),
        ("z^2/(z - 1)", None),
        ("(x^4 + y, x)", 4.0),
    ],
)
def test_the_power_of_growth(text: str, power: float | None) -> None:
    assert colouring.degree(parse(text)) == power


def test_distances_are_right_to_a_factor_of_two() -> None:
    scene = Scene(parse("z^2 + c"), Rules(300, 1000.0, slopes=True), Viewport(("-0.6", "0"), 3.0))
    found = scene.look(np.array([0.95 + 0.1, -1.9]), np.array([0.0, 0.0]), 100)
    for estimate, true in zip(colouring.distance(found), (0.2, 0.5), strict=True):
        assert true / 2.5 < estimate < true * 4.1


def test_traps_show_their_picture() -> None:
    rules = Rules(50, 1000.0, trap=(0.0, 0.0, 0.25, 0.25))
    red = Colours(COLOURS.palette, trap=np.broadcast_to(np.array([1.0, 0.0, 0.0]), (8, 8, 3)))
    scene = Scene(parse("z^2 + c"), rules, Viewport(("-0.6", "0"), 3.0))
    found = scene.look(np.array([0.6, 1.5]), np.array([0.0, 0.0]), 100)  # c = 0 is caught at once, c = 0.9 escapes
    colours = colouring.colour(found, rules, red, 2.0, 0.03)
    assert found.stopped.tolist() == [True, False]
    assert colours[0].tolist() == [1.0, 0.0, 0.0]


def test_palettes_of_pictures_have_their_colours_and_close() -> None:
    generator = np.random.default_rng(0)
    colours = np.array([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8], [0.95, 0.9, 0.7], [0.02, 0.02, 0.05]])
    picture = colours[generator.integers(0, 4, (40, 40))]
    found = palette.encode(palette.of_picture(picture))
    assert all(np.abs(found - colour).max(axis=1).min() < 0.02 for colour in colours)
    steps = np.abs(np.diff(np.concatenate((found, found[:1])), axis=0)).max()
    assert steps < 0.02
    dark_to_light = palette.ramp(palette.of_picture(picture)).sum(1)
    assert dark_to_light[0] == 0
    assert dark_to_light[-1] > dark_to_light[2000] > dark_to_light[500]


def test_orbits_stay_on_the_attractor_and_can_be_continued() -> None:
    henon = Scene(parse("(1 - 1.4 x^2 + y, 0.3 x)"), Rules(60, 1000.0), Viewport(("0", "0"), 4.0))
    orbits = Orbits(henon, (-0.3, -0.3, 0.6, 0.6), (40, 40), seed=1)
    steps = []
    for step in iterate.orbit_steps(orbits, COLOURS, 7000.0, threads=1):
        steps.append(step)
        if len(steps) == 3:
            break
    total = steps[-1].state["total"].view(40, 40)
    assert 0.02 < (total > 0).float().mean() < 0.2  # a thin curve
    again = next(iterate.orbit_steps(orbits, COLOURS, 7000.0, threads=1, state=steps[1].state))
    assert torch.equal(again.image, steps[2].image)

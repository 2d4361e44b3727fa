"""Paper is read as it is sold, and pictures lie on it as they should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.errors import SettingError
from phosphene.recipe import DreamRecipe, Photo, dumps, loads, validate
from phosphene.recipe.prints import PAPERS, further_sizes, lay_out, read_length, read_paper


@pytest.mark.parametrize(
    ("text", "sheet"),
    [
        ("60x90cm@200", (7087, 4724)),
        ("600 x 900 mm @ 200 dpi", (7087, 4724)),
        ("8x10in@300", (3000, 2400)),
        ("a4@300", (3508, 2480)),
        ("A1", (6622, 4677)),
        ("letter@100", (1100, 850)),
        ("4000x3000px@300", (4000, 3000)),
    ],
)
def test_paper_has_the_pixels_that_printers_know(text: str, sheet: tuple[int, int]) -> None:
    assert lay_out(read_paper(text), (300, 200)).sheet == sheet


@pytest.mark.parametrize("text", ["", "A9", "60x90", "60x90cm@", "0x10cm", "10x10cm@5", "10x10cm@9999", "9999999x1cm"])
def test_what_is_no_paper_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_paper(text)
    with pytest.raises(SettingError, match="print must be WIDTHxHEIGHT in mm, cm, in or px, or A0 to A6"):
        validate(DreamRecipe, {"print": text}, source=Photo())


def test_a_series_halves() -> None:
    for number in range(6):
        (_, long), (short, own) = PAPERS[f"a{number}"], PAPERS[f"a{number + 1}"]
        assert abs(long / 2 - short) <= 1
        assert own == PAPERS[f"a{number}"][0]


def test_bleed_is_added_on_all_sides() -> None:
    plain, bled = (lay_out(read_paper("100x200mm@254"), (200, 100), bleed=bleed) for bleed in (0.0, 3.0))
    assert plain.sheet == (2000, 1000)
    assert bled.sheet == bled.picture == (2060, 1060)
    assert read_length("0.125in") == pytest.approx(3.175)


@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    paper=st.sampled_from(["10x15cm", "A3@150", "20x20cm"]),
    bleed=st.sampled_from([0.0, 3.0]),
    safe=st.sampled_from([0.0, 10.0]),
)
def test_pictures_are_cropped_or_fitted_without_distortion(
    height: int, width: int, paper: str, bleed: float, safe: float
) -> None:
    own = read_paper(paper)
    cropped = lay_out(own, (height, width), bleed=bleed)
    rows, columns = cropped.box
    assert 0 <= rows[0] < rows[1] <= height
    assert 0 <= columns[0] < columns[1] <= width
    assert cropped.picture == cropped.sheet
    assert (rows[1] - rows[0]) == height or (columns[1] - columns[0]) == width
    ratio = (rows[1] - rows[0]) / (columns[1] - columns[0])
    slack = 1 / (rows[1] - rows[0]) + 1 / (columns[1] - columns[0])
    assert math.log(ratio / (cropped.sheet[0] / cropped.sheet[1])) == pytest.approx(0, abs=slack)
    fitted = lay_out(own, (height, width), bleed=bleed, safe=safe, placement="fit")
    assert fitted.box == ((0, height), (0, width))
    for at, picture, sheet in zip(fitted.at, fitted.picture, fitted.sheet, strict=True):
        least = own.pixels(safe + bleed) - 1
        assert at >= least
        assert at + picture <= sheet - least


def test_a_safe_zone_must_leave_room() -> None:
    with pytest.raises(ValueError, match="no room"):
        lay_out(read_paper("10x10cm"), (10, 10), safe=50, placement="fit")


@given(side=st.integers(10, 400), grow=st.floats(1, 40), scale=st.floats(1.2, 2))
def test_further_octaves_grow_evenly_to_the_print(side: int, grow: float, scale: float) -> None:
    wanted = (round(side * grow), round(2 * side * grow))
    sizes = further_sizes((side, 2 * side), wanted, scale)
    assert (sizes[-1] if sizes else wanted) == wanted
    for before, after in zip([(side, 2 * side), *sizes], sizes, strict=False):
        assert after[0] > before[0] or side < 20
        assert after[0] <= before[0] * scale * 1.04 + 2


def test_a_print_smaller_than_its_picture_has_no_further_octaves() -> None:
    assert further_sizes((1000, 1000), (500, 500), 1.4) == []


def test_recipes_keep_the_paper() -> None:
    recipe = validate(DreamRecipe, {"print": "A3@150", "bleed": "3mm", "placement": "fit"}, source=Photo())
    assert loads(dumps(recipe)) == recipe

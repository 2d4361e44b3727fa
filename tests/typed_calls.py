"""Calls of the public functions as a type checker sees them: `scripts/check` runs mypy on this file.

An ignored error that is not one is an error: so wrong calls are shown to be refused, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import phosphene as ph


def stills(photo: Path, count: int) -> None:
    """Pictures and lists of them, told apart."""
    assert_type(ph.dream(photo, steps=3, size="400x300", octaves="auto"), ph.Picture)
    assert_type(ph.dream([photo, "b.jpg"], shaping="blur"), list[ph.Picture])
    assert_type(ph.imagine("banana", size=96), ph.Picture)
    assert_type(ph.imagine("banana", count=4), list[ph.Picture])
    assert_type(ph.imagine("banana", count=count, method="lucid"), list[ph.Picture])
    assert_type(ph.sheet("mixed4c:0..3", columns=2), ph.Picture)
    assert_type(ph.see(photo), ph.Sight)


def films_and_recipes(photo: Path, picture: ph.Picture, recipe: ph.ZoomRecipe) -> None:
    """Films are jobs; a recipe's own type says what it gives again."""
    assert_type(ph.zoom(photo, seconds=2, fps=25, speed="0s: 1; 2s: 1.5"), ph.Job)
    assert_type(ph.morph(["banana", "teapot"], loop=True), ph.Job)
    assert_type(ph.again(picture, steps=2), ph.Picture)
    assert_type(ph.again(recipe, seconds=3), ph.Job)


def refused(photo: Path) -> None:
    """Wrong names and wrong types."""
    ph.dream(photo, stepz=3)  # type: ignore[call-overload]
    ph.dream(photo, steps="many")  # type: ignore[call-overload]
    ph.dream(photo, shaping="sharp")  # type: ignore[call-overload]
    ph.zoom(photo, columns=3)  # type: ignore[call-arg]
    ph.morph(["a", "b"], loop="yes")  # type: ignore[arg-type]

"""`phosphene iterate`."""

from __future__ import annotations

from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("formula")
@options.settings("iterate", without=("formula",))
@output.options(still=True, film=True)
def iterate(formula: str, output: output.Destination, **settings: Any) -> None:
    """Make a picture, or a film, of a function of the plane that is applied again and again.

    \b
      phosphene iterate "z^2 + c" --size 1600x1200 -o m.png
      phosphene iterate "z^2 + c; c = -0.8 + 0.156i" --palette photo.jpg
      phosphene iterate "newton(z^3 - 1)" --palette ember
      phosphene iterate "fold(z)^2 + conj(c)" --centre=-1.755,0.03 --width 0.12
      phosphene iterate "z^2 + c" --trap photo.jpg
      phosphene iterate "z^2 + c" --centre 0,1 --zoom 1e-50 -o deep.mp4
      phosphene iterate "(sin(1.5 y) + cos(1.5 x), sin(-1.7 x) + 0.5 cos(-1.7 y))" --plot orbits

    FORMULA is applied to z until it is far from 0, or has settled. c is the point of the plane, or a constant that is
    set after a semicolon; i, pi and e are numbers. newton(f) is a step of Newton's method. A pair of functions of x and
    y is of real numbers, with a and b for the point. Without -o the result is a new picture in the current folder, or a
    film with --zoom. If it is stopped, the same command continues.
    """
    settings.pop("preset", None)
    options.run("iterate", None, output, options.stem_of(formula), None, formula=formula, **settings)

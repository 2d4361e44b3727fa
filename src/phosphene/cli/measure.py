"""`phosphene measure`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command, keep_on_interrupt, printable
from phosphene.cli.table import json_option, show
from phosphene.errors import OutputError, SettingError

if TYPE_CHECKING:
    import numpy as np

    from phosphene.measure.report import Measurements


@click.command(cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=options.PATH)
@click.option(
    "--set",
    "which",
    type=click.Choice(["auto", "border", "bright", "dark"]),
    default="auto",
    show_default=True,
    help="Whose dimension is measured: bright or dark pixels, or the border between them. auto is the fewer of bright "
    "and dark in a drawing of two tones, else the border.",
)
@click.option("--page", type=options.PATH, metavar="OUT.svg", help="Write a page of plots.")
@click.option(
    "--frames",
    type=click.IntRange(2, 1000),
    default=8,
    show_default=True,
    metavar="INTEGER",
    help="How many frames of a film to measure.",
)
@click.option("--force", is_flag=True, help="Replace a page that is there already.")
@json_option
def measure(files: tuple[Path, ...], which: str, page: Path | None, frames: int, force: bool, as_json: bool) -> None:
    """Measure FILE, pictures or films: spectrum, dimensions, likeness to itself, colour fringes, symmetry, clipping.

    \b
      phosphene measure dream.png
      phosphene measure photo.jpg dream.png --page both.svg
      phosphene measure trip.mp4 --frames 20 --json

    Several files stand side by side. Slopes are given with twice their standard error, and with the range in which they
    were fitted. docs/fractals.md says how each number is measured, and what it means.
    """
    if page is not None and page.suffix.lower() != ".svg":
        raise OutputError(f"a page of plots is an .svg file, but {page} is not", path=page)
    if page is not None and page.exists() and not force:
        raise output.taken(page)
    keep_on_interrupt()
    found = [(path, _measured(path, which, frames)) for path in files]
    if as_json:
        click.echo(json.dumps([_record(path, several) for path, several in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    if page is not None:
        _write_page(page, found)
        click.echo(printable(str(page)), err=as_json)


Measured = list[tuple[float | None, "Measurements"]]
"""Times in seconds, None of a picture, and what was measured then."""


def _measured(path: Path, which: str, frames: int) -> Measured:
    from phosphene.measure.report import SMALLEST, measure

    found: Measured = []
    for time, pixels in _pixels(path, frames):
        if min(pixels.shape[:2]) < SMALLEST:
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise SettingError(
                f"a picture of at least {SMALLEST} pixels on each side can be measured; {path} has {size}"
            )
        found.append((time, measure(pixels, which)))
    return found


def _pixels(path: Path, count: int) -> Iterator[tuple[float | None, np.ndarray]]:
    """Yield the pixels of a picture, h w 3, or of evenly spaced frames of a film with their times."""
    from phosphene.media.image import read_image
    from phosphene.media.video.clip import open_clip
    from phosphene.media.video.identify import is_film

    if not is_film(path):
        yield None, read_image(path).image[0].permute(1, 2, 0).double().numpy()
        return
    clip = open_clip(path)
    total = clip.frame_count or sum(1 for _ in clip.frames())
    wanted = {round(index * max(0, total - 1) / max(1, count - 1)) for index in range(count)}
    for frame in clip.frames():
        if frame.index in wanted:
            yield float(frame.time), frame.image[0].permute(1, 2, 0).double().numpy()


def _print(found: list[tuple[Path, Measured]]) -> None:
    stills = [(path, several[0][1]) for path, several in found if several[0][0] is None]
    if stills:
        rows = [dict(report.rows()) for _, report in stills]
        names = list(dict.fromkeys(name for row in rows for name in row))
        files = [printable(path.name) for path, _ in stills]
        show(
            [{"": name, **{file: row.get(name, "") for file, row in zip(files, rows, strict=True)}} for name in names],
            False,
        )
    for path, several in found:
        if several[0][0] is not None:
            click.echo(printable(str(path)))
            show([_frame_row(time, report) for time, report in several], False)


def _frame_row(time: float | None, report: Measurements) -> dict[str, Any]:
    like = report.self_similarity
    return {
        "seconds": None if time is None else round(time, 2),
        "1/f^a": round(report.spectrum.exponent, 3),
        f"boxes ({report.set_name})": round(-report.boxes.line.slope, 3),
        "correlation": round(report.correlation.line.slope, 3),
        "like itself": None if like.best is None else round(like.best_likeness, 2),
        "magnified": None if like.best is None else round(like.best, 2),
        "fringes": round(report.fringes.strength, 3),
        "clipped": f"{sum(report.clipping):.2%}",
    }


def _record(path: Path, several: Measured) -> dict[str, Any]:
    if several[0][0] is None:
        return {"path": str(path), **several[0][1].record()}
    return {"path": str(path), "frames": [{"seconds": time, **report.record()} for time, report in several]}


def _write_page(page: Path, found: list[tuple[Path, Measured]]) -> None:
    from phosphene.measure import page as plots
    from phosphene.media import atomic

    reports = []
    for path, several in found:
        chosen = [several[0], several[-1]] if len(several) > 1 else several
        for time, report in chosen:
            reports.append((path.name if time is None else f"{path.name}, {time:.2f} s", report))
    with atomic.replacing(page) as file:
        file.write(plots.page(reports).encode())

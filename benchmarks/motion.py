"""Frames per second of a zoom and of a dreamt clip, and where the time goes.

    .venv/bin/python benchmarks/motion.py [--sizes 640x360 1280x720] [--frames 6] [--target mixed4c]

Both run with their default settings from the first frame into a finished MP4. `network` is the forward and backward
passes; `steps` is the rest of the dream (octaves, shaping, ascent); `motion` is flow, warping and levels;
`film` is keeping and encoding the frames. What is done once a film (the rehearsal, the first frame of a clip, which
gets more steps) is left out. The share outside the network is to stay under 15 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from phosphene import api
from phosphene.gradients.engine import Engine
from phosphene.loops import dream
from phosphene.media.video.film import Film, FilmSettings
from phosphene.render import films

spent: Counter[str] = Counter()
untimed_steps = dream.dream_steps


class TimedEngine(Engine):
    """An engine that counts its time as the network's."""

    def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        began = time.perf_counter()
        result = super().__call__(image)
        spent["network"] += time.perf_counter() - began
        return result


def timed_steps(*args: Any, **options: Any) -> Iterator[Any]:
    """`dream_steps`, whose time counts as the dream's."""
    steps = untimed_steps(*args, **options)
    while True:
        began = time.perf_counter()
        step = next(steps, None)
        spent["dream"] += time.perf_counter() - began
        if step is None:
            return
        yield step


def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose time counts as that of `name`."""

    def run(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        result = work(*args, **options)
        spent[name] += time.perf_counter() - began
        return result

    return run


def clouds(size: tuple[int, int]) -> torch.Tensor:
    """A picture with something at every scale, 1 3 h w."""
    rng = torch.Generator().manual_seed(0)
    height, width = size
    image = torch.full((1, 3, height, width), 0.5)
    for level in range(6):
        noise = torch.randn(1, 3, 3 * 2**level, 5 * 2**level, generator=rng)
        image += 0.12 / (1 + level / 2) * F.interpolate(noise, size, mode="bicubic")
    return image.clamp(0, 1)


def made_clip(path: Path, size: tuple[int, int], frames: int) -> None:
    """A film in which the clouds drift."""
    wide = clouds((size[0], size[1] + 4 * frames))
    with Film(path, FilmSettings(size, Fraction(25))) as film:
        for index in range(frames):
            film.write(wide[..., 4 * index : 4 * index + size[1]])
        film.finish()


def measure(kind: str, size: tuple[int, int], frames: int, target: str, folder: Path) -> str:
    """One line of the table."""
    if kind == "zoom":
        run = api.zoom(clouds(size), size=size, seconds=(frames + 1) / 30, target=target)
    else:
        made_clip(folder / "clip.mp4", size, frames + 1)
        run = api.video(folder / "clip.mp4", target=target)
    began = 0.0
    for event in run.writing(folder / f"{kind}.mp4"):
        if event.stage == "frame" and event.step == 1:  # the rehearsal is done
            spent.clear()
            began = time.perf_counter()
    whole = time.perf_counter() - began
    network, steps = spent["network"], spent["dream"] - spent["network"]
    rest = whole - network - steps - spent["film"]
    shares = "  ".join(f"{each / whole:7.1%}" for each in (network, steps, rest, spent["film"], rest + spent["film"]))
    return f"{kind:6} {size[1]}x{size[0]:<6} {frames / whole:8.3f}  {shares}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["640x360", "1280x720"])
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--target", default="mixed4c")
    asked = parser.parse_args()
    films.Engine = TimedEngine  # type: ignore[misc]
    dream.dream_steps = timed_steps
    for name in ("write", "checkpoint", "finish"):
        setattr(Film, name, timed("film", getattr(Film, name)))
    print(f"{'':16}frames/s  network    steps   motion     film  outside")
    for text in asked.sizes:
        width, height = map(int, text.split("x"))
        for kind in ("zoom", "video"):
            with tempfile.TemporaryDirectory() as folder:
                print(measure(kind, (height, width), asked.frames, asked.target, Path(folder)), flush=True)


if __name__ == "__main__":
    main()

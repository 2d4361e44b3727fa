"""Renders small films in processes that kill themselves, for the tests of going on after it.

As a program, it reads orders (one line of JSON each) and answers each with the exit status of a forked child, so
that a hundred kills cost one start. `kill_at` is the number of the file operation at which the child kills itself,
`kill_after` the seconds after which it is killed from outside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from phosphene.errors import OutputError
from phosphene.loops.step import pack, unpack
from phosphene.media.video.film import Film, FilmSettings

OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


def render(path: Path, count: int = 30, *, every: int = 5, recipe: str = "recipe", **settings: Any) -> int:
    """Render a film whose every frame is made from the last one; gives how many frames were there already."""
    chosen = FilmSettings(size=(30, 44), rate=Fraction(6), **settings)
    with Film(path, chosen, recipe=recipe) as film:
        image = torch.rand(1, 3, 30, 44, generator=torch.Generator().manual_seed(1))
        if film.state is not None:
            image = unpack(film.state)["image"]
        begun = film.frames
        for index in range(begun, count):
            image = (image.roll((1, 2), (2, 3)) * 1.01 + 0.01 * index) % 1
            film.write(image)
            if film.due or index % every == every - 1:
                film.checkpoint(pack({"image": image}))
        film.finish()
    return begun


def _die_at(number: int, folder: str) -> None:
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(arguments[0]).startswith(folder):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _obey(order: dict[str, Any]) -> int:
    kill_at, kill_after = order.pop("kill_at", None), order.pop("kill_after", None)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if kill_at is not None:
                _die_at(kill_at, str(Path(order["path"]).parent))
            render(Path(order.pop("path")), **order)
            status = 0
        except OutputError as problem:
            sys.stderr.write(f"{problem}\n")
            status = 3
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Read orders, obey them, and answer with how they ended."""
    for line in sys.stdin:
        sys.stdout.write(f"{_obey(json.loads(line))}\n")
        sys.stdout.flush()

"""The camera: looks a second at 224 pixels, a dream's step at 320 x 240 in ms, and both at the same time.

A camera of 30 frames a second pans over a photograph; nothing is read from a disk or written. Processor time is told
beside the clock's, for machines that other work shares. `python benchmarks/camera.py [SECONDS] [NET TARGET]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from phosphene import nets
from phosphene.attribution import labels_of
from phosphene.camera import choice
from phosphene.camera.capture import View
from phosphene.camera.eye import watch
from phosphene.camera.live import SIZE, LiveDream
from phosphene.gradients.allocator import keep_memory
from phosphene.media.image import read_image
from phosphene.resampling import resize
from phosphene.types import Image

PHOTO = Path(__file__).parent.parent / "examples" / "clouds.jpg"
RATE = 30.0
ROOM = 60


def main(seconds: float, net: str, target: str) -> None:
    """Measure each for this many seconds, and print the result."""
    keep_memory()
    photo = resize(read_image(PHOTO).image, (480 + ROOM, 640 + ROOM)).clamp(0, 1)
    small = resize(photo, (224, 224)).clamp(0, 1)
    eye, dreamer = nets.load(nets.RECOGNISES), nets.load(net)
    live = LiveDream(dreamer, target)
    print(f"{torch.get_num_threads()} threads; {nets.RECOGNISES} sees, {net} dreams {target} at {SIZE[1]} x {SIZE[0]}")
    wall, work = timed(lambda _: labels_of(small, eye, 1), seconds)
    print(f"a look at 224: {wall:.1f} ms ({work:.1f} of the processor), {1000 / wall:.1f} a second")
    wall, work = timed(lambda index: live(frame(photo, index)), seconds)
    print(f"a frame dreamt on: {wall:.0f} ms ({work:.0f} of the processor), {1000 / wall:.1f} a second")
    counts = {"seen": 0, "dream": 0}
    began, until = time.process_time(), time.monotonic() + seconds
    with closing(watch(camera(photo, until), lambda image: labels_of(image, eye, 1), live, in_turn=False)) as sights:
        for sight in sights:
            counts["dream" if sight.dream is not None else "seen"] += 1
    work = (time.process_time() - began) / seconds
    rates = {name: count / seconds for name, count in counts.items()}
    print(f"together: sees {rates['seen']:.1f} and dreams {rates['dream']:.1f} a second, on {work:.2f} cores")


def timed(does: Callable[[int], Any], seconds: float) -> tuple[float, float]:
    """Return how long one call takes, in ms of the clock and of the processor."""
    for index in range(3):
        does(index)
    began, work, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < seconds:
        does(count + 3)
        count += 1
    return 1000 * (time.monotonic() - began) / count, 1000 * (time.process_time() - work) / count


def frame(photo: Image, index: int) -> Image:
    """Return what a camera sees that swings from side to side and up and down."""
    x, y = (ROOM - abs(step % (2 * ROOM) - ROOM) for step in (2 * index, index))
    return photo[..., y : y + 480, x : x + 640]


def camera(photo: Image, until: float) -> Iterator[View]:
    """Yield frames until this time."""
    began = time.monotonic()
    index = 0
    while time.monotonic() < until:
        yield View(index, frame(photo, index))
        index += 1
        time.sleep(max(0.0, began + index / RATE - time.monotonic()))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 10.0, *(given[1:] or (choice.NET, choice.TARGET)))

"""Progress in a notebook: a bar, and the picture so far, which make place for the result."""

from __future__ import annotations

import base64
import html
import io
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from phosphene.media.image import to_pil

if TYPE_CHECKING:
    import PIL.Image

    from phosphene.render.job import Event
    from phosphene.types import Image

LONGEST_SIDE = 1024
"""Of what a notebook shows, in pixels."""

EVERY = 0.25
"""Seconds between updates of the bar."""

SHARE = 0.1
"""Largest share of the time that may be spent on showing the picture so far."""


def progress() -> Callable[[Event], None] | None:
    """Return a function that shows an event in the notebook that runs this; None anywhere else."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return _Progress(ipython.display) if type(shell).__name__ == "ZMQInteractiveShell" else None


class _Progress:
    """An output of a notebook's cell that is updated."""

    def __init__(self, display: Any) -> None:
        self._html = display.HTML
        self._shown = display.display(self._html(""), display_id=True)
        self._due = self._look_due = 0.0
        self._picture = ""

    def __call__(self, event: Event) -> None:
        began = time.monotonic()
        if event.progress >= 1:
            self._shown.update(self._html(""))
            return
        if began < self._due:
            return
        if began >= self._look_due:
            image = event.preview()
            self._picture = "" if image is None else picture_html(image)
            self._look_due = began + max(1.0, (time.monotonic() - began) / SHARE)
        self._shown.update(self._html(_bar(event) + self._picture))
        self._due = time.monotonic() + EVERY


def _bar(event: Event) -> str:
    count = f" {event.step}/{event.steps}" if event.steps else ""
    left = "" if event.seconds_left is None else f", about {event.seconds_left:.0f} s left"
    text = html.escape(f"{event.stage}{count}: {event.progress:.0%}{left}")
    return f'<div><progress value="{event.progress:.4f}" max="1"></progress> {text}</div>'


def picture_html(image: Image) -> str:
    """Return an element that shows the first image of a batch, at most `LONGEST_SIDE` large."""
    file = io.BytesIO()
    shrunk(to_pil(image[:1])).convert("RGB").save(file, "jpeg", quality=85)
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'


def shrunk(image: PIL.Image.Image) -> PIL.Image.Image:
    """Return the picture, no larger than a notebook shows it; it is changed."""
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return image

"""Films as HTML, for notebooks: the film itself where browsers play it, else its first frame."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from phosphene.errors import PhospheneError
from phosphene.media.image import to_pil
from phosphene.media.video.clip import open_clip

PLAYED = {".mp4": "video/mp4", ".webm": "video/webm"}
"""Suffixes of films that browsers play."""

MOST_BYTES = 32 << 20
"""Largest film that is put into a notebook, which would keep all of it."""


def as_html(path: Path, longest_side: int) -> str:
    """Return an element that shows the film at `path`, at most `longest_side` pixels large, and its name."""
    size = path.stat().st_size if path.is_file() else 0
    style = f'style="max-width: {longest_side}px; max-height: {longest_side}px"'
    suffix = path.suffix.lower()
    shown = ""
    if 0 < size <= MOST_BYTES and suffix in PLAYED:
        shown = f'<video controls loop {style} src="data:{PLAYED[suffix]};base64,{_text(path.read_bytes())}"></video>'
    elif 0 < size <= MOST_BYTES and suffix == ".gif":
        shown = f'<img {style} src="data:image/gif;base64,{_text(path.read_bytes())}">'
    elif size:
        shown = _first_frame(path, longest_side)
    return f"<div>{shown}<div>{html.escape(str(path))}</div></div>"


def _first_frame(path: Path, longest_side: int) -> str:
    try:
        frame = next(iter(open_clip(str(path)).frames()))
    except (PhospheneError, StopIteration):
        return ""
    picture, file = to_pil(frame.image), io.BytesIO()
    picture.thumbnail((longest_side, longest_side))
    picture.save(file, "jpeg", quality=85)
    return f'<img src="data:image/jpeg;base64,{_text(file.getvalue())}">'


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

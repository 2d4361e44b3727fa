"""PyAV, which is FFmpeg's libraries: imported when the first clip or film needs it, and what it complains about."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from phosphene.errors import MissingExtraError


@cache
def pyav() -> ModuleType:
    """Return the av module; a `MissingExtraError` says how to install it."""
    try:
        import av
    except ImportError:
        raise MissingExtraError("video", "video") from None
    return av


def complaint(problem: BaseException) -> str:
    """Return FFmpeg's complaint on one line."""
    said = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return " ".join(str(said).split())[:160]

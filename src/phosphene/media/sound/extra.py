"""The packages of the extra `audio`, imported when the first sound needs them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from phosphene.errors import MissingExtraError


@cache
def package(name: str) -> ModuleType:
    """Return `soundfile`, `soxr` or `av`; a `MissingExtraError` says how to install it."""
    try:
        return import_module(name)
    except (ImportError, OSError):  # soundfile raises OSError where libsndfile is missing
        raise MissingExtraError("sound", "audio") from None

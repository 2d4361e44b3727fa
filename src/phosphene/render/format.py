"""How a result is stored, beyond what the suffix of its name says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import SettingError


@dataclass(frozen=True)
class Format:
    """How a result is stored, beyond what its suffix says.

    `depth` is bits per sample, 8 or 16. `quality` is that of lossy pictures, 1 to 100, and `profile` the colours of
    pictures, "srgb", "p3" or "adobergb". `codec` and `crf` are those of films; None for what suits the suffix. Without
    `with_recipe` the file does not carry its recipe. `also` are more files of the same picture; of several files, those
    that cannot hold 16 bits have 8. `film` is where a sound's film is written as well: its spectrogram as it is dreamt.
    """

    depth: int = 8
    quality: int | None = None
    profile: str | None = None
    codec: str | None = None
    crf: int | None = None
    with_recipe: bool = True
    also: tuple[Path, ...] = ()
    film: Path | None = None

    def refuse(self, *names: str, kind: str) -> None:
        """Raise `SettingError` if one of these is given, which results of this kind do not have."""
        if self.also and "also" in names:
            raise SettingError(f"{kind} have one output, but several are given", setting="also", value=self.also)
        for name in names:
            if getattr(self, name):
                raise SettingError(f"{name} does not apply to {kind}", setting=name, value=getattr(self, name))

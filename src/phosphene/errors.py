"""Every error that phosphene raises for a user's mistake.

PhospheneError
├── ExpressionError      a target that cannot be parsed
├── UnknownNameError     no net, layer, label ... of this name; carries the nearest ones
├── SettingError         a setting out of its range, or settings that exclude each other
├── ImageError           a picture that cannot be read, or is not one
├── VideoError           a clip that cannot be read, or is not one
├── SoundError           a sound that cannot be read, or is not one
├── OutputError          a place that cannot be written
├── RecipeError          no recipe in a file, or one that cannot be rendered
├── WeightsError         a model file that is missing, corrupt, or of another network
├── WorkerError          a worker process or machine that cannot take part, or fails
└── MissingExtraError    a feature whose packages are not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhospheneError(Exception):
    """Base of all of phosphene's errors; its text is one line that a user can act on. They pickle."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[PhospheneError], args: tuple[object, ...], facts: dict[str, object]) -> PhospheneError:
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


class ExpressionError(PhospheneError):
    """A target that cannot be parsed; `text` is what was given, `position` the offending character's index."""

    def __init__(self, message: str, *, text: str, position: int) -> None:
        super().__init__(message)
        self.text = text
        self.position = position


class UnknownNameError(PhospheneError):
    """No such name; `kind` says of what, `name` what was asked for, `nearest` what may have been meant."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        self.kind = kind
        self.name = name
        self.nearest = nearest(name, known)
        place = f" in {where}" if where else ""
        hint = f"; did you mean {_either(self.nearest)}?" if self.nearest else ""
        super().__init__(f"no {kind} named {name!r}{place}{hint}")


class SettingError(PhospheneError):
    """A setting out of its range; `setting` is its name and `value` what was given."""

    def __init__(self, message: str, *, setting: str = "", value: object = None) -> None:
        super().__init__(message)
        self.setting = setting
        self.value = value


class _FileError(PhospheneError):
    """An error about one file; `path` is where."""

    def __init__(self, message: str, *, path: object = None) -> None:
        super().__init__(message)
        self.path = path


class ImageError(_FileError):
    """A picture that cannot be read."""


class VideoError(_FileError):
    """A clip that cannot be read."""


class SoundError(_FileError):
    """A sound that cannot be read."""


class OutputError(_FileError):
    """A place that cannot be written."""


class RecipeError(_FileError):
    """No recipe in a file, or one that cannot be rendered."""


class WeightsError(_FileError):
    """A model file that is missing, corrupt or of another network."""


class WorkerError(PhospheneError):
    """A worker that cannot take part, or a part of the work that fails on every worker."""


class MissingExtraError(PhospheneError):
    """A feature whose packages are not installed; the text has the line that installs them."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed: pip install 'phosphene[{extra}]'")
        self.extra = extra


def check(setting: str, value: object, holds: bool, wanted: str) -> None:
    """Raise `SettingError` unless the condition on a setting holds.

    >>> check("steps", 0, False, "1 or more")
    Traceback (most recent call last):
    ...
    phosphene.errors.SettingError: steps must be 1 or more, but is 0
    """
    if not holds:
        raise SettingError(f"{setting} must be {wanted}, but is {value}", setting=setting, value=value)


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the names in `known` closest to `name`, best first, ignoring case and separators.

    >>> nearest("mixed4C", ["mixed4b", "mixed4c", "conv1"])
    ['mixed4c', 'mixed4b']
    """
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(_fold(each), each)
    close = difflib.get_close_matches(_fold(name), list(folded), n=count, cutoff=0.6)
    if not close:  # a part of the name, as in "retriever"
        close = [key for key in folded if _fold(name) and _fold(name) in key][:count]
    return [folded[key] for key in close]


def _fold(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _either(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]

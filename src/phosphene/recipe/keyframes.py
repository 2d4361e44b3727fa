"""Settings that change in the course of a film: "1.3" always, or "0s: 1.3; 4s: 1" from key to key.

A key is a time in seconds and what holds there. Numbers and the weights of targets ease from one key to the next, slow
at both ends, so that nothing jerks; before the first key and after the last they stand still.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from phosphene.errors import SettingError

V = TypeVar("V")
W = TypeVar("W")

_KEY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*s\s*:\s*(.*?)\s*", re.S)
_NEXT_KEY = re.compile(r";(?=\s*(?:\d+(?:\.\d*)?|\.\d+)\s*s\s*:)")


@dataclass(frozen=True)
class Keys(Generic[V]):
    """Values over time: `times` in seconds, rising, and as many `values`, at least one."""

    times: tuple[float, ...]
    values: tuple[V, ...]

    def map(self, change: Callable[[V], W]) -> Keys[W]:
        """Return the same times, with `change` applied to each value."""
        return Keys(self.times, tuple(change(value) for value in self.values))

    def weights(self, time: float) -> tuple[float, ...]:
        """Return the weight of each value at `time`: at most two are above 0, and all add up to 1.

        >>> read_keys("0s: a; 2s: b; 3s: c").weights(1.0)
        (0.5, 0.5, 0.0)
        """
        after = bisect.bisect_right(self.times, time)
        weights = [0.0] * len(self.times)
        if after in (0, len(self.times)):
            weights[min(after, len(self.times) - 1)] = 1.0
            return tuple(weights)
        share = (time - self.times[after - 1]) / (self.times[after] - self.times[after - 1])
        weights[after] = smoothstep(share)
        weights[after - 1] = 1 - weights[after]
        return tuple(weights)


def smoothstep(share: float) -> float:
    """Ease from 0 to 1, slowly at both ends.

    >>> smoothstep(0.0), smoothstep(0.5), smoothstep(1.0)
    (0.0, 0.5, 1.0)
    """
    return share * share * (3 - 2 * share)


Track = Keys[tuple[float, ...]]
"""Keys of one or more numbers."""


def at(track: Track, time: float) -> tuple[float, ...]:
    """Return the numbers of a track at `time` in seconds.

    >>> at(read_track("0s: 1.5; 4s: 1"), 2.0)
    (1.25,)
    """
    weighed = zip(track.weights(time), track.values, strict=True)
    return tuple(sum(column) for column in zip(*([w * x for x in value] for w, value in weighed), strict=True))


def read_keys(text: str) -> Keys[str]:
    """Read the keys in a text; a text without times holds from the beginning.

    >>> read_keys("mixed4c:13").times
    (0.0,)

    Raises `SettingError` for keys that are not in order, or not all keys.
    """
    parts = _NEXT_KEY.split(text)
    keys = [_KEY.fullmatch(part) for part in parts]
    if len(parts) == 1 and keys[0] is None:
        return Keys((0.0,), (text.strip(),))
    found = [(float(key[1]), key[2]) for key in keys if key is not None and key[2]]
    if len(found) < len(parts):
        raise SettingError(f'keys are written "0s: ONE; 4s: OTHER", but {text!r} is not', setting="keys", value=text)
    times = tuple(time for time, _ in found)
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        raise SettingError(f"the times of keys must rise, but in {text!r} they do not", setting="keys", value=text)
    return Keys(times, tuple(value for _, value in found))


def read_several(text: str) -> tuple[str, ...]:
    """Return the targets in a text that are joined by `|`, outside of quotes and parentheses.

    >>> read_several('mixed3b | guide(a|b.jpg, mixed4c)')
    ('mixed3b', 'guide(a|b.jpg, mixed4c)')
    """
    parts, depth, quoted = [""], 0, False
    for each in text:
        quoted ^= each == '"'
        depth += 0 if quoted else (each == "(") - (each == ")")
        if each == "|" and not quoted and depth <= 0:
            parts.append("")
        else:
            parts[-1] += each
    return tuple(part.strip() for part in parts)


def write_track(track: Track) -> str:
    """Return the text of a track, which `read_track` reads back; a single key is written without its time.

    >>> write_track(Keys((0.0, 2.5), ((1.0, 0.25), (0.5, 1.0))))
    '0s: 1,0.25; 2.5s: 0.5,1'
    """
    values = [",".join(f"{number:.4g}" for number in value) for value in track.values]
    if len(values) == 1:
        return values[0]
    return "; ".join(f"{time:.10g}s: {value}" for time, value in zip(track.times, values, strict=True))


def read_track(text: str, numbers: int = 1) -> Track:
    """Read the keyframes in a text, each of `numbers` numbers separated by commas.

    >>> read_track("0s: 0,0; 3s: 0.1,-0.05", 2).values[1]
    (0.1, -0.05)

    Raises `SettingError`.
    """

    def read(value: str) -> tuple[float, ...]:
        try:
            found: Sequence[float] = [float(part) for part in value.split(",")]
        except ValueError:
            found = ()
        if len(found) != numbers or not all(abs(number) < 1e6 for number in found):
            wanted = "a number" if numbers == 1 else f"{numbers} numbers with commas between them"
            raise SettingError(f"a key must be {wanted}, but is {value!r}", setting="keys", value=value)
        return tuple(found)

    return read_keys(text).map(read)

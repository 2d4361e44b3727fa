"""Channels to leave out of a network, as text: "mixed4c:13, mixed4d:0..15"."""

from __future__ import annotations

from phosphene.errors import SettingError
from phosphene.objectives.expr import parse
from phosphene.objectives.features import Channel
from phosphene.objectives.name import spread


def read_channels(text: str) -> dict[str, tuple[int, ...]]:
    """Return the channels of each layer that a text names, in the objective language, separated by commas.

    >>> read_channels("mixed4c:13, mixed4d:0..2")
    {'mixed4c': (13,), 'mixed4d': (0, 1, 2)}

    Raises:
        ExpressionError: for a text that cannot be read.
        SettingError: for anything but channels.
    """
    found: dict[str, tuple[int, ...]] = {}
    for part in text.split(","):
        for each in spread(part):
            match parse(each):
                case Channel(layer=layer, index=index):
                    found[layer] = (*found.get(layer, ()), index)
                case _:
                    raise SettingError(
                        f"without must be channels, as in mixed4c:13 or mixed4c:0..15, but is {each.strip()!r}",
                        setting="without",
                        value=text,
                    )
    return found

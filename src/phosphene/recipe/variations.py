"""Settings that vary over a contact sheet: "steps=32,96; channel_dropout=0,0.1" is four pictures of each target."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from phosphene.errors import SettingError, UnknownNameError
from phosphene.recipe.settings import must_be, read
from phosphene.recipe.stills import ImagineRecipe, ImagineSettings

FIELDS = {name: field for name, field in ImagineSettings.model_fields.items() if name != "diversity"}
"""Settings that can vary; `diversity` has no effect on sheets."""


@dataclass(frozen=True)
class Variation:
    """One combination of values: as it is captioned, a line for each setting, and as settings."""

    lines: tuple[str, ...]
    settings: dict[str, object]


def read_variations(text: str | None) -> list[Variation]:
    """Return all combinations of the values in `text`, the last setting's changing fastest; one empty one for None.

    >>> [each.lines for each in read_variations("steps=32,96; noise=0")]
    [('steps 32', 'noise 0'), ('steps 96', 'noise 0')]

    Raises:
        UnknownNameError: for a setting that is not one of `ImagineSettings`.
        SettingError: for text of another form, or a value that the setting does not take.
    """
    columns: list[list[tuple[str, str, object]]] = []
    for part in (text or "").split(";") if text else []:
        name, is_there, values = part.partition("=")
        name = name.strip().replace("-", "_")
        name = ImagineRecipe.old_names.get(name, name)
        if not is_there:
            raise SettingError(
                f'vary must be settings with values, as in "steps=32,96; noise=0,0.1", but is {text!r}',
                setting="vary",
                value=text,
            )
        if name not in FIELDS:
            raise UnknownNameError("setting", name, FIELDS, where="vary")
        columns.append([(name, each.strip(), _value(name, each.strip())) for each in values.split(",")])
    return [
        Variation(tuple(f"{name} {shown}" for name, shown, _ in several), {name: value for name, _, value in several})
        for several in itertools.product(*columns)
    ]


def _value(name: str, text: str) -> object:
    try:
        return read(FIELDS[name], text)
    except ValueError:
        wanted = must_be(FIELDS[name])
        raise SettingError(f"{name} in vary must be {wanted}, but is {text!r}", setting="vary", value=text) from None

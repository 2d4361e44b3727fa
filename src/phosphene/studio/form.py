"""The settings of the pages' sliders, from the recipes' own fields: range, default and help are stated there only."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from phosphene.kinds import KINDS
from phosphene.recipe import BaseRecipe, ClipFile, default_of, settings, settings_of
from phosphene.recipe.films import MORPH_SECONDS, ZOOM_SECONDS
from phosphene.recipe.presets import PRESETS, suited_settings

OFFERED = ("dream", "imagine", "sheet", "zoom", "morph", "video")
"""The kinds of work that the pages know how to ask for."""

FILMS = ("zoom", "morph", "video")
"""The kinds of work whose results are films."""

SECONDS = {"zoom": ZOOM_SECONDS, "morph": MORPH_SECONDS}
"""How long films are that are made from nothing, each transition of a morph, where nothing is said."""

TIMED = frozenset({"target", "speed", "spin", "drift", "intensity", "pace"})
"""The settings of films that may have keys, which the pages show on a time line."""

FIRST = frozenset(
    """
    target net size steps octaves step_size seed symmetry count seconds fps speed loop columns
    """.split()  # noqa: SIM905
)
"""The settings that are shown at once; the others are behind "more"."""

FILES = frozenset({"mask", "sound"})
"""The settings that name files, which the pages ask for by themselves or not at all."""

WITHOUT_A_SLIDER = frozenset({"seed", "size"})

SPAN = 5.0
"""How far a slider goes beyond a default whose range is much wider; the number beside it takes the whole range."""


def kinds(nets: list[str]) -> list[dict[str, Any]]:
    """Return what the pages need to ask for each kind of work, on these networks."""
    return [_kind(name, nets) for name in OFFERED if name in KINDS]


def _kind(name: str, nets: list[str]) -> dict[str, Any]:
    recipe: type[BaseRecipe] = KINDS[name].recipe
    listed = [field for field in ("targets", "ideas") if field in recipe.model_fields]
    return {
        "name": name,
        "about": KINDS[name].about,
        "source": _source(recipe),
        "listed": listed[0] if listed else None,
        "film": name in FILMS,
        "seconds": SECONDS.get(name),
        "mask": "mask" in recipe.model_fields,
        "fields": [_field(recipe, each, film=name in FILMS) for each in settings_of(recipe) if each not in FILES],
        "suited": {net: {key: _plain(value) for key, value in suited_settings(name, net).items()} for net in nets},
        "presets": [
            {
                "name": each,
                "about": preset.about,
                "settings": dict(preset.settings),
                "targets": dict(preset.targets),
                "picture": _picture(name, each),
            }
            for each, preset in PRESETS.get(name, {}).items()
        ],
    }


def _source(recipe: type[BaseRecipe]) -> str | None:
    """Return what the work begins with: "photo" (or noise), "clip", or None."""
    if "source" not in recipe.model_fields:
        return None
    return "clip" if takes_clip(recipe) else "photo"


def takes_clip(recipe: type[BaseRecipe]) -> bool:
    """Return whether the work begins with a clip."""
    return "source" in recipe.model_fields and recipe.model_fields["source"].annotation is ClipFile


def _field(recipe: type[BaseRecipe], name: str, *, film: bool) -> dict[str, Any]:
    field = recipe.model_fields[name]
    default = default_of(recipe, name)
    words = settings.choices(field)
    least, most, whole = _range(field)
    kind = "boolean" if field.annotation is bool else "text"
    if words and most is None:
        kind = "choice" if set(settings.metavar(field).split("|")) == set(words) else "text"
    elif most is not None and name not in WITHOUT_A_SLIDER:
        kind = "number"
    return {
        "name": name,
        "label": name.replace("_", " "),
        "help": field.description or "",
        "must_be": settings.must_be(field),
        "type": kind,
        "default": _plain(default),
        "choices": words,
        "first": name in FIRST,
        "keys": film and name in TIMED,
        **(_slider(least, most, whole, default) if kind == "number" else {}),
    }


def _picture(kind: str, preset: str) -> str | None:
    """Return the name of the picture that shows what a preset does, among the pages' files."""
    name = f"presets/{kind}-{preset}.jpg"
    return name if (Path(str(resources.files("phosphene.studio") / "static")) / name).is_file() else None


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else settings.write(value)


def _range(field: FieldInfo) -> tuple[float | None, float | None, bool]:
    """Return the least and the most that a number may be, and whether it is whole; None for other settings."""
    constraints = [*field.metadata]
    kinds = _flat(field.annotation, constraints)
    if not kinds & {int, float}:
        return None, None, False
    least = [getattr(each, "ge", getattr(each, "gt", None)) for each in constraints if isinstance(each, Ge | Gt)]
    most = [getattr(each, "le", getattr(each, "lt", None)) for each in constraints if isinstance(each, Le | Lt)]
    if not least or not most or bool in kinds or tuple in kinds:
        return None, None, False
    return least[0], most[0], float not in kinds


def _flat(annotation: Any, constraints: list[Any]) -> set[type]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return {annotation}
    if get_origin(annotation) is tuple:
        return {tuple}
    found: set[type] = set()
    for each in get_args(annotation):
        if isinstance(each, FieldInfo):
            constraints += each.metadata
        elif isinstance(each, Ge | Gt | Le | Lt):
            constraints.append(each)
        elif not isinstance(each, str):
            found |= _flat(each, constraints)
    return found


def _slider(least: float | None, most: float | None, whole: bool, default: Any) -> dict[str, Any]:
    """Return a slider's range: that of the field, or a part around the default where that range is much wider."""
    assert least is not None
    assert most is not None
    start = float(default) if isinstance(default, int | float) else min(most, 8.0)
    end = min(most, _round(start * SPAN)) if start > 0 and most > 2 * SPAN * start else most
    step = 1 if whole else 10.0 ** math.floor(math.log10((end - least) / 50))
    return {"least": least, "most": most, "end": end, "step": step, "whole": whole}


def _round(number: float) -> float:
    """Return the nearest number with one digit that is not zero."""
    unit = 10.0 ** math.floor(math.log10(number))
    return round(number / unit) * unit

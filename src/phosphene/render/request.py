"""From what was asked for, a kind of work with settings or a recipe, to a job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phosphene import nets
from phosphene.cluster.crew import read as read_workers
from phosphene.errors import SettingError, UnknownNameError
from phosphene.kinds import KINDS
from phosphene.media.sound.read import is_sound
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective
from phosphene.objectives.name import spread
from phosphene.recipe import BaseRecipe, FileSource, NetUsed, Photo, override, validate
from phosphene.recipe.presets import net_of, preset_settings, suited_settings
from phosphene.render import networks, sources
from phosphene.render.job import Given, Job
from phosphene.render.picture import Picture

StrPath = str | os.PathLike[str]


def open_job(
    what: object,
    source: object = None,
    *,
    preset: str | None = None,
    look_in: Sequence[StrPath] = (),
    fetch: bool = False,
    workers: str | int | None = None,
    **settings: Any,
) -> Job:
    """Return what `job` does before it is prepared: its settings are checked, and downloads are still to come."""
    settings, net = _own_net(settings)
    folders = tuple(map(Path, look_in))
    crew = None if workers is None else read_workers(workers)
    if isinstance(what, str) and what in KINDS:
        request = _request(what, source, preset, settings, net)
        return Job(request, Given(source=source, net=net, look_in=folders, fetch=True, workers=crew))
    known, path = _known(what)
    if "target" in settings:
        settings["target"] = str(settings["target"])
    request = override(known, settings)
    if source is not None and "source" not in type(request).model_fields:
        raise SettingError(f"{request.kind} has no source, so none can be given", setting="source")
    if source is not None:
        request = override(request, {}, source=_placeholder(type(request)))
    return Job(request, Given(path, source, net, folders, fetch, crew))


def _request(
    kind: str, source: object, preset: str | None, settings: dict[str, Any], net: Net | None = None
) -> BaseRecipe:
    """Return the recipe for these settings; what is wrong with them is found before a file is read."""
    asked = {name: value for name, value in settings.items() if (name, value) != ("target", None)}
    given = preset_settings(kind, preset, asked)
    kind = _heard(kind, source, given.get("net"), net)
    schema = KINDS[kind].recipe
    chosen = {**suited_settings(kind, net_of(given)), **given}
    fixed: dict[str, Any] = {}
    if "source" in schema.model_fields:
        if source is None:
            raise SettingError(f"{kind} needs a source: a path, a picture or Noise(...)", setting="source")
        fixed["source"] = _placeholder(schema)
    elif source is not None:
        raise SettingError(f"{kind} has no source, so none can be given", setting="source")
    for name in ("ideas", "targets", "corners"):
        if name in schema.model_fields:
            fixed[name] = _texts(chosen.pop(name, ()))
    if "target" in chosen:
        chosen["target"] = str(chosen["target"])
    return validate(schema, chosen, **fixed)


def _heard(kind: str, source: object, named: object, net: Net | None) -> str:
    """Return the kind that is meant: another one for a source that is a sound, or a network that hears."""
    heard = KINDS[kind].heard_as
    if heard is None:
        return kind
    if "source" in KINDS[kind].recipe.model_fields:
        return heard if isinstance(source, str | os.PathLike) and is_sound(source) else kind
    if net is not None:
        return kind if net.card.input.sound is None else heard
    name = named.name if isinstance(named, NetUsed) else named
    return heard if isinstance(name, str) and nets.hears(name) else kind


def _placeholder(schema: type[BaseRecipe]) -> FileSource:
    """Return a source that stands for one that is given to the job."""
    wanted = schema.model_fields["source"].annotation
    return wanted() if isinstance(wanted, type) and issubclass(wanted, FileSource) else Photo()


def _texts(targets: str | Sequence[str | Objective]) -> tuple[str, ...]:
    several = [targets] if isinstance(targets, str) else targets
    return tuple(each for target in several for each in spread(str(target)))


def _known(recipe: object) -> tuple[BaseRecipe, Path | None]:
    """Return the recipe, and the file that it was found in."""
    match recipe:
        case str() | os.PathLike():
            if isinstance(recipe, str) and not Path(recipe).exists() and not Path(recipe).suffix:
                raise UnknownNameError("kind of work or file", recipe, KINDS)
            return sources.read_recipe(recipe), Path(recipe)
        case Picture():
            return recipe.recipe, None
        case BaseRecipe():
            return recipe, None
        case _:
            kind = type(recipe).__name__
            raise SettingError(f"a recipe is a file's path, a Recipe or a Picture, but this is a {kind}")


def _own_net(settings: Mapping[str, Any]) -> tuple[dict[str, Any], Net | None]:
    """Return the settings with `net` as recipes name it, and the network itself if it was given as such."""
    match settings.get("net"):
        case Net() as net:
            return {**settings, "net": networks.named(net)}, net
        case _:
            return dict(settings), None

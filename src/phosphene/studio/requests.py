"""What the pages and scripts send, and the recipes that it stands for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from phosphene.errors import OutputError, SettingError, UnknownNameError
from phosphene.kinds import KINDS
from phosphene.objectives.name import spread
from phosphene.recipe import (
    BaseRecipe,
    ClipFile,
    FileSource,
    NetUsed,
    Noise,
    Photo,
    default_of,
    dumps,
    loads,
    override,
    settings_of,
    validate,
)
from phosphene.recipe.presets import net_of, preset_settings, suited_settings
from phosphene.recipe.settings import read, received, write
from phosphene.studio.folder import Folder
from phosphene.studio.form import OFFERED, takes_clip
from phosphene.studio.records import Records

MASK_NAME = re.compile(r", sources/[0-9a-f]{64}\.\w+(?=\))")
"""The name of a mask, or of a guide, in a target; titles leave it out."""


TAUGHT = re.compile(r"direction\(sources/([0-9a-f]{64})\.safetensors, [^)]*\)")
"""The target of a thing that the camera was taught; titles say its word."""


class MaskedTarget(BaseModel):
    """A target that holds in a part of a picture."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(min_length=1)
    mask: str = Field(description="The SHA-256 of an uploaded picture, white where the target holds.")


class NewJob(BaseModel):
    """A job to add to the queue."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(description="dream, imagine, sheet, zoom, morph or video.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings by name, as numbers or as text; see docs/recipe.md."
    )
    preset: str | None = Field(None, description="A preset, to which the settings add.")
    source: str | None = Field(None, description="The SHA-256 of an uploaded picture, or clip, to begin with.")
    noise: str | None = Field(None, description="WIDTHxHEIGHT of noise to begin with instead.")
    mask: str | None = Field(
        None, description="The SHA-256 of an uploaded picture that says where to dream: white fully, black not at all."
    )
    parts: list[MaskedTarget] = Field(
        default_factory=list, max_length=16, description="Further targets of a dream, each with a mask of its own."
    )
    listed: list[str] = Field(default_factory=list, description="The targets of a sheet, the ideas of a morph.")
    base: dict[str, Any] | None = Field(
        None, description="A recipe, which is rendered again with the settings given here changed."
    )
    now: bool = Field(False, description="Run before all others; what is running goes on afterwards.")
    replaces: str | None = Field(None, description="A job to drop in favour of this one.")
    go_on: bool = Field(False, description="Begin with the picture that the replaced job has come to.")
    parent: str | None = Field(None, max_length=64, description="The job whose settings these are a change of.")
    parent_step: int | None = Field(None, description="The step of that job whose picture this one begins with.")


class Move(BaseModel):
    """A new place in the queue."""

    before: str | None = Field(None, description="The job to stand before; null for the end.")


class QueueState(BaseModel):
    """Whether the queue is paused."""

    paused: bool


class Form(BaseModel):
    """The page's last state, which it has when it is opened again."""

    form: dict[str, Any]


def recipe_for(request: NewJob, records: Records, folder: Folder) -> BaseRecipe:
    """Return the recipe that a request stands for; raise a `PhospheneError` if it is wrong."""
    if request.kind not in OFFERED:
        raise UnknownNameError("kind of work", request.kind, OFFERED)
    schema: type[BaseRecipe] = KINDS[request.kind].recipe
    if request.parts and request.kind == "dream":
        request = request.model_copy(update={"settings": {**request.settings, "target": _target(request, records)}})
    fixed = _fixed(schema, request, records, folder)
    if request.base is None:
        settings = {name: value for name, value in request.settings.items() if value is not None}
        given = preset_settings(request.kind, request.preset, settings)
        return validate(schema, {**suited_settings(request.kind, net_of(given)), **given}, **fixed)
    base = loads(json.dumps(request.base))
    if not isinstance(base, schema):
        raise SettingError(f"base must be a recipe of {request.kind}, but is one of {base.kind}", setting="base")
    fields = {**dict(override(base, request.settings)), **fixed}
    named = {name: fields.pop(name) for name in settings_of(schema) if name in fields}
    return validate(schema, named, **fields)


def _fixed(schema: type[BaseRecipe], request: NewJob, records: Records, folder: Folder) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    if "source" in schema.model_fields:
        find = _clip if takes_clip(schema) else _source
        fixed["source"] = find(request, records, folder)
    if "mask" in schema.model_fields:
        photo = None if request.mask is None else _file(request.mask, records, folder)
        fixed["mask"] = None if photo is None else FileSource(path=photo.path, sha256=photo.sha256)
    if "sound" in schema.model_fields:  # the page uploads no sounds, and a request may not name files of the server's
        fixed["sound"] = None
    for name in ("targets", "ideas"):
        if name in schema.model_fields:
            fixed[name] = tuple(one for each in request.listed if each.strip() for one in spread(each))
    return fixed


def _target(request: NewJob, records: Records) -> str:
    """Return the target of a dream in parts; what `settings` ask for holds everywhere."""
    from phosphene.objectives.expr import parse  # with torch, which the server does without until somebody needs it
    from phosphene.objectives.masked import Masked

    everywhere = request.settings.get("target")
    masked = []
    for part in request.parts:
        found = records.source(part.mask)
        if found is None:
            raise OutputError("this mask is not in the studio any more: paint it again")
        masked.append(str(Masked(parse(part.target), found["file"])))
    return " + ".join([*([str(everywhere)] if everywhere else []), *masked])


def _parts(recipe: BaseRecipe, records: Records) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the target of a dream that holds everywhere, and the others with their masks."""
    target = getattr(recipe, "target", None)
    if recipe.kind != "dream" or target is None or "masked" not in target:
        return target, []
    from phosphene.objectives.base import Scaled
    from phosphene.objectives.expr import parse
    from phosphene.objectives.masked import masked_parts

    everywhere, masked = None, []
    for part in masked_parts(parse(target)):
        text = str(part.objective) if part.strength == 1 else str(Scaled(part.strength, part.objective))
        if part.path is None:
            everywhere = text
            continue
        mask = records.source(getattr(recipe, "guides", {}).get(part.path) or Path(part.path).stem)
        if mask is None:
            return target, []
        masked.append({"target": text, "mask": mask})
    return everywhere, masked


def _source(request: NewJob, records: Records, folder: Folder) -> Photo | Noise:
    if request.noise is not None:
        try:
            return Noise(noise=read(Noise.model_fields["noise"], request.noise))
        except ValueError:
            raise SettingError(
                f"noise must be WIDTHxHEIGHT, but is {received(request.noise)}", setting="noise", value=request.noise
            ) from None
    if request.source is None:
        raise SettingError(f"{request.kind} needs a picture, or noise", setting="source")
    return _file(request.source, records, folder)


def _clip(request: NewJob, records: Records, folder: Folder) -> ClipFile:
    if request.source is None:
        raise SettingError(f"{request.kind} needs a clip", setting="source")
    found = records.source(request.source)
    if found is None:
        raise OutputError("this clip is not in the studio any more: add it again")
    if found["kind"] != "clip":
        raise SettingError(f"{request.kind} needs a clip, but {found['name']} is a picture", setting="source")
    return ClipFile(path=folder.inside(found["file"]).as_posix(), sha256=request.source)


def _file(sha256: str, records: Records, folder: Folder) -> Photo:
    found = records.source(sha256)
    if found is None:
        raise OutputError("this picture is not in the studio any more: add it again")
    if found["kind"] != "photo":
        raise SettingError(f"a picture is needed here, but {found['name']} is a clip", setting="source")
    path = folder.inside(found["file"]).as_posix()
    return Photo(path=path, sha256=sha256, size=(found["height"], found["width"]))


def form_of(text: str, records: Records) -> dict[str, Any] | None:
    """Return what a page shows of a recipe: its settings that are not the defaults, and its source if it is here.

    None for a recipe of a kind that the pages do not offer.
    """
    recipe = loads(text)
    if recipe.kind not in OFFERED:
        return None
    schema = type(recipe)
    values = {
        name: getattr(recipe, name) for name in settings_of(schema) if name not in (*recipe.automatic, "mask", "sound")
    }
    settings = {name: _plain(value) for name, value in values.items() if _plain(value) != default_of(schema, name)}
    everywhere, parts = _parts(recipe, records)
    if parts:
        settings = {name: value for name, value in {**settings, "target": everywhere}.items() if value is not None}
    source = getattr(recipe, "source", None)
    known = _known(source, records)
    return {
        "kind": recipe.kind,
        "settings": settings,
        "listed": list(getattr(recipe, "targets", getattr(recipe, "ideas", ()))),
        "source": known,
        "mask": _known(getattr(recipe, "mask", None), records),
        "parts": parts,
        "missing": isinstance(source, FileSource) and known is None,
        "noise": f"{source.noise[1]}x{source.noise[0]}" if isinstance(source, Noise) else None,
        "base": json.loads(dumps(recipe)),
    }


def changes(before: str, after: str, records: Records) -> list[dict[str, Any]]:
    """Return the settings in which a recipe differs from another one, with both values; None stands for the default."""
    first, second = form_of(before, records), form_of(after, records)
    if first is None or second is None:
        return []
    one, two = ({**form["settings"], **_named(form)} for form in (first, second))
    names = [*one, *(name for name in two if name not in one)]
    return [
        {"setting": name, "before": one.get(name), "after": two.get(name)}
        for name in names
        if one.get(name) != two.get(name)
    ]


def _named(form: dict[str, Any]) -> dict[str, Any]:
    source = form["noise"] or (form["source"] or {}).get("name")
    mask = "painted" if form["mask"] else None
    targets = ", ".join(form["listed"]) or " + ".join(f"masked({each['target']})" for each in form["parts"]) or None
    given = {"kind": form["kind"], "source": source, "targets": targets, "mask": mask}
    return {name: value for name, value in given.items() if value is not None}


def _known(file: object, records: Records) -> dict[str, Any] | None:
    """Return the source that a recipe's file is, if the studio has it."""
    return records.source(file.sha256) if isinstance(file, FileSource) and file.sha256 else None


def _plain(value: Any) -> Any:
    if isinstance(value, NetUsed):
        return value.name
    if isinstance(value, tuple) and all(isinstance(each, NetUsed) for each in value):
        return ",".join(each.name for each in value) or "none"
    return write(value) if isinstance(value, tuple) else value


def title_of(recipe: BaseRecipe, records: Records) -> str:
    """Return what a job is called: its targets, and the name of its picture."""
    listed = getattr(recipe, "targets", getattr(recipe, "ideas", ()))
    target = getattr(recipe, "target", None) or ", ".join(listed[:4]) or recipe.kind
    target = MASK_NAME.sub("", str(target))
    target = TAUGHT.sub(lambda found: records.setting(f"word {found[1]}") or found[0], target)
    name = name_of(recipe, records)
    return f"{target} · {name}" if name else str(target)


def name_of(recipe: BaseRecipe, records: Records) -> str:
    """Return the name of the picture that a recipe begins with; empty if there is none."""
    source = getattr(recipe, "source", None)
    known = _known(source, records)
    return "" if known is None else Path(known["name"]).stem

"""From the recipe of a report to its work."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import ExpressionError, SettingError
from phosphene.gradients.precision import choose_dtype
from phosphene.knowledge.evidence import COPIES, REGION, Part, verdict
from phosphene.knowledge.groups import LUMINANCE
from phosphene.knowledge.neural_pca import Component
from phosphene.knowledge.report import Report, ReportLoop
from phosphene.loops.step import Step
from phosphene.media import site
from phosphene.media.image import write_image
from phosphene.nets.base import Net
from phosphene.objectives.base import resolve
from phosphene.objectives.features import Class
from phosphene.recipe import BaseRecipe, ReportRecipe, resolved
from phosphene.render import networks
from phosphene.render.job import Given, Work
from phosphene.render.pages import PageWork
from phosphene.training import data
from phosphene.types import Image, Size

SHOWN = 4
"""Pictures that a part is shown in."""

FAINT, BRIGHT = 0.25, 0.6
"""Brightness that is left of a picture, without its colours, where a part is not; and the share of the part's strongest
response in it from which on the picture is as it was."""

HEADLINE = "report.json"


class ReportWork(PageWork[ReportLoop]):
    """The work of a report."""

    def fill(self, folder: Path, step: Step, recipe: BaseRecipe) -> None:
        """Write the page, its pictures, and what it says as JSON."""
        report = self.loop.report(step)
        told = facts(report, self.loop.net.card.name, self.loop.layer)
        for index, image in enumerate(report.imaginings):
            write_image(folder / f"imagined-{index + 1}.jpg", image[None])
        for number, (part, icon) in enumerate(zip(report.parts, report.icons, strict=True), start=1):
            write_image(folder / f"part-{number}.jpg", icon[None])
            for place, index in enumerate(strongest(part, report.photos)):
                write_image(folder / f"part-{number}-{place + 1}.jpg", lit(report.pictures[index], part.maps[index]))
        for number, component in enumerate(report.components, start=1):
            for place, index in enumerate(most_moved(component)):
                picture = report.pictures[index]
                where = _where(component, index, (picture.shape[-2], picture.shape[-1]))
                write_image(folder / f"component-{number}-{place + 1}.jpg", lit(picture, where))
        site.write_json(folder / HEADLINE, told)
        site.write_page(folder, "report.html", f"What {report.label} means to {told['net']}", told)


def strongest(part: Part, photos: int) -> list[int]:
    """Return the pictures in which a part is shown: photos, the first of the pictures, and then those where it is
    strongest."""
    return sorted(part.having, key=lambda index: index >= photos)[:SHOWN]


def lit(picture: Tensor, where: Tensor) -> Image:
    """Return a picture, `1 3 h w`, which is dark and without colours but where a part is."""
    dark = FAINT * (picture * picture.new_tensor(LUMINANCE).view(3, 1, 1)).sum(dim=0, keepdim=True)
    bright = (where / (BRIGHT * where.max()).clamp(min=1e-12)).clamp(0, 1)
    return torch.lerp(dark.expand_as(picture), picture, bright.expand_as(picture))[None].clamp(0, 1)


def facts(report: Report, net: str, layer: str) -> dict[str, Any]:
    """Return what a report says, as JSON has it."""
    notes = []
    imagined = len(report.pictures) - report.photos
    if not report.photos:
        why = "No photos were given"
        if report.from_photos:
            why = f"No photo seems to show {report.label}: the network gives it {report.best or 0:.1%} at most"
        notes.append(
            f"{why}. The parts are those of {imagined} imaginings, which show what the network looks for and not what "
            "comes along with it in the world."
        )
    elif imagined:
        photos = "one photo" if report.photos == 1 else f"{report.photos} photos"
        notes.append(
            f"The network finds {report.label} probable in {photos} only, too few to tell its parts from: they are "
            f"those of {imagined} imaginings too."
        )
    if report.left_out is not None:
        notes.append(f"{report.left_out}.")
    return {
        "label": report.label,
        "net": net,
        "layer": layer,
        "notes": notes,
        "verdict": verdict(report.label, report.parts, len(report.pictures)),
        "first": round(report.whole, 4),
        "pictures": len(report.pictures),
        "shown_photos": report.photos,
        "from_photos": report.from_photos,
        "photos": [
            {"name": name, "probability": round(each, 4)}
            for name, each in zip(report.names, report.probabilities, strict=False)
        ],
        "imaginings": len(report.imaginings),
        "parts": [_part(number, each, report.photos) for number, each in enumerate(report.parts, start=1)],
        "components": [_component(number, each) for number, each in enumerate(report.components, start=1)],
        "copies": COPIES,
        "region": REGION,
    }


def most_moved(component: Component) -> list[int]:
    """Return the pictures whose logit a component raises most, the best first."""
    return component.moves.argsort(descending=True, stable=True)[:SHOWN].tolist()


def _component(number: int, component: Component) -> dict[str, Any]:
    shown = most_moved(component)
    return {
        "number": number,
        "share": round(component.share, 4),
        "moves": [round(each, 3) for each in component.moves.tolist()],
        "shown": shown,
    }


def _where(component: Component, index: int, size: Size) -> Tensor:
    """Return where a component raises the logit in one picture, `1 h w`, from 0 to 1."""
    raised = component.maps[index].clamp(min=0)
    raised = raised / raised.max().clamp(min=1e-12)
    return F.interpolate(raised[None], size, mode="bilinear", align_corners=False)[0]


def _part(number: int, part: Part, photos: int) -> dict[str, Any]:
    return {
        "number": number,
        "having": list(part.having),
        "alone": round(part.alone, 4),
        "elsewhere": round(part.elsewhere, 4),
        "keeps": None if math.isnan(part.keeps) else round(part.keeps, 4),
        "without": round(part.without, 4),
        "whole": round(part.whole, 4),
        "effect": None if math.isnan(part.effect) else round(part.effect, 4),
        "argues": [[label, round(effect, 3)] for label, effect in part.argues],
        "imagined": round(part.imagined, 4),
        "area": round(part.area, 4),
        "copies": [round(each, 3) for each in part.copies],
        "shown": strongest(part, photos),
    }


def build_report(recipe: ReportRecipe, net: Net, given: Given) -> Work:
    """Return the work of a report of the recipe's label."""
    card = net.card
    try:
        label = resolve(Class(recipe.target.removeprefix("class:")), card)
    except ExpressionError as problem:
        raise SettingError(str(problem), setting="target", value=recipe.target) from None
    assert isinstance(label, Class), "a label stays one"
    layer = recipe.layer or card.pooled or _last(net)
    if card.layer(layer).receptive is None:
        raise SettingError(f"{layer} has no positions: name a layer before it", setting="layer", value=layer)
    collection, photos = None, recipe.dataset
    if photos is not None:
        collection, photos = data.find(photos, None, given.path, given.look_in)
    dtype = choose_dtype(recipe.precision, next(net.parameters()).device)
    recipe = resolved(
        recipe,
        dataset=photos,
        net=networks.named(net),
        layer=layer,
        precision=str(dtype).removeprefix("torch."),
    )
    return ReportWork(recipe, ReportLoop(net, label, collection, recipe, dtype))


def _last(net: Net) -> str:
    """Return the last layer that has positions."""
    return [name for name, layer in net.card.layers.items() if layer.receptive is not None][-1]

"""From the recipe of an atlas to its work."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import SettingError
from phosphene.gradients.precision import choose_dtype
from phosphene.knowledge import tsne
from phosphene.knowledge.atlas import FEWEST, LANDMARKS, Atlas, AtlasLoop
from phosphene.loops.step import Step
from phosphene.media import site
from phosphene.media.image import write_image
from phosphene.media.image.pixels import quantise
from phosphene.nets.base import Net
from phosphene.recipe import AtlasRecipe, BaseRecipe, resolved
from phosphene.render import networks
from phosphene.render.job import Given, Work
from phosphene.render.pages import SharedPageWork
from phosphene.training import data


class AtlasWork(SharedPageWork[AtlasLoop]):
    """The work of an atlas."""

    def fill(self, folder: Path, step: Step, recipe: BaseRecipe) -> None:
        """Write the page, its tiles and the whole picture."""
        atlas = self.loop.atlas(step)
        assert atlas is not None, "the work is done"
        picture = atlas.picture()
        write_image(folder / "atlas.png", picture)
        facts = site.write_tiles(folder, quantise(picture))
        title = f"Atlas of {atlas.layer} in {self.loop.net.card.name}"
        site.write_page(folder, "atlas.html", title, {**facts, **page_data(atlas)})
        site.write_viewer(folder)


def page_data(atlas: Atlas) -> dict[str, object]:
    """Return what the page knows: where each cell is, and what it argues for."""
    height, width = atlas.pitch
    left_out = f" {len(atlas.unreadable)} files could not be read." if atlas.unreadable else ""
    cells = [
        {
            "x": width * cell.column,
            "y": height * cell.row,
            "count": len(cell.members),
            "labels": [[atlas.labels[index], round(effect, 3)] for index, effect in cell.labels],
        }
        for cell in atlas.cells
    ]
    argued = any(cell.labels for cell in atlas.cells)
    told = (
        " The numbers are the mean change of a label's logit, beside that of the mean label, when the activation is "
        "set to 0 in its picture: what the network does with it, not what the icon looks like."
        if argued
        else " What they argue for is not known for this network."
    )
    about = (
        f"One activation of {atlas.layer} from each of {atlas.pictures} pictures, at a random position, laid out so "
        f"that similar ones are near one another. Each icon is drawn for the mean of a cell; the larger, the more "
        f"activations are in it.{told}{left_out}"
    )
    return {"cellWidth": width, "cellHeight": height, "about": about, "cells": cells}


def build_atlas(recipe: AtlasRecipe, net: Net, given: Given) -> Work:
    """Return the work of an atlas of the recipe's layer."""
    layer = net.card.layer(recipe.layer)
    if layer.receptive is None:
        raise SettingError(
            f"{recipe.layer} has no positions to map: name a layer before it, such as {net.card.pooled or 'another'}",
            setting="layer",
            value=recipe.layer,
        )
    collection, source = data.find(recipe.source, given.source, given.path, given.look_in)
    count = len(collection)
    if count < FEWEST:
        raise SettingError(
            f"an atlas needs {FEWEST} pictures or more, but {collection.source} has {count}", setting="source"
        )
    dtype = choose_dtype(recipe.precision, next(net.parameters()).device)
    recipe = resolved(
        recipe,
        source=source,
        net=networks.named(net),
        precision=str(dtype).removeprefix("torch."),
        least=max(1, round(count / recipe.columns**2 / 10)) if recipe.least == "auto" else recipe.least,
        perplexity=(tsne.perplexity_for(min(count, LANDMARKS)) if recipe.perplexity == "auto" else recipe.perplexity),
    )
    return AtlasWork(recipe, AtlasLoop(net, collection, recipe, dtype), given.workers)

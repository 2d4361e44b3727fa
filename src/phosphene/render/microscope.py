"""From the recipe of a microscope to its work."""

from __future__ import annotations

from pathlib import Path

import torch

from phosphene.errors import SettingError
from phosphene.gradients.precision import choose_dtype
from phosphene.knowledge.microscope import MicroscopeLoop, Unit
from phosphene.loops.step import Step
from phosphene.media import site
from phosphene.nets.base import Net
from phosphene.recipe import BaseRecipe, MicroscopeRecipe, resolved
from phosphene.render import networks
from phosphene.render.job import Given, Work
from phosphene.render.pages import SharedPageWork
from phosphene.training import data

MAIN = "main"


class MicroscopeWork(SharedPageWork[MicroscopeLoop]):
    """The work of a microscope."""

    def fill(self, folder: Path, step: Step, recipe: BaseRecipe) -> None:
        """Write a page for each layer, one that lists them, the icons and the photos."""
        net, loop = self.loop.net.card, self.loop
        names = {layer: layer.replace("/", "-") for layer in loop.layers}
        (folder / "photos").mkdir()
        written: set[int] = set()
        for layer, units in loop.site(step.state):
            (folder / names[layer]).mkdir()
            for unit in units:
                site.write_file(folder / names[layer] / f"{unit.channel}.jpg", unit.icon)
                self._write_photos(folder / "photos", unit, written)
            told = {
                "net": net.name,
                "layer": layer,
                "folder": names[layer],
                "labels": [each[0] for each in net.labels],
                "units": [_facts(each) for each in units],
            }
            site.write_page(folder, "layer.html", f"{layer} in {net.name}", told, name=f"{names[layer]}.html")
        layers = [
            {
                "name": layer,
                "page": f"{names[layer]}.html",
                "folder": names[layer],
                "channels": net.layer(layer).channels,
            }
            for layer in loop.layers
        ]
        site.write_page(folder, "microscope.html", f"Microscope of {net.name}", {"net": net.name, "layers": layers})

    def _write_photos(self, folder: Path, unit: Unit, written: set[int]) -> None:
        assert self.loop.collection is not None or not unit.photos, "photos come from somewhere"
        for which, *_ in unit.photos:
            if which not in written and self.loop.collection is not None:
                pixels, _ = self.loop.collection.read(which, self.loop.net.card.input.size)
                image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().div_(255)
                site.write_file(folder / f"{which}.jpg", site.jpeg(image))
                written.add(which)


def _facts(unit: Unit) -> dict[str, object]:
    return {
        "photos": [[which, round(x, 3), round(y, 3), round(much, 3)] for which, x, y, much in unit.photos],
        "together": [[other, round(much, 2)] for other, much in unit.together],
        "alike": [[other, round(much, 2)] for other, much in unit.alike],
        "labels": [[index, round(effect, 3)] for index, effect in unit.labels],
    }


def build_microscope(recipe: MicroscopeRecipe, net: Net, given: Given) -> Work:
    """Return the work of a microscope of the recipe's layers."""
    card = net.card
    positioned = [name for name, layer in card.layers.items() if layer.receptive is not None and layer.name == name]
    if recipe.layers == MAIN:
        layers = [name for name in positioned if "/" not in name]
    else:
        layers = [card.layer(name.strip()).name for name in recipe.layers.split(",")]
    for name in layers:
        if name not in positioned:
            raise SettingError(f"{name} has no positions: leave it out", setting="layers", value=recipe.layers)
    collection, dataset = None, recipe.dataset
    if dataset is not None:
        collection, dataset = data.find(dataset, None, given.path, given.look_in)
    dtype = choose_dtype(recipe.precision, next(net.parameters()).device)
    recipe = resolved(
        recipe,
        dataset=dataset,
        net=networks.named(net),
        layers=",".join(dict.fromkeys(layers)),
        precision=str(dtype).removeprefix("torch."),
    )
    return MicroscopeWork(
        recipe, MicroscopeLoop(net, list(dict.fromkeys(layers)), collection, recipe, dtype), given.workers
    )

"""From the recipe of a page that explains a dream to its work."""

from __future__ import annotations

from pathlib import Path

from phosphene.gradients.engine import Engine
from phosphene.knowledge.explain import STAGES, ExplainLoop
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.step import Step
from phosphene.media import memory, site
from phosphene.media.image import write_image
from phosphene.nets.base import Net
from phosphene.recipe import BaseRecipe, ExplainRecipe, resolved
from phosphene.render import networks, sources
from phosphene.render.job import Given, Work
from phosphene.render.pages import PageWork
from phosphene.render.stills import chosen_for

TITLE = "How a network dreams on a photo"


class ExplainWork(PageWork[ExplainLoop]):
    """The work of a page that explains a dream."""

    def fill(self, folder: Path, step: Step, recipe: BaseRecipe) -> None:
        """Write the page and its pictures."""
        loop = self.loop
        for name, picture in loop.pictures(step).items():
            write_image(folder / f"{name}.jpg", picture)
        told = {
            "net": loop.net.card.name,
            "target": loop.recipe.target,
            "steps": loop.recipe.steps,
            "octaves": loop.recipe.octaves,
            "width": loop.photo.shape[-1],
            "height": loop.photo.shape[-2],
            "stages": STAGES,
        }
        site.write_page(folder, "explain.html", TITLE, told)


def build_explain(recipe: ExplainRecipe, net: Net, given: Given) -> Work:
    """Return the work of a page that explains a dream on the recipe's photo."""
    arithmetic = Arithmetic(recipe.seed)
    targets = networks.Targets(net, given.path, given.look_in, recipe.guides, equalise=recipe.equalise)
    named = recipe.target or networks.default_target(net)
    engine = Engine(net, targets(named), precision=recipe.precision)
    start = sources.start(recipe.source, given.source, given.path, given.look_in, arithmetic)
    size = sources.size_for(recipe.size, start.size)
    memory.check(size)
    recipe = resolved(recipe, **chosen_for(recipe, net, engine, start.name, named, targets.guides, size))
    return ExplainWork(recipe, ExplainLoop(net, engine, start.at(size)(), recipe, arithmetic))

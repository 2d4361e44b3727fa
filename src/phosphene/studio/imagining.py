"""The process that makes tiles: small pictures of what targets look like.

It is sent ("tile", key, net, target) and answers ("made", key, net, target) or ("failed", key).
"""

from __future__ import annotations

import os
from pathlib import Path

from phosphene.errors import PhospheneError
from phosphene.media.image import to_pil
from phosphene.nets.base import Net
from phosphene.recipe import ImagineRecipe
from phosphene.render import networks
from phosphene.render.job import Given, Job
from phosphene.studio import contained
from phosphene.studio.folder import Folder
from phosphene.studio.helper import Inbox

SIDE = 96
"""Pixels of a tile's side."""

QUICKLY = {"size": SIDE, "steps": 24, "sketches": 1, "sketch_steps": 1, "views": 2, "ensemble": "none"}

NICENESS = 12
"""Tiles wait for everything else."""


def main(inbox: Inbox, folder: Path) -> None:
    """Make what the server asks for, one tile after the other."""
    if os.name == "posix":
        os.nice(NICENESS)
    place = Folder(folder)
    nets: dict[str, Net] = {}
    while True:
        _, key, net, target = inbox.wait()
        try:
            _make(place, nets, key, net, target)
            inbox.send("made", key, net, target)
        except PhospheneError:
            inbox.send("failed", key)


def _make(folder: Folder, nets: dict[str, Net], key: str, net: str, target: str) -> None:
    recipe = ImagineRecipe.model_validate({**QUICKLY, "target": target, "net": {"name": net}})
    contained.check(recipe, folder)
    if net not in nets:
        nets.clear()
        nets[net] = networks.load(recipe.net, recipe.device)
    last = None
    for event in Job(recipe, Given(net=nets[net], look_in=(folder.root,))):
        last = event
    image = None if last is None else last.preview()
    assert image is not None, "there are steps"
    beside = folder.incoming()
    to_pil(image).save(beside, "jpeg", quality=84)
    os.replace(beside, folder.tile(key))

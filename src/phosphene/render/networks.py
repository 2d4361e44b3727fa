"""The network of a recipe, and what the recipe's targets mean on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phosphene import nets
from phosphene.errors import RecipeError, SettingError
from phosphene.gradients.device import choose_device
from phosphene.kinds import HEARD
from phosphene.media.image import Photograph, read_image
from phosphene.media.sound.read import read_sound
from phosphene.media.sound.resample import mixed_down
from phosphene.nets.ablated import Ablated
from phosphene.nets.base import Net
from phosphene.nets.ops.log_mel import LogMel
from phosphene.nets.weights.vector import read_vector
from phosphene.objectives.ablation import read_channels
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.objectives.features import Class, Layer
from phosphene.objectives.masked import MaskedPart, masked_parts
from phosphene.recipe import (
    BaseRecipe,
    EnsembleRecipe,
    FileSource,
    ImagineSettings,
    MorphRecipe,
    NetUsed,
    NetworkRecipe,
    SheetRecipe,
    earlier,
)
from phosphene.recipe.presets import suited_settings
from phosphene.recipe.stills import MOST_ON_SHEET
from phosphene.render import sources
from phosphene.resampling import resize
from phosphene.types import Size

IMAGINE = tuple(ImagineSettings.model_fields)

GUIDE_SIDE = 512
"""Longest side in pixels that a guide is shrunk to: every position of the canvas is compared with all of its own."""

VECTOR = ".safetensors"
"""How the name of a direction's file ends."""

GUIDE_SECONDS = 30.0
"""The most of a guide that is a sound."""


def check_allowed(recipe: NetworkRecipe, path: Path | None, *, fetch: bool) -> None:
    """Raise `RecipeError` if a recipe from the file `path` needs a download that the user has not agreed to."""
    if path is None or fetch:
        return
    for name in (used.name for used in recipe.networks()):
        if not nets.is_here(name):
            raise RecipeError(
                f"{path} asks for the network {name!r}, which is not on this machine: add --fetch to download it "
                "(fetch=True in Python), or --net to use another",
                path=path,
            )


def load(used: NetUsed, device: str, path: Path | None = None) -> Net:
    """Load a network that a recipe uses onto the device that it names; `path` is the recipe's file.

    Measured activation statistics are used in new work, and in a recipe that names them.

    Raises `UnknownNameError`, `SettingError` for a device that is not there, and `RecipeError` for other weights, or
    other measured statistics, than the recipe names.
    """
    with torch.random.fork_rng(devices=[]):  # building layers draws from it
        net = nets.load(used.name, measured=used.sha256 is None or used.statistics is not None)
    card = net.card
    if used.sha256 not in (None, card.sha256):
        raise RecipeError(
            f"net {card.name!r} must have the weights {str(used.sha256)[:12]}..., but here has "
            f"{card.sha256[:12]}...: give --net {card.name} (net={card.name!r} in Python) to render with these",
            path=path,
        )
    if used.statistics not in (None, card.measured):
        raise RecipeError(
            f"net {card.name!r} had measured statistics ({str(used.statistics)[:12]}...), which are not here: give "
            f"--net {card.name} (net={card.name!r} in Python) to render with what is here",
            path=path,
        )
    return net.to(choose_device(device))


def without(net: Net, channels: str | None) -> Net:
    """Return the network without some channels, as text in the objective language; itself for None.

    Raises `ExpressionError`, `UnknownNameError` and `SettingError` for channels that it does not have.
    """
    return net if channels is None else Ablated(net, read_channels(channels))


COMPANIONS = {"lite": ("lite-clean",)}
"""The networks that draw better together with each, where a recipe leaves the choice to phosphene: `lite` draws whole
things in soft strokes, `lite-clean` their detail."""


def companions(
    recipe: EnsembleRecipe,
    texts: Sequence[str],
    objectives: Sequence[Objective],
    path: Path | None = None,
    look_in: tuple[Path, ...] = (),
) -> list[tuple[Net, tuple[Objective, ...]]]:
    """Load the further networks of an ensemble, or those that suit its first one, each with its own objectives.

    Only labels mean the same on several networks: for a layer or a channel there are no companions, unless the recipe
    names some; nor where channels are left out, which they would have.

    `texts` are the targets whose `objectives` the first network has.
    """
    used = recipe.ensemble
    if used == "auto":
        alone = getattr(recipe, "without", None) or not all(map(is_of_classes, objectives))
        known = () if alone else COMPANIONS.get(recipe.net.name, ())
        used = tuple(NetUsed(name=name) for name in known)
    loaded = [load(each, recipe.device, path) for each in used]
    return [(net, tuple(map(Targets(net, path, look_in, recipe.guides), texts))) for net in loaded]


def imagine_settings(recipe: SheetRecipe | MorphRecipe) -> ImagineSettings:
    """Return how the pictures of a sheet or a morph are imagined: as the recipe says, and as suits its network."""
    net = earlier.NET if recipe.version < earlier.SINCE else recipe.net.name
    suited = {name: value for name, value in suited_settings("imagine", net).items() if name in IMAGINE}
    own = {name: getattr(recipe, name) for name in IMAGINE if name in type(recipe).model_fields}
    return ImagineSettings(**{**suited, **own})


def is_of_classes(objective: Objective) -> bool:
    """Tell whether an objective names labels only, and no part of a network."""
    return not any(leaf.spatial for _, leaf in objective.terms())


def check_sees(recipe: BaseRecipe, net: Net) -> None:
    """Raise `SettingError` if the network of work on pictures takes sound."""
    if net.card.input.sound is None or recipe.kind in HEARD:
        return
    raise SettingError(
        f"net {net.card.name!r} hears and does not see: it is for dream on a sound, imagine and morph; give another "
        f"net for {recipe.kind}",
        setting="net",
        value=net.card.name,
    )


def named(net: Net) -> NetUsed:
    """Return the network as recipes name it."""
    return NetUsed(name=net.card.name, sha256=net.card.sha256, statistics=net.card.measured or None)


def default_target(net: Net) -> str:
    """Return what is dreamt of where nothing is asked for, in the objective language."""
    return str(Layer(net.card.default_target))


def finer_target(net: Net) -> str:
    """Return a layer halfway to the default target, which brings out finer patterns, in the objective language."""
    default = net.card.default_target
    above = [name for name in net.card.layers if "/" not in name or name == default]
    return str(Layer(above[above.index(default) // 2]))


EVERYTHING = "all"
"""What stands for every label of a network on a sheet."""


def spread_all(net: Net, targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the targets with `all`, unless that is a label itself, replaced by every label of the network.

    Raises `SettingError` for more labels than a sheet has room for.
    """
    card = net.card
    if EVERYTHING not in targets or any(EVERYTHING in names for names in card.labels):
        return targets
    every = [str(Class(names[0])) for names in card.labels]
    spread = tuple(each for target in targets for each in (every if target == EVERYTHING else [target]))
    if not 0 < len(spread) <= MOST_ON_SHEET:
        raise SettingError(
            f"{card.name} has {len(every)} labels, but a sheet has room for 1 to {MOST_ON_SHEET} pictures: name some",
            setting="targets",
        )
    return spread


class Targets:
    """The meaning of targets on a network; the guides that they name are read, and `guides` collects their hashes.

    A guide is looked for in `folders`, the first of which has it, and must have the hash that `known` has for it.
    """

    def __init__(
        self, net: Net, path: Path | None, look_in: tuple[Path, ...], known: Mapping[str, str], *, equalise: bool = True
    ) -> None:
        self.guides: dict[str, str] = {}
        self._photos: dict[str, Photograph] = {}
        self._net, self._path, self._look_in, self._known = net, path, look_in, known
        self._equalise = equalise

    def __call__(self, target: str) -> Objective:
        """Return the objective that the text stands for; raises `ExpressionError` and `UnknownNameError`."""
        return self._resolved(parse(target))

    def parts(self, target: str) -> list[MaskedPart]:
        """Return the parts of a picture's target, each with where it holds; raises as calling this does."""
        found = masked_parts(parse(target))
        return [part._replace(objective=self._resolved(part.objective)) for part in found]

    def masks(self, parts: Sequence[MaskedPart], size: Size) -> list[Tensor]:
        """Return how much of each part's step is taken where, 1 1 h w; the masks' hashes are kept with the guides'."""
        weights = []
        for part in parts:
            if part.path is None:
                weights.append(torch.full((1, 1, 1, 1), part.strength).expand(1, 1, *size))
                continue
            file = FileSource(path=part.path, sha256=self._known.get(part.path))
            found, mask = sources.mask_at(file, size, self._path, self._look_in)
            assert found.sha256 is not None, "a file has a hash"
            self.guides[part.path] = found.sha256
            weights.append(mask * part.strength)
        return weights

    def _resolved(self, objective: Objective) -> Objective:
        return resolve(objective, self._net.card, self._read, normalised=self._equalise)

    def _read(self, path: str, layer: str, side: int | None = None) -> Tensor:
        """Return a guide's features, `c h w`, or `c 1` of a vector; `side` is its longest one in pixels."""
        if Path(path).suffix == VECTOR:
            return self._vector(path)
        if self._net.card.input.sound is not None:
            return self._hear(path, layer)
        photo = self._photo(path)
        size = sources.size_for(side or min(GUIDE_SIDE, max(photo.size)), photo.size)
        with torch.no_grad():
            guide = resize(photo.image, size, clamp=True).to(next(self._net.parameters()).device)
            features = self._net(guide, [layer])[layer][0]
        return features if features.ndim == 3 else features[:, None, None]

    def _photo(self, path: str) -> Photograph:
        """Return a guide's picture, which is read once however many layers and sizes of it are asked for in a row."""
        if path not in self._photos:
            self._photos.clear()
            known = FileSource(path=path, sha256=self._known.get(path))
            photo = sources.find(known, self._path, self._look_in, read_image, "guide", lambda found: found.sha256)
            self.guides[path], self._photos[path] = photo.sha256, photo
        return self._photos[path]

    def _vector(self, path: str) -> Tensor:
        """Return the only tensor of a safetensors file, as a direction `c 1`."""
        known = FileSource(path=path, sha256=self._known.get(path))
        vector, sha256 = sources.find(
            known, self._path, self._look_in, read_vector, "direction", lambda found: found[1]
        )
        self.guides[path] = sha256
        return vector.to(next(self._net.parameters()).device)[:, None]

    def _hear(self, path: str, layer: str) -> Tensor:
        """Return the features of a guide that is a sound, of its first `GUIDE_SECONDS`, `c h w`."""
        spec = self._net.card.input.sound
        assert spec is not None
        known = FileSource(path=path, sha256=self._known.get(path))
        reads = partial(read_sound, most_seconds=GUIDE_SECONDS)
        sound, samples = sources.find(known, self._path, self._look_in, reads, "guide", lambda found: found[0].sha256)
        self.guides[path] = sound.sha256
        wave = np.concatenate(list(mixed_down([samples], sound.rate, spec.rate)))
        wave = wave if len(wave) >= spec.samples else np.resize(wave, spec.samples)
        device = next(self._net.parameters()).device
        with torch.no_grad():
            heard = LogMel(spec)(torch.from_numpy(wave)[None]).to(device)
            return self._net(heard, [layer])[layer][0]

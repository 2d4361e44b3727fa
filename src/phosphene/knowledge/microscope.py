"""A microscope: what each channel of each layer looks for, which photos excite it, and what it argues for.

    layers ──► photos that excite each channel most ──► an icon of each channel ──► labels for and against

Sources: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill 2017); the OpenAI Microscope (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.knowledge.atlas import SETTINGS
from phosphene.knowledge.icons import icon_steps
from phosphene.knowledge.sampling import read_batches
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.sheet import BATCH
from phosphene.loops.step import State, Step, number
from phosphene.media.dataset.collection import Collection
from phosphene.media.site import jpeg, read_jpeg
from phosphene.nets.base import Net
from phosphene.nets.intervention import can_intervene, logits_with
from phosphene.objectives.base import resolve
from phosphene.objectives.features import Channel
from phosphene.recipe.knowledge import MicroscopeRecipe
from phosphene.types import Features, Image

PHOTOS = 4
"""Photos that are kept for each channel."""

TOLD = 5
"""Labels for and against a channel, and channels that it fires with."""

READING = 0.2
"""Share of the work that looking at photos is taken for."""


@dataclass(frozen=True)
class Unit:
    """One channel: its photos as (index, x, y, response), the channels that it fires with, those that look for nearly
    the same with the cosine of their spectra, and labels with effects."""

    channel: int
    icon: bytes
    photos: tuple[tuple[int, float, float, float], ...]
    together: tuple[tuple[int, float], ...]
    alike: tuple[tuple[int, float], ...]
    labels: tuple[tuple[int, float], ...]


class MicroscopeLoop:
    """The work of a microscope; `layers` are names without aliases, which have positions."""

    def __init__(
        self, net: Net, layers: list[str], collection: Collection | None, recipe: MicroscopeRecipe, dtype: torch.dtype
    ) -> None:
        self.net, self.layers, self.collection, self.recipe, self.dtype = net, layers, collection, recipe, dtype
        self.arithmetic = Arithmetic(recipe.seed)
        self.units = [(layer, i) for layer in layers for i in range(net.card.layer(layer).channels)]

    def steps(self, state: State | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes."""
        state = state or self._begin()
        if self.collection is not None and int(state["seen"]) < len(self.collection):
            for step in self._look(self.collection, state):
                state = step.state
                yield step
        yield from self._draw(state)

    def site(self, state: State) -> Iterator[tuple[str, list[Unit]]]:
        """Yield each layer with its units, after the last step."""
        at, icons = 0, icons_of(state)
        for index, layer in enumerate(self.layers):
            channels = self.net.card.layer(layer).channels
            together = self._together(state, index, channels)
            alike = nearest(spectra(self.net, layer, icons[at : at + channels]))
            units = []
            for channel in range(channels):
                icon = icons[at + channel]
                photos = self._photos(state, index, channel)
                labels = self._labels(state, layer, channel, photos)
                units.append(Unit(channel, icon, photos, together[channel], alike[channel], labels))
            at += channels
            yield layer, units

    def picture(self, step: Step) -> Image:
        """Return the newest icons side by side, or the newest photo."""
        if not len(step.image):
            return torch.full((1, 3, self.recipe.size, self.recipe.size), 0.5)
        return torch.cat(list(step.image[:8]), dim=2)[None]

    def _begin(self) -> State:
        state: dict[str, Tensor] = {"seen": number(0), "jpeg": torch.zeros(0, dtype=torch.uint8)}
        state["lengths"] = torch.zeros(0, dtype=torch.int64)
        for index, layer in enumerate(self.layers if self.collection is not None else []):
            channels = self.net.card.layer(layer).channels
            state[f"best.{index}"] = torch.full((channels, PHOTOS, 4), -torch.inf)  # response, photo, x, y
            state[f"sum.{index}"] = torch.zeros(channels, dtype=torch.float64)
            state[f"products.{index}"] = torch.zeros(channels, channels, dtype=torch.float64)
        return state

    @torch.no_grad()
    def _look(self, collection: Collection, state: State) -> Iterator[Step]:
        side, count = self.net.card.input.size, len(collection)
        for indices, image, _, seen in read_batches(collection, side, int(state["seen"])):
            now = {**state, "seen": number(seen)}
            if indices:
                found = self.net(image, self.layers)
                for index, layer in enumerate(self.layers):
                    self._take(now, index, found[layer].float(), indices)
            state = now
            shown = image[:1] if len(image) else torch.zeros(1, 3, side, side)
            yield Step("looking at photos", seen, count, READING * seen / count, shown, torch.zeros(1), state)

    def _take(self, state: dict[str, Tensor], index: int, features: Features, photos: list[int]) -> None:
        """Keep, in new tensors, the photos that excite each channel most, and how channels fire together."""
        width = features.shape[3]
        highest, place = features.flatten(2).max(dim=2)
        x, y = (place % width + 0.5) / width, (place // width + 0.5) / features.shape[2]
        which = torch.tensor(photos, dtype=torch.float32)[:, None].expand_as(highest)
        new = torch.stack((highest, which, x, y), dim=2).transpose(0, 1)
        every = torch.cat((state[f"best.{index}"], new), dim=1)
        order = every[..., 0].argsort(dim=1, descending=True, stable=True)[:, :PHOTOS]
        state[f"best.{index}"] = every.gather(1, order[..., None].expand(-1, -1, 4))
        mean = features.mean(dim=(2, 3)).double()
        state[f"sum.{index}"] = state[f"sum.{index}"] + mean.sum(dim=0)
        state[f"products.{index}"] = state[f"products.{index}"] + mean.T @ mean

    def _draw(self, state: State) -> Iterator[Step]:
        settings = SETTINGS.model_copy(update={"steps": self.recipe.steps, "views": self.recipe.views})
        kept = {name: each for name, each in state.items() if not name.startswith("icon.")}
        begin = READING if self.collection is not None else 0.0
        inner = part(state, "icon.") or None
        batches = self._batches()
        done = sum(len(batch) for batch in batches[: int(state.get("batch", torch.tensor(0)))])
        for index in range(int(state.get("batch", torch.tensor(0))), len(batches)):
            batch = batches[index]
            channels = [resolve(Channel(layer, channel), self.net.card) for layer, channel in batch]
            steps = icon_steps(
                self.net,
                channels,
                settings,
                arithmetic=self.arithmetic.at(*batch[0]),
                size=self.recipe.size,
                dtype=self.dtype,
                state=inner,
            )
            for step in steps:
                now = {**kept, "batch": number(index), **{f"icon.{name}": each for name, each in step.state.items()}}
                if step.progress >= 1:
                    kept = {**kept, **_added(kept, step.image)}
                    now = {**kept, "batch": number(index + 1)}
                share = (done + len(batch) * step.progress) / len(self.units)
                stage = f"{batch[0][0]}, channels {batch[0][1]} to {batch[-1][1]}"
                yield replace(step, stage=stage, progress=begin + (1 - begin) * share, state=now)
            inner, done = None, done + len(batch)
        if int(state.get("batch", torch.tensor(0))) == len(batches):
            yield Step("icons", 1, 1, 1.0, torch.zeros(1, 3, 1, 1), torch.zeros(1), state)

    def _batches(self) -> list[list[tuple[str, int]]]:
        """Split the units into batches, each of one layer."""
        found = []
        for layer in self.layers:
            own = [each for each in self.units if each[0] == layer]
            found += [own[first : first + BATCH] for first in range(0, len(own), BATCH)]
        return found

    def _photos(self, state: State, index: int, channel: int) -> tuple[tuple[int, float, float, float], ...]:
        if self.collection is None:
            return ()
        rows = state[f"best.{index}"][channel].tolist()
        return tuple((int(which), x, y, highest) for highest, which, x, y in rows if highest > 0)

    def _together(self, state: State, index: int, channels: int) -> list[tuple[tuple[int, float], ...]]:
        """Return for each channel those whose mean response correlates most with its own over the photos."""
        if self.collection is None:
            return [()] * channels
        correlation = correlations(state[f"sum.{index}"], state[f"products.{index}"], int(state["seen"]))
        best = correlation.fill_diagonal_(-1).topk(min(TOLD, channels - 1), dim=1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [tuple((i, v) for i, v in zip(*row, strict=True) if v > 0) for row in pairs]

    @torch.no_grad()
    def _labels(
        self, state: State, layer: str, channel: int, photos: tuple[tuple[int, float, float, float], ...]
    ) -> tuple[tuple[int, float], ...]:
        """Return the labels that the channel raises and lowers most, in the photos that excite it most."""
        classes = self.net.card.classes
        if not photos or self.collection is None or classes is None or not can_intervene(self.net, layer):
            return ()
        side = self.net.card.input.size
        pixels = np.stack([self.collection.read(which, side)[0] for which, *_ in photos])
        image: Image = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
        effect = self.net(image, [classes])[classes] - logits_with(self.net, image, layer, silent(channel))
        effect = effect.float().mean(dim=0)[: len(self.net.card.labels)]
        effect = effect - effect.mean()
        order = effect.argsort(descending=True).tolist()
        few = min(TOLD, len(order) // 2)
        return tuple((i, float(effect[i])) for i in [*order[:few], *order[len(order) - few :]])


@torch.no_grad()
def spectra(net: Net, layer: str, icons: Sequence[bytes]) -> Float[Tensor, "icons c"]:
    """Return the activation spectrum of each icon: each channel's response beyond that to the mean icon.

    Responses are means over positions, each channel's in its std over the icons.
    """
    found = []
    for first in range(0, len(icons), BATCH):
        images = torch.cat([read_jpeg(each) for each in icons[first : first + BATCH]])
        found.append(net(images, [layer])[layer].float().mean(dim=(2, 3)).cpu())
    responses = torch.cat(found)
    std = responses.std(dim=0, correction=0)
    return (responses - responses.mean(dim=0)) * torch.where(std > 1e-9, 1 / std, 0)


def nearest(spectra: Float[Tensor, "n c"]) -> list[tuple[tuple[int, float], ...]]:
    """Return for each spectrum the `TOLD` others with the largest cosines above 0, the largest first."""
    unit = spectra / spectra.norm(dim=1, keepdim=True).clamp(min=1e-12)
    best = (unit @ unit.T).fill_diagonal_(-1).topk(min(TOLD, len(unit) - 1), dim=1)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [tuple((i, v) for i, v in zip(*row, strict=True) if v > 0) for row in pairs]


def silent(channel: int) -> Callable[[Features], Features]:
    """Return a change of an activation that sets one channel to 0."""

    def change(activation: Features) -> Features:
        changed = activation.clone()
        changed[:, channel] = 0
        return changed

    return change


def correlations(total: Float[Tensor, " c"], products: Float[Tensor, "c c"], count: int) -> Float[Tensor, "c c"]:
    """Return the correlations of channels from sums over `count` photos; 0 for a channel that never changes."""
    covariance = products / count - torch.outer(total, total) / count**2
    std = covariance.diagonal().clamp(min=0).sqrt()
    inverse = torch.where(std > 1e-9, 1 / std, 0)
    return (covariance * torch.outer(inverse, inverse)).float()


def icons_of(state: State) -> list[bytes]:
    """Return the icons that are kept in a state, as JPEG files."""
    data, found, at = state["jpeg"].numpy().tobytes(), [], 0
    for length in state["lengths"].tolist():
        found.append(data[at : at + length])
        at += length
    return found


def _added(state: State, icons: Image) -> dict[str, Tensor]:
    files = [np.frombuffer(jpeg(icon[None]), np.uint8) for icon in icons]
    lengths = torch.tensor([len(each) for each in files])
    return {
        "jpeg": torch.cat((state["jpeg"], torch.from_numpy(np.concatenate(files)))),
        "lengths": torch.cat((state["lengths"], lengths)),
    }

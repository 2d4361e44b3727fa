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
from phosphene.knowledge.icons import IconBatch
from phosphene.knowledge.sampling import read_batches
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.ascent import part
from phosphene.loops.parts import Crew, done_in, done_state, finished
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

    def steps(self, state: State | None = None, crew: Crew | None = None) -> Iterator[Step]:
        """Do the work step by step, from the beginning or from where `state` was taken, to the same bytes.

        A crew draws the icons.
        """
        state = state or self._begin()
        if self.collection is not None and int(state["seen"]) < len(self.collection):
            for step in self._look(self.collection, state):
                state = step.state
                yield step
        yield from self._draw(state, crew)

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

    def _draw(self, state: State, crew: Crew | None) -> Iterator[Step]:
        kept = {name: each for name, each in state.items() if name.partition(".")[0] not in _OF_ICONS}
        batches = self._batches()
        drawn = _drawn_in(state, batches)
        left = [index for index in range(len(batches)) if index not in drawn]
        if not left:
            yield Step("icons", 1, 1, 1.0, torch.zeros(1, 3, 1, 1), torch.zeros(1), state)
        elif crew is None:
            yield from self._one_by_one(batches, drawn, kept, part(state, "icon.inner."))
        else:
            for index, (icons, scores) in finished([batches[each] for each in left], crew):
                drawn[left[index]] = [jpeg(icon[None]) for icon in icons]
                count = sum(map(len, drawn.values()))
                now = {**kept, **_packed(drawn)}
                yield Step("icons", count, len(self.units), self._share(count), icons, scores, now)

    def _one_by_one(
        self, batches: list[IconBatch], drawn: dict[int, list[bytes]], kept: State, inner: State
    ) -> Iterator[Step]:
        for index in [each for each in range(len(batches)) if each not in drawn]:
            batch, before, now = batches[index], sum(map(len, drawn.values())), {**kept, **_packed(drawn)}
            count, (layer, channel) = len(batch.objectives), self.units[batch.first]
            for step in batch.steps(self.net, inner or None):
                icons, state = torch.zeros(0, 3, batch.size, batch.size), step.state
                if step.progress >= 1:
                    icons, state = batch.finished(step), {}
                    drawn[index] = [jpeg(icon[None]) for icon in icons]
                    now = {**kept, **_packed(drawn)}
                yield replace(
                    step,
                    stage=f"{layer}, channels {channel} to {channel + count - 1}",
                    image=icons,
                    progress=self._share(before + count * step.progress),
                    state={**now, **{f"icon.inner.{name}": each for name, each in state.items()}},
                )
            inner = {}

    def _share(self, count: float) -> float:
        """Return how far the work has come with this many icons."""
        begin = READING if self.collection is not None else 0.0
        return begin + (1 - begin) * count / len(self.units)

    def _batches(self) -> list[IconBatch]:
        """Return the batches in which icons are drawn, each of one layer."""
        settings = SETTINGS.model_copy(update={"steps": self.recipe.steps, "views": self.recipe.views})
        found, at = [], 0
        for layer in self.layers:
            channels = self.net.card.layer(layer).channels
            for first in range(0, channels, BATCH):
                several = range(first, min(first + BATCH, channels))
                objectives = tuple(resolve(Channel(layer, channel), self.net.card) for channel in several)
                own = self.arithmetic.at(layer, first).at("icons", 0)
                found.append(IconBatch(at + first, objectives, settings, own, self.recipe.size, self.dtype))
            at += channels
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


_OF_ICONS = ("batch", "done", "jpeg", "lengths", "icon")
"""Of names in a state, up to a dot, those that tell about icons."""


def _drawn_in(state: State, batches: Sequence[IconBatch]) -> dict[int, list[bytes]]:
    """Return the icons of each batch that is done, as JPEG files."""
    files = iter(icons_of(state))
    done = done_in(state) if "batch" in state else []
    return {index: [next(files) for _ in batches[index].objectives] for index in done}


def _packed(drawn: dict[int, list[bytes]]) -> State:
    """Return a state that tells which batches are done, and their icons."""
    files = [file for _, icons in sorted(drawn.items()) for file in icons]
    data = np.frombuffer(b"".join(files), np.uint8).copy()
    lengths = torch.tensor([len(each) for each in files], dtype=torch.int64)
    return {**done_state(drawn), "jpeg": torch.from_numpy(data), "lengths": lengths}

"""Hears a sound with a network: tags over time, and the channels with the highest z-scores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.attribution.view import network
from phosphene.errors import SettingError
from phosphene.media.sound.plot import plot_sound
from phosphene.media.sound.read import open_sound
from phosphene.media.sound.resample import mixed_down
from phosphene.nets.base import Net
from phosphene.nets.card import Card, SoundSpec
from phosphene.nets.ops.log_mel import LogMel, band_centres
from phosphene.objectives.features import Channel, Class
from phosphene.objectives.level import inverse_variance
from phosphene.types import Image

HOP_SECONDS = 1.0
"""Time between two excerpts that are heard."""

BATCH = 8
"""Excerpts that are heard at once."""

PICTURE_FRAMES = 1600
"""The most frames of the spectrogram that are kept for a picture; of longer sounds, means over several."""


class HeardTag(NamedTuple):
    """A tag: the target that asks for it, its mean probability, its highest, and when that was, in seconds."""

    label: str
    target: str
    probability: float
    highest: float
    seconds: float


class HeardChannel(NamedTuple):
    """A channel, its highest z-score, relative to its response to music, and when that was, in seconds."""

    target: str
    z_score: float
    seconds: float


@dataclass(frozen=True)
class Hearing:
    """What a network hears in a sound, most probable first.

    `times` are the middles of the excerpts in seconds, and `probabilities` has for each of them those of `tags` in
    their order. `spectrogram` is log-mel, coarser in time for long sounds, over `seconds`.
    """

    net: str
    seconds: float
    tags: tuple[HeardTag, ...]
    channels: tuple[HeardChannel, ...]
    times: tuple[float, ...]
    probabilities: Float[Tensor, "times tags"] = field(repr=False)
    spectrogram: Float[Tensor, "frames bands"] = field(repr=False)
    band_hertz: tuple[float, ...] = field(repr=False)

    def plot(self, title: str = "") -> Image:
        """Return a picture, 1 3 h w: the spectrogram with its axes, and beneath it each tag's probability over time."""
        rows = list(zip((tag.label for tag in self.tags), self.probabilities.T.tolist(), strict=True))
        return plot_sound(self.spectrogram, self.seconds, self.band_hertz, rows, title)


@torch.no_grad()
def hear(source: str | os.PathLike[str], *, net: str | Net = "ear", count: int = 5) -> Hearing:
    """Tell what a network hears in a sound file: tags over time, and the channels with the highest z-scores.

        ph.hear("song.flac").tags[0]    # HeardTag('guitar', 'class:guitar', 0.83, 0.97, 12.5)

    Excerpts of the length that the network was trained on are heard, one every second; a shorter sound is repeated to
    fill one. Files are read as they are heard, so that length costs no memory.

    Args:
        source: a path of a sound file, of any rate and number of channels.
        net: a network that takes sound, or its name.
        count: the largest number of tags and channels to tell, from 1.

    Raises:
        SettingError: for a count below 1, or a network that does not hear.
        SoundError: for a file that is not sound, or is damaged.
    """
    if count < 1:
        raise SettingError(f"count must be 1 or more, but is {count}", setting="count", value=count)
    net = network(net)
    spec = sound_spec(net.card)
    file = open_sound(source)
    ears = _Ears(net, spec)
    total = 0
    for batch, so_far in _batches(mixed_down(file.blocks(), file.rate, spec.rate), spec):
        ears.listen(batch)
        total = so_far
    return ears.told(total / spec.rate, count)


def sound_spec(card: Card) -> SoundSpec:
    """Return how a network hears; raise `SettingError` for one that sees."""
    if card.input.sound is None:
        raise SettingError(
            f"net {card.name!r} sees pictures and does not hear: give one that takes sound, such as ear",
            setting="net",
            value=card.name,
        )
    return card.input.sound


def _batches(blocks: Iterator[np.ndarray], spec: SoundSpec) -> Iterator[tuple[Tensor, int]]:
    """Yield batches of excerpts, one every second, and how many samples there have been so far."""
    hop, held, total, heard = round(HOP_SECONDS * spec.rate), np.zeros(0, np.float32), 0, 0
    for block in blocks:
        held, total = np.concatenate((held, block)), total + len(block)
        while len(held) >= spec.samples + (BATCH - 1) * hop:
            excerpts = [held[i * hop : i * hop + spec.samples] for i in range(BATCH)]
            yield torch.from_numpy(np.stack(excerpts)), total
            held, heard = held[BATCH * hop :], heard + BATCH
    rest = [held[at : at + spec.samples] for at in range(0, len(held) - spec.samples + 1, hop)]
    if not rest and not heard:
        rest = [np.resize(held, spec.samples)]  # repeated
    if rest:
        yield torch.from_numpy(np.stack(rest)), total


class _Ears:
    """Collects the results of the windows heard so far."""

    def __init__(self, net: Net, spec: SoundSpec) -> None:
        self._net, self._spec, self._log_mel = net, spec, LogMel(spec)
        card = net.card
        self._last = torch.zeros(0, spec.bands)
        self._names = [name for name, layer in card.layers.items() if layer.statistics is not None and layer.receptive]
        self._statistics = {name: card.layers[name].statistics for name in self._names}
        self._classes = str(card.classes)
        self._probabilities: list[Tensor] = []
        self._beyond: list[dict[str, Tensor]] = []
        self._spectrogram: list[Tensor] = []

    def listen(self, excerpts: Float[Tensor, "n samples"]) -> None:
        log_mel = self._log_mel(excerpts)[:, :, : self._spec.frames]
        found = self._net(log_mel, [*self._names, self._classes])
        self._probabilities.append(found.pop(self._classes).sigmoid())
        for index in range(len(excerpts)):
            beyond = {}
            for name, features in found.items():
                statistics = self._statistics[name]
                assert statistics is not None
                unit = inverse_variance(statistics).sqrt()
                beyond[name] = (features[index].mean(dim=(1, 2)) - statistics.mean) * unit
            self._beyond.append(beyond)
        per_hop = round(HOP_SECONDS * self._spec.rate / self._spec.hop)
        for each in log_mel[:, 0]:
            self._spectrogram.append(each[:per_hop])
        self._last = log_mel[-1, 0, per_hop:]

    def told(self, seconds: float, count: int) -> Hearing:
        every = torch.cat(self._probabilities)
        half = self._spec.samples / self._spec.rate / 2
        times = tuple(min(half, seconds / 2) + i * HOP_SECONDS for i in range(len(every)))
        mean = every.mean(dim=0)
        order = mean.argsort(descending=True)[:count].tolist()
        tags = []
        for index in order:
            label = self._net.card.labels[index][0]
            at = int(every[:, index].argmax())
            tags.append(HeardTag(label, str(Class(label)), float(mean[index]), float(every[at, index]), times[at]))
        whole = torch.cat([*self._spectrogram, self._last])
        frames = min(len(whole), max(1, round(seconds * self._spec.rate / self._spec.hop)))
        return Hearing(
            net=self._net.card.name,
            seconds=seconds,
            tags=tuple(tags),
            channels=self._channels(times, count),
            times=times,
            probabilities=every[:, order],
            spectrogram=_coarser(whole[:frames], PICTURE_FRAMES),
            band_hertz=tuple(band_centres(self._spec).tolist()),
        )

    def _channels(self, times: tuple[float, ...], count: int) -> tuple[HeardChannel, ...]:
        found = []
        for name in self._names:
            beyond = torch.stack([each[name] for each in self._beyond])
            strongest, at = beyond.max(dim=0)
            for channel in strongest.topk(min(count, len(strongest))).indices.tolist():
                z_score = float(strongest[channel])
                if z_score > 0:
                    found.append(HeardChannel(str(Channel(name, channel)), z_score, times[int(at[channel])]))
        return tuple(sorted(found, key=lambda each: -each.z_score)[:count])


def _coarser(spectrogram: Float[Tensor, "frames bands"], most: int) -> Float[Tensor, "fewer bands"]:
    every = -(-len(spectrogram) // most)
    whole = spectrogram[: len(spectrogram) // every * every]
    return whole.unflatten(0, (-1, every)).mean(dim=1)

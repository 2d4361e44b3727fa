"""The things that a network recognises in a picture: labels, layers and channels, as targets that can be dreamt."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import nets
from phosphene.attribution.view import network, picture, view, within_reach
from phosphene.errors import SettingError, UnknownNameError
from phosphene.nets.base import Net
from phosphene.nets.card import Card
from phosphene.objectives.features import Channel, Class, Layer, Neuron
from phosphene.objectives.level import inverse_variance
from phosphene.types import Features, Image

LABEL_SIZES = (1.0, 1.25)
"""Of the net's own, over which labels are averaged. In smaller ones the pocket network loses the object, and from
1.5 on it sees texture instead of things (tried from 0.75 to 2 on photographs of known things)."""


HYPERNYMS, HYPERNYM_LEAST, HYPERNYM_GAIN = 3, 0.5, 0.1
"""The most words above labels that are told, the least probability of one, and how much more probable it must be than
what is told below it."""

VAGUE_SHARE, VAGUE = 0.5, ("device", "instrumentality")
"""Words above more than this share of the labels (artifact), and these, say nothing about a picture."""


class SeenLabel(NamedTuple):
    """A class: its best known name, the target that asks for it, and its probability, 0 to 1."""

    label: str
    target: str
    probability: float


class SeenLayer(NamedTuple):
    """A layer, and its response relative to that to photographs: 1 is the same, 2 is twice as strong."""

    target: str
    relative_response: float


class SeenChannel(NamedTuple):
    """A channel, how many stds it is above its mean, and where it is strongest, with the target `neuron` for that."""

    target: str
    z_score: float
    neuron: str
    x: float
    y: float


@dataclass(frozen=True)
class Sight:
    """The result of `see`, strongest first.

    `labels` is empty for a net without classes. `hypernyms` are words above labels, from the narrowest to the widest,
    with the sum of their labels' probabilities: a dog is seen where no breed is certain. `has_statistics` says whether
    the net's responses to photographs are known; without them there are no `layers`, and `channels` are compared with
    the other channels of their layer.
    """

    net: str
    labels: tuple[SeenLabel, ...]
    layers: tuple[SeenLayer, ...]
    channels: tuple[SeenChannel, ...]
    has_statistics: bool
    hypernyms: tuple[SeenLabel, ...] = ()

    def tables(self) -> list[list[dict[str, str]]]:
        """Return what is seen as tables for people: labels, layers and channels, as far as there are any."""
        labels = [
            {"label": each.label, "probability": f"{each.probability:.1%}", "target": each.target}
            for each in self.labels
        ]
        layers = [
            {"layer": each.target, "response": f"{each.relative_response:.2f} times that to photographs"}
            for each in self.layers
        ]
        channels = [
            {"channel": each.target, "z-score": f"{each.z_score:.1f}", "strongest": each.neuron}
            for each in self.channels
        ]
        return [table for table in (labels, layers, channels) if table]

    def _repr_html_(self) -> str:
        return "".join(map(_html, self.tables()))


@torch.no_grad()
def see(source: object, *, net: str | Net = nets.RECOGNISES, count: int = 5) -> Sight:
    """Tell what a network sees: labels, and the layers and channels that respond more than to photographs.

        ph.see("cup.jpg").labels[0]     # SeenLabel('espresso', 'class:espresso', 0.83)

    The picture is shown near the net's input size, together with its mirror image: what is seen in both is unlikely to
    be an accident of its pixels.

    - Labels: the softmax of the log-probabilities' mean over both, in two sizes.
    - Layers: the root mean square response relative to that to photographs, each channel divided by its std.
    - Channels: the mean of both, position by position. The z-scores of its largest value and of its mean are combined
      by their geometric mean: a channel must respond over much of the picture, and strongly somewhere. Either alone
      changes more when a picture is cropped slightly. Channels that hardly respond to photographs are left out.

    Args:
        source: a path, PIL image, NumPy array (h w 3) or tensor (3 h w), of any size.
        net: a network, or its name.
        count: the largest number of labels, layers and channels to tell, from 1.

    Raises:
        SettingError: for a count below 1, or something that cannot be a source.
        ImageError: for a file that is not a picture.
        UnknownNameError: for an unknown net.
    """
    if count < 1:
        raise SettingError(f"count must be 1 or more, but is {count}", setting="count", value=count)
    net = network(net)
    card = net.card
    image = within_reach(picture(source), net)
    names = [name for name, layer in card.layers.items() if layer.receptive and layer.name == name]  # no aliases
    responses = net(with_mirror(view(image, card)), names)
    probability = probabilities(image, net)
    return Sight(
        net=card.name,
        labels=_labels(probability, card, count),
        layers=_layers(responses, card)[:count],
        channels=_channels(responses, card, count),
        has_statistics=any(card.layers[name].statistics for name in names),
        hypernyms=_hypernyms(probability, card),
    )


@torch.no_grad()
def labels_of(image: Image, net: Net, count: int) -> tuple[SeenLabel, ...]:
    """Return the labels of a picture (1 3 h w), strongest first, in one look, for pictures that come many a second."""
    card = net.card
    if card.classes is None:
        raise SettingError(f"net {card.name!r} knows no labels: choose another", setting="net", value=card.name)
    logits = net(view(within_reach(image, net), card), [card.classes])[card.classes][0]
    return _labels(logits.float().softmax(dim=0)[: len(card.labels)].cpu(), card, count)


def _html(table: list[dict[str, str]]) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{row(table[0], 'th')}{''.join(row(each.values(), 'td') for each in table)}</table>"


def with_mirror(image: Image) -> Float[Tensor, "both 3 h w"]:
    """Return a picture (1 3 h w) and its mirror image."""
    return torch.cat((image, image.flip(3)))


def probabilities(image: Image, net: Net) -> Float[Tensor, " k"]:
    """Return each label's probability in a picture (1 3 h w, within reach); empty for a net without classes."""
    card = net.card
    if card.classes is None:
        return torch.zeros(0)
    views = [with_mirror(view(image, card, factor)) for factor in LABEL_SIZES]
    return averaged([net(each, [card.classes])[card.classes] for each in views], card)


def averaged(logits: Sequence[Float[Tensor, "both k"]], card: Card) -> Float[Tensor, " k"]:
    """Return each label's probability from the class scores of a picture and its mirror image in each size."""
    found = [each.float().log_softmax(dim=1).mean(dim=0) for each in logits]
    # Scores beyond the labels, which some nets have, take their share of probability but cannot be named.
    return torch.stack(found).mean(dim=0).softmax(dim=0)[: len(card.labels)].cpu()


def _labels(probability: Float[Tensor, " k"], card: Card, count: int) -> tuple[SeenLabel, ...]:
    best = probability.topk(min(count, len(probability)))
    return tuple(
        SeenLabel(card.labels[index][0], class_target(card, index), each)
        for index, each in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )


def _hypernyms(probability: Float[Tensor, " k"], card: Card) -> tuple[SeenLabel, ...]:
    if not len(probability):
        return ()
    narrowest_first = sorted(
        {each.synset: each for each in reversed(list(card.hypernyms.values()))}.values(),
        key=lambda each: len(each.members),
    )
    told: list[tuple[float, SeenLabel, frozenset[int]]] = []
    for each in narrowest_first:
        if not 1 < len(each.members) <= VAGUE_SHARE * len(probability) or each.word in VAGUE:
            continue
        members, own = frozenset(each.members), probability[list(each.members)]
        below = [seen.probability for _, seen, others in told if others <= members]
        gain = own.sum().item() - max(own.max().item(), *below, 0.0)
        if gain >= HYPERNYM_GAIN and own.sum() >= HYPERNYM_LEAST:
            told.append((gain, SeenLabel(each.word, str(Class(each.word)), own.sum().item()), members))
    best = sorted(told, key=lambda one: -one[0])[:HYPERNYMS]
    return tuple(seen for _, seen, _ in told if any(seen is other for _, other, _ in best))


def class_target(card: Card, index: int) -> str:
    """Return a name that means only this class, or its index: a crane is a bird and a machine."""
    for name in card.labels[index]:
        try:
            if card.find_label(name) == index:
                return str(Class(name))
        except UnknownNameError:
            continue
    return str(Class(str(index)))


def _layers(responses: Mapping[str, Features], card: Card) -> tuple[SeenLayer, ...]:
    found = []
    for name, features in responses.items():
        statistics = card.layers[name].statistics
        if statistics is None:
            continue
        weight = inverse_variance(statistics).to(features)
        expected = weight.count_nonzero() + (statistics.mean.to(features).square() * weight).sum()
        energy = (features.square().mean(dim=(0, 2, 3)) * weight).sum()
        found.append(SeenLayer(str(Layer(name)), (energy / expected).sqrt().item()))
    return tuple(sorted(found, key=lambda each: -each.relative_response))


def _channels(responses: Mapping[str, Features], card: Card, count: int) -> tuple[SeenChannel, ...]:
    averages = {name: (features[0] + features[1].flip(2)) / 2 for name, features in responses.items()}
    ranked: list[tuple[float, str, int]] = []
    for name, average in averages.items():
        beyond = _beyond(average, card, name)
        top = beyond.topk(min(count, len(beyond)))
        ranked += [(each, name, i) for each, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    found: list[SeenChannel] = []
    told: list[Tensor] = []
    for z_score, name, index in sorted(ranked, key=lambda each: -each[0]):
        response = averages[name][index]
        positive = response.clamp(min=0)
        if z_score <= 0 or len(found) == count:
            break
        # A convolution, its ReLU and the layer that both are part of say the same.
        if any(torch.equal(positive, other) for other in told):
            continue
        told.append(positive)
        found.append(_placed(response, z_score, name, index))
    return tuple(found)


def _beyond(average: Float[Tensor, "c h w"], card: Card, name: str) -> Float[Tensor, " c"]:
    """Return each channel's z-score, against photographs or else against its layer's channels; 0 if negative."""
    statistics = card.layers[name].statistics
    most_and_mean = torch.stack((average.amax(dim=(1, 2)), average.mean(dim=(1, 2))))
    if statistics is None:
        level = most_and_mean.mean(dim=1, keepdim=True)
        std = (most_and_mean - level).square().mean(dim=1, keepdim=True).sqrt()
        unit = torch.where(std > 0, 1 / std, 0)
    else:
        level, unit = statistics.mean.to(average), inverse_variance(statistics).to(average).sqrt()
    return ((most_and_mean - level) * unit).clamp(min=0).prod(dim=0).sqrt()


def _placed(response: Float[Tensor, "h w"], z_score: float, name: str, index: int) -> SeenChannel:
    height, width = response.shape
    row, column = divmod(int(response.argmax()), width)
    x, y = round((column + 0.5) / width, 3), round((row + 0.5) / height, 3)
    return SeenChannel(str(Channel(name, index)), z_score, str(Neuron(name, index, x, y)), x, y)

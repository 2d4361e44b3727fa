"""The card of a network: its input, its layers, its labels and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from phosphene.errors import SettingError, UnknownNameError
from phosphene.nets import wordnet
from phosphene.nets.receptive import Field
from phosphene.nets.wordnet import Hypernym, fold
from phosphene.types import Image


@dataclass(frozen=True)
class ActivationStatistics:
    """How each channel of a layer responds to natural images, over all positions.

    Each is a tensor of shape `c`; a channel that never responds has std 0.
    """

    mean: Tensor
    std: Tensor
    maximum: Tensor


@dataclass(frozen=True, eq=False)
class PictureStatistics:
    """The mean and the std, at each place, of the pictures that a network learnt: both `c side side`, in [0, 1]."""

    mean: Tensor = field(repr=False)
    std: Tensor = field(repr=False)


@dataclass(frozen=True)
class LayerCard:
    """One layer; `receptive` is None for a layer that sees the whole image, such as one without positions.

    `cost` is how many multiply-adds per pixel of the image it takes to run the network to this layer, which is half the
    FLOPs; None if it is not known.
    """

    name: str
    channels: int
    receptive: Field | None
    statistics: ActivationStatistics | None = field(default=None, repr=False, compare=False)
    cost: float | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class SoundSpec:
    """How a network's spectrogram is made from samples in [-1, 1] (`phosphene.nets.ops.log_mel`).

    `rate` is in samples per second, of one channel; `frame` and `hop` are in samples. Each of `bands` is a triangle
    on Slaney's mel scale between `lowest` and `highest`, in Hz, of area 1; the result is log10(gain * power + 1).
    The network was trained on excerpts of `samples`, of which it saw the first `frames`.
    """

    rate: int
    frame: int
    hop: int
    bands: int
    lowest: float
    highest: float
    gain: float
    samples: int
    frames: int


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The input that a network expects: a grid of `channels` numbers at each position, in [0, 1] before `normalise`.

    `mean` and `std` have one number per channel. `axes` names the two axes of the grid in order: ("height", "width")
    for an image, ("time", "frequency") for a spectrogram. `size` is the length in positions of the longer axis of the
    inputs that the network was trained on. A network that takes sound has a `sound`, which says how the spectrogram is
    made; its numbers are not limited to [0, 1].

    >>> import torch
    >>> InputSpec(channels=1, mean=(0.5,), std=(0.25,), size=96).normalise(torch.ones(1, 1, 2, 2)).unique()
    tensor([2.])

    Raises `SettingError` unless `mean` and `std` have `channels` numbers each.
    """

    channels: int = 3
    mean: tuple[float, ...]
    std: tuple[float, ...]
    axes: tuple[str, str] = ("height", "width")
    size: int
    sound: SoundSpec | None = None

    def __post_init__(self) -> None:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != self.channels:
                raise SettingError(
                    f"{name} must have a number for each of {self.channels} channels, but has {len(numbers)}",
                    setting=name,
                    value=numbers,
                )

    def normalise(self, image: Image) -> Tensor:
        """Return `image` less the mean, divided by the std, in the image's dtype.

        A colour image is made grey for a network of one channel, so that a network of grey pictures can see any.

        Convert to bfloat16 afterwards: subtracting in bfloat16 would lose values near the mean.
        """
        if self.channels == 1 and image.shape[1] == 3:
            image = image.mean(dim=1, keepdim=True)
        mean = image.new_tensor(self.mean).view(1, -1, 1, 1)
        std = image.new_tensor(self.std).view(1, -1, 1, 1)
        return (image - mean) / std


@dataclass(frozen=True)
class Card:
    """Facts about a network.

    `labels[i]` are the names of class i, the best known first. `classes` is the layer of the class scores and
    `pooled` the layer whose mean over all positions it is computed from; both are None where they do not apply.
    `mirrored` says whether a mirrored picture still shows the same, as it does unless letters are to be read;
    `closest` is the smallest share of a picture's side in which the network has learnt to see the thing that it shows.
    `identifiers[i]` is the id of class i's synset in WordNet 3.0, empty where it has none; without them the labels'
    names decide (`synsets`). `measured` is the SHA-256 of the activation statistics that the user has measured, empty
    where there are none. `pictures` tells how the pictures that it learnt look, where that is known.
    """

    name: str
    title: str
    input: InputSpec
    layers: Mapping[str, LayerCard]
    labels: tuple[tuple[str, ...], ...]
    classes: str | None
    pooled: str | None
    default_target: str
    source: str
    sha256: str
    licence: str
    mirrored: bool = True
    closest: float = 0.0
    identifiers: tuple[str, ...] = field(default=(), repr=False)
    measured: str = ""
    pictures: PictureStatistics | None = field(default=None, repr=False, compare=False)

    def layer(self, name: str) -> LayerCard:
        """Return the card of one layer. Raises `UnknownNameError` with the nearest names."""
        try:
            return self.layers[name]
        except KeyError:
            raise UnknownNameError("layer", name, self.layers, where=f"net {self.name!r}") from None

    def normalise(self, image: Image) -> Tensor:
        """Return `image` as the network expects it: `InputSpec.normalise` of `input`."""
        return self.input.normalise(image)

    def with_statistics(self, statistics: Mapping[str, ActivationStatistics]) -> Card:
        """Return this card with the activation statistics of the layers named.

        Raises `UnknownNameError` for a layer that the card does not have.
        """
        known = {self.layer(name).name: each for name, each in statistics.items()}
        layers = {
            name: replace(layer, statistics=known.get(layer.name, layer.statistics))
            for name, layer in self.layers.items()
        }
        return replace(self, layers=layers)

    @property
    def synsets(self) -> tuple[str, ...]:
        """The id of each class's synset in WordNet 3.0, empty where it has none."""
        return self.identifiers if len(self.identifiers) == len(self.labels) else wordnet.match(self.labels)

    @property
    def hypernyms(self) -> Mapping[str, Hypernym]:
        """The words above the labels, folded (`wordnet.fold`), each with the labels that it stands above."""
        return wordnet.hypernyms(self.synsets)

    def find_label(self, name: str) -> int:
        """Return the index of the class called `name` (any of its names, in any case), or an index given in digits.

        Raises `UnknownNameError` with the nearest names.
        """
        index = self._label(name)
        if index is None:
            every = [each for names in self.labels for each in names]
            raise UnknownNameError("label", name, every, where=f"net {self.name!r}")
        return index

    def find_labels(self, word: str) -> tuple[int, ...]:
        """Return the index of the class called `word` or, where there is none, of those that the word stands above.

        Raises `UnknownNameError` with the nearest names and words.
        """
        index = self._label(word)
        if index is not None:
            return (index,)
        found = self.hypernyms.get(fold(word))
        if found is None:
            raise UnknownNameError("label", word, self.words(), where=self.place_of(word))
        return found.members

    def words(self) -> list[str]:
        """Return all that classes may be called: the names of labels, then the words above them."""
        names = [each for names in self.labels for each in names]
        return [*names, *(each.word for each in self.hypernyms.values())]

    def place_of(self, word: str) -> str:
        """Return where `word` was looked for, for errors: if others know it, that here nothing is of that kind."""
        place = f"net {self.name!r}"
        return f"{place}, nor any label of that kind" if wordnet.is_known(word) else place

    def _label(self, name: str) -> int | None:
        wanted = fold(name)
        # Classes may share a name ("wagon"): the class that lists it earliest wins, then the one with the lower index.
        ranked = [
            (names.index(wanted), index)
            for index, names in enumerate([fold(each) for each in names] for names in self.labels)
            if wanted in names
        ]
        if ranked:
            return min(ranked)[1]
        return int(name) if name.isascii() and name.isdigit() and int(name) < len(self.labels) else None

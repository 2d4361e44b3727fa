"""The embedded network that hears: 50 tags of music, from three seconds of sound.

Its structure is that of a small VGG on log-mel spectrograms, trained on MagnaTagATune; the layers `conv1` ... `conv5`
end with a ReLU, `pool1` ... `pool5` with a batch norm and a max pool, and `tags` are the tags' logits, of which the
sigmoid is a probability. An excerpt longer than three seconds is scored about once a second, and the logits are
averaged. The statistics of `conv1` ... `conv5` are those that the batch norms have kept from the music that the network
was trained on; the largest responses were not kept, and four stds above the mean stand for them.

Source of the weights: Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging"
(ISMIR 2019 late-breaking), model `MTT_vgg`, under the ISC licence (`ear_weights/LICENSE.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nets.card import SoundSpec
from phosphene.nets.ops.modules import Convolution, Operation, Pair
from phosphene.nets.receptive import Field
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.zoo.graph import Structure, Table

SOUND = SoundSpec(
    rate=16_000, frame=512, hop=256, bands=96, lowest=0.0, highest=8000.0, gain=10_000.0, samples=48_000, frames=187
)

CHANNELS = 128
POOLS: tuple[tuple[Pair, Pair], ...] = (((4, 1), (2, 2)), *[((2, 2), (2, 2))] * 3, ((4, 4), (4, 4)))
"""Window and stride of each pool, in (time, mel)."""


class NormPool(Operation):
    """A batch norm, folded into a scale and a shift, and the maximum of each window of (rows, columns)."""

    def __init__(self, channels: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        self.channels, self.kernel, self.stride = channels, kernel, stride
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        (x,) = inputs
        scaled = x * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return F.max_pool2d(scaled, self.kernel, self.stride)

    def field(self, seen: Sequence[Field], axis: int) -> Field:
        return seen[0].through(self.kernel[axis], self.stride[axis])


class TagHead(Operation):
    """A dense layer on every two neighbours in time, in one band, and the mean of the results."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.empty(channels, 2 * given))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, inputs: Sequence[Tensor], spare: bool) -> Tensor:
        x = inputs[0].squeeze(3)
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        pairs = torch.cat((x[:, :, :-1], x[:, :, 1:]), dim=1)
        return F.linear(pairs.mean(dim=2), self.weight.to(x.dtype), self.bias.to(x.dtype))

    def field(self, seen: Sequence[Field], axis: int) -> None:
        return None


def structure(classes: int) -> Structure:
    """Return the network without its weights, for this many tags."""
    table = Table()
    given = 1
    with torch.device("meta"):
        for number, (kernel, stride) in enumerate(POOLS, start=1):
            table.add(f"conv{number}", Convolution(given, CHANNELS, 3, 1, 1, relu=True))
            table.add(f"pool{number}", NormPool(CHANNELS, kernel, stride))
            given = CHANNELS
        table.add("tags", TagHead(CHANNELS, classes))
    return Structure(table, "tags", None, "conv4", SOUND.frames, sound=SOUND)


def own_weights(structure: Structure, source: TensorSource) -> Mapping[str, Tensor]:
    """Return the weights of a file with the layers' names: `conv1.weight`, and `pool1.weight` for its scales."""
    weights = {}
    for name, operation in structure.table.steps.items():
        for kind, parameter in operation.named_parameters():
            weights[f"{name}.{kind}"] = source.take(f"{name}.{kind}", parameter.shape)
    source.finish()
    return weights

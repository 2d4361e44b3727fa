"""The spectrogram that a network hears: log-mel bands of a waveform, differentiable in its samples."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.nets.card import SoundSpec

_LINEAR = 200 / 3
"""Hz of a mel below `_KNEE`."""

_KNEE = 1000.0
_LOG_STEP = math.log(6.4) / 27
"""Natural logarithm of the ratio of two frequencies a mel apart above `_KNEE`."""


class LogMel(nn.Module):
    """Turns a waveform into the picture that a network hears.

    >>> from phosphene.nets.zoo import ear
    >>> LogMel(ear.SOUND)(torch.zeros(2, 48000)).shape
    torch.Size([2, 1, 188, 96])

    Frames are centred, with the waveform reflected at its ends, and windowed by a periodic Hann window.

    Args:
        spec: the card's `input.sound`.

    Source: Slaney, "Auditory Toolbox" (1998), for the scale and the triangles of area 1.
    """

    def __init__(self, spec: SoundSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("window", torch.hann_window(spec.frame), persistent=False)
        self.register_buffer("bands", mel_bands(spec), persistent=False)

    def forward(self, wave: Float[Tensor, "n samples"]) -> Float[Tensor, "n 1 frames bands"]:
        spec = self.spec
        waves = torch.stft(
            wave, spec.frame, spec.hop, window=self.get_buffer("window"), pad_mode="reflect", return_complex=True
        )
        power = waves.real.square() + waves.imag.square()
        mel = torch.einsum("bf,nft->ntb", self.get_buffer("bands"), power)
        return torch.log10(spec.gain * mel + 1).unsqueeze(1)


def mel_bands(spec: SoundSpec) -> Float[Tensor, "bands bins"]:
    """Return the weight of each bin of a frame's spectrum in each band."""
    edges = _edges(spec)
    bins = torch.linspace(0, spec.rate / 2, spec.frame // 2 + 1, dtype=torch.float64)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clamp(min=0)
    return (triangles * 2 / (right - left)).float()


def band_centres(spec: SoundSpec) -> Float[Tensor, " bands"]:
    """Return the frequency in Hz at which each band hears best."""
    return _edges(spec)[1:-1].float()


def _edges(spec: SoundSpec) -> Float[Tensor, " edges"]:
    ends = torch.tensor([spec.lowest, spec.highest], dtype=torch.float64)
    first, last = hertz_to_mel(ends).tolist()
    return mel_to_hertz(torch.linspace(first, last, spec.bands + 2, dtype=torch.float64))


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Return frequencies on Slaney's mel scale: linear below 1 kHz, logarithmic above.

    >>> hertz_to_mel(torch.tensor([0.0, 1000.0, 6400.0]))
    tensor([ 0., 15., 42.])
    """
    above = _KNEE / _LINEAR + (hertz.clamp(min=_KNEE) / _KNEE).log() / _LOG_STEP
    return torch.where(hertz < _KNEE, hertz / _LINEAR, above)


def mel_to_hertz(mel: Tensor) -> Tensor:
    """Return the frequencies in Hz of mels: the inverse of `hertz_to_mel`."""
    knee = _KNEE / _LINEAR
    return torch.where(mel < knee, mel * _LINEAR, _KNEE * ((mel - knee) * _LOG_STEP).exp())

"""A canvas for sound: complex short-time Fourier coefficients in several lengths of window, weighted as sound is.

The twin of `FourierCanvas`. Long windows write partials, short ones onsets. Each coefficient is scaled by 1 / frequency
and by how loud the sound that it changes is near it, so that ascent strengthens partials and onsets that are there
before it fills the silence between them with a haze.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

WINDOWS = (512, 2048)
"""Window lengths in samples at 16 kHz: 32 and 128 ms."""

BRIGHT, DEEPEST = 500.0, 60.0
"""Hz from which, and down to which, weights fall with frequency."""

EVERYWHERE = 0.05
"""Weight of a coefficient where the sound is silent, relative to one where it is loud."""

SCALE = 0.05


class WaveCanvas(nn.Module):
    """A change of the sound `base`, which begins as none.

    >>> canvas = WaveCanvas(torch.randn(1, 8000))
    >>> canvas().shape, canvas().abs().max() == 0
    (torch.Size([1, 8000]), tensor(True))

    Args:
        base: n samples, the sound that is changed, at a root mean square of about 0.1.
        rate: in samples per second.
        decay: weights fall as frequency to the power of this.
    """

    def __init__(
        self, base: Float[Tensor, "n samples"], rate: int = 16_000, decay: float = 0.7, windows: Sequence[int] = WINDOWS
    ) -> None:
        super().__init__()
        self.samples = base.shape[-1]
        self._lengths = tuple(windows)
        self.coefficients = nn.ParameterList()
        for length in self._lengths:
            weights = _loudness(base, length) * _falling(length, rate, decay)[:, None]
            self.register_buffer(f"weights_{length}", weights, persistent=False)
            self.register_buffer(f"window_{length}", torch.hann_window(length), persistent=False)
            self.coefficients.append(nn.Parameter(torch.zeros(*weights.shape, 2)))

    def forward(self) -> Float[Tensor, "n samples"]:
        change = torch.zeros(())
        for length, coefficients in zip(self._lengths, self.coefficients, strict=True):
            waves = torch.view_as_complex(coefficients) * self.get_buffer(f"weights_{length}")
            window = self.get_buffer(f"window_{length}")
            change = change + torch.istft(
                waves * (SCALE * math.sqrt(length)), length, length // 4, window=window, length=self.samples
            )
        return change


def _falling(length: int, rate: int, decay: float) -> Float[Tensor, " bins"]:
    frequency = torch.fft.rfftfreq(length, 1 / rate)
    return (frequency.clamp(min=DEEPEST) / BRIGHT) ** -decay * (1 - torch.exp(-((frequency / 50) ** 2)))


def _loudness(base: Float[Tensor, "n samples"], length: int) -> Float[Tensor, "n bins frames"]:
    """Return how loud the sound is near each coefficient, from `EVERYWHERE` to about 4."""
    waves = torch.stft(base, length, length // 4, window=torch.hann_window(length), return_complex=True).abs()
    height = max(3, length // 128) // 2 * 2 + 1
    near = F.avg_pool2d(waves[:, None], (height, 5), 1, (height // 2, 2), count_include_pad=False)[:, 0]
    loudest = near.amax(dim=(1, 2), keepdim=True) + 1e-9
    return EVERYWHERE + (1 - EVERYWHERE) * 4 * near / loudest

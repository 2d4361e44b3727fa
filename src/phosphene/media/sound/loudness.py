"""Loudness as people hear it, measured block by block, and a limiter that keeps peaks below full scale.

Sources: EBU R 128 (2020) and ITU-R BS.1770-4: K-weighting, blocks of 400 ms that overlap by 75 %, and two gates.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0
"""LU below the mean of what passes the absolute gate."""

CEILING, LOSSY_CEILING = 0.98, 0.89
"""The largest sample that the limiter lets pass. Lossy formats overshoot: R 128 keeps 1 dB for that."""

LOOK_AHEAD = 0.005
"""Seconds on each side of a peak in which the limiter turns down the gain."""

SURROUND = {5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41), 8: (1, 1, 1, 0, 1.41, 1.41, 1.41, 1.41)}
"""Weights of the channels by their number: those of 5.0, 5.1 and 7.1, where the fourth is for effects in the bass."""

_STEP = 0.1
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)
_SHELF = (1681.974450955533, 0.7071752369554196, 3.999843853973347)


class LoudnessMeter:
    """Measures integrated loudness of blocks of `channels` x `samples`, in the order in which they come.

    >>> meter = LoudnessMeter(48000, 1)
    >>> time = torch.arange(48000 * 2) / 48000
    >>> meter.add(0.5 * torch.sin(2 * math.pi * 997 * time)[None])
    >>> round(meter.loudness(), 1)
    -9.0
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._kernel = _weighting(rate)
        self._weights = torch.tensor(SURROUND.get(channels, (1.0,) * channels))
        self._step = round(_STEP * rate)
        self._tail = torch.zeros(channels, len(self._kernel) - 1)
        self._left = torch.zeros(channels, 0)
        self._powers: list[Tensor] = []
        self.peak = 0.0

    def add(self, block: Tensor) -> None:
        """Take in the next block, `channels samples`."""
        if block.shape[1] == 0:
            return
        self.peak = max(self.peak, float(block.abs().max()))
        whole = torch.cat((self._tail, block), dim=1)
        self._tail = whole[:, whole.shape[1] - self._tail.shape[1] :]
        weighted = torch.cat((self._left, _convolved(whole, self._kernel)), dim=1)
        count = weighted.shape[1] // self._step
        parts = weighted[:, : count * self._step].unflatten(1, (count, self._step))
        self._powers.append(self._weights @ parts.square().mean(dim=2))
        self._left = weighted[:, count * self._step :]

    def loudness(self) -> float:
        """Return the integrated loudness in LUFS, minus infinity for silence; short sounds are one block."""
        steps = torch.cat(self._powers) if self._powers else torch.zeros(0)
        if len(steps) < 4:
            rest = [self._weights @ self._left.square().mean(dim=1)[:, None]] if self._left.shape[1] else []
            power = torch.cat([steps, *rest])
            return _lufs(float(power.mean())) if len(power) else -math.inf
        blocks = steps.unfold(0, 4, 1).mean(dim=1).double()
        blocks = blocks[blocks > _power(ABSOLUTE_GATE)]
        if not len(blocks):
            return -math.inf
        return _lufs(float(blocks[blocks > float(blocks.mean()) * _power(RELATIVE_GATE, 0.0)].mean()))


class Limiter:
    """Turns the gain down around samples beyond `ceiling`, for blocks of `channels` x `samples` in their order.

    All channels have the same gain. Results lag behind by `delay` samples; `flush` returns the last ones.
    """

    def __init__(self, rate: int, channels: int, ceiling: float = CEILING) -> None:
        self._ceiling = ceiling
        self.delay = max(1, round(LOOK_AHEAD * rate))
        self._held = torch.zeros(channels, 2 * self.delay)
        self._skip = 2 * self.delay  # what was held before the beginning

    def add(self, block: Tensor) -> Tensor:
        """Return the samples that are final now."""
        whole = torch.cat((self._held, block), dim=1)
        if whole.shape[1] <= 4 * self.delay:
            self._held = whole
            return whole[:, :0]
        peak = whole.abs().amax(dim=0).clamp(min=self._ceiling)
        gain = self._ceiling / peak
        # The least gain near each sample, smoothed over the same width: never above what that sample needs.
        width = 2 * self.delay + 1
        least = -F.max_pool1d(-gain[None, None], width, 1)
        smooth = F.avg_pool1d(least, width, 1)[0, 0]
        begin = 2 * self.delay
        done = whole[:, begin : begin + len(smooth)] * smooth
        self._held = whole[:, len(smooth) :]
        fresh = done[:, self._skip - 2 * self.delay :] if self._skip else done
        self._skip = 0
        return fresh

    def flush(self) -> Tensor:
        """Return what was held back."""
        channels = len(self._held)
        return self.add(torch.zeros(channels, 4 * self.delay + 1))[:, : -(2 * self.delay + 1)]


def _weighting(rate: int) -> Tensor:
    """Return the impulse response of the K-weighting filter at a sample rate, 0.2 s of it."""
    length = max(64, round(0.2 * rate))
    impulse = np.zeros(length)
    impulse[0] = 1.0
    for b, a in (_shelf(rate), _high_pass(rate)):
        impulse = _filtered(impulse, b, a)
    return torch.from_numpy(impulse).float()


def _shelf(rate: int) -> tuple[np.ndarray, np.ndarray]:
    frequency, quality, gain = _SHELF
    k = math.tan(math.pi * min(frequency / rate, 0.49))
    high = 10 ** (gain / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / quality + k * k
    b = np.array([high + band * k / quality + k * k, 2 * (k * k - high), high - band * k / quality + k * k]) / a0
    return b, np.array([1, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0])


def _high_pass(rate: int) -> tuple[np.ndarray, np.ndarray]:
    frequency, quality = _HIGH_PASS
    k = math.tan(math.pi * frequency / rate)
    a0 = 1 + k / quality + k * k
    return np.array([1.0, -2.0, 1.0]), np.array([1, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0])


def _filtered(x: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = b[0] * x[i]
        for j in (1, 2):
            if i >= j:
                y[i] += b[j] * x[i - j] - a[j] * y[i - j]
    return y


def _convolved(x: Tensor, kernel: Tensor) -> Tensor:
    """Return the valid part of the convolution of each row with `kernel`, by FFT."""
    size = 1 << (x.shape[1] + len(kernel) - 2).bit_length()
    product = torch.fft.rfft(x, size) * torch.fft.rfft(kernel, size)
    return torch.fft.irfft(product, size)[:, len(kernel) - 1 : x.shape[1]]


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power) if power > 0 else -math.inf


def _power(lufs: float, offset: float = 0.691) -> float:
    return 10 ** ((lufs + offset) / 10)

"""Other sample rates, block by block (the SoX resampler)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from phosphene.media.sound.extra import package


def mixed_down(blocks: Iterable[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """Yield the mean of all channels of `blocks`, `n channels`, at the rate `wanted`, as blocks of `n`."""
    return resampled((block.mean(axis=1) for block in blocks), rate, wanted)


def resampled(blocks: Iterable[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """Yield mono blocks at another rate; the last one may be short."""
    if rate == wanted:
        yield from blocks
        return
    stream = package("soxr").ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        if len(out := stream.resample_chunk(np.ascontiguousarray(block, np.float32))):
            yield out
    if len(out := stream.resample_chunk(np.zeros(0, np.float32), last=True)):
        yield out

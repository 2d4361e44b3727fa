"""How pictures of a clip move from one to the next: optical flow, where it can be trusted, and moving along it.

Flow is found by OpenCV's DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) on small
luminance, in both directions. Where going there and back does not lead home, something was hidden or came into view
(Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical flow", ECCV 2010).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from phosphene.errors import MissingExtraError
from phosphene.types import Image, Size

FLOW_SIDE = 448
"""Longest side in pixels at which flow is found. It costs 0.03 s a frame at 448 and 0.08 s at 640, for a film of 640
pixels, for which the network takes 0.4 s."""

ENLARGED = 2.0
"""How much pictures smaller than that are enlarged before: flow is found at half the resolution of what it is found
on, and of a picture 128 pixels wide this brings its error from 0.2 down to 0.07 pixels."""

SMALLEST_SIDE = 24
"""Shortest side in pixels for which flow is found; smaller pictures are enlarged to it."""

SLACK = (0.01, 0.5)
"""Of there-and-back: the share of the ways' squared lengths, and squared pixels, that it may miss home by."""

STRANGE = 0.07
"""Mean difference of luminance, as a share of its range, between a frame and the last one moved onto it, from which on
the two may be strangers."""

KNOWN = 0.6
"""Share of a frame whose flow can be trusted, below which strangers are a cut, and not only a fast motion."""

Luminance = UInt8[Tensor, "rows columns"]
"""A picture's small luminance, as flow is found on."""


@dataclass(frozen=True)
class Motion:
    """From a frame to the one before: `flow` (1 2 h w) leads from each pixel to where it was, in pixels x and y;
    `known` (1 1 h w) is 1 where that can be trusted, 0 where not. `cut` tells that the two are of different scenes."""

    flow: Float[Tensor, "1 2 h w"]
    known: Float[Tensor, "1 1 h w"]
    cut: bool


def luminance(image: Image, side: int = FLOW_SIDE) -> Luminance:
    """Return the luminance of a picture (1 3 h w), at most `side` pixels wide and high, weighted as in ITU-R BT.709."""
    height, width = image.shape[-2:]
    scale = min(ENLARGED, side / max(height, width))
    scale = max(scale, SMALLEST_SIDE / min(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    grey = (image * weights.to(image)).sum(dim=1, keepdim=True)
    small = F.interpolate(grey, size, mode="bicubic", antialias=True, align_corners=False)
    return small[0, 0].mul(255).round().clamp(0, 255).to(torch.uint8)


def follow(now: Luminance, before: Luminance, size: Size) -> Motion:
    """Return the motion from the frame `before` to the frame `now`, for pictures of `size`.

    Raises `MissingExtraError` without OpenCV.
    """
    with _alone(opencv()), ThreadPoolExecutor(1) as beside:
        going = beside.submit(_flow, before, now)
        back = _flow(now, before)
        forth = going.result()
    home = back + _sample(forth, back)
    ways = back.square().sum(dim=1) + _sample(forth, back).square().sum(dim=1)
    known = (home.square().sum(dim=1) < SLACK[0] * ways + SLACK[1])[:, None] & _inside(back)
    moved = _sample(before[None, None].float(), back)
    differs = float((moved - now[None, None]).abs().mean()) / 255
    cut = differs > STRANGE and float(known.float().mean()) < KNOWN
    scale = torch.tensor([size[1] / now.shape[1], size[0] / now.shape[0]]).view(1, 2, 1, 1)
    flow = F.interpolate(back, size, mode="bilinear", align_corners=False) * scale
    return Motion(flow, F.interpolate(known.float(), size, mode="bilinear", align_corners=False), cut)


def warp(image: Tensor, flow: Float[Tensor, "1 2 h w"]) -> Tensor:
    """Warp a picture (1 c h w): take each pixel from where `flow` points, bicubic; the edge is extended.

    >>> picture = torch.rand(1, 3, 5, 7)
    >>> torch.equal(warp(picture, torch.zeros(1, 2, 5, 7)), picture)
    True
    """
    cv2 = opencv()
    height, width = flow.shape[-2:]
    x = flow[0, 0].numpy() + np.arange(width, dtype=np.float32)
    y = flow[0, 1].numpy() + np.arange(height, dtype=np.float32)[:, None]
    planes = np.ascontiguousarray(image[0].permute(1, 2, 0).numpy())
    with _alone(cv2):
        moved = cv2.remap(planes, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(moved.reshape(height, width, -1)).permute(2, 0, 1)[None].contiguous()


@cache
def opencv() -> ModuleType:
    """OpenCV; a `MissingExtraError` says how to install it."""
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("dreaming on video", "video") from None
    return cv2


def _flow(start: Luminance, end: Luminance) -> Float[Tensor, "1 2 h w"]:
    cv2 = opencv()
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = finder.calc(start.numpy(), end.numpy(), None)
    return torch.from_numpy(flow).permute(2, 0, 1)[None].contiguous()


@contextmanager
def _alone(cv2: ModuleType) -> Iterator[None]:
    """Limit OpenCV to one thread: DIS cuts pictures into one strip for each thread, which changes its result."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _sample(image: Tensor, flow: Tensor) -> Tensor:
    """Sample where `flow` points, linearly."""
    x, y = _places(flow)
    height, width = flow.shape[-2:]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _inside(flow: Tensor) -> Tensor:
    x, y = _places(flow)
    height, width = flow.shape[-2:]
    return ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))[:, None]


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    height, width = flow.shape[-2:]
    return flow[:, 0] + torch.arange(width), flow[:, 1] + torch.arange(height)[:, None]

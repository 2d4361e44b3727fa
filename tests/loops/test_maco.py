"""MACO: the magnitudes of photographs stay as they are, and what does not matter is transparent; in a tiny network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.canvas.colour import COVARIANCE_ROOT, MEAN
from phosphene.canvas.fourier import CONTRAST
from phosphene.canvas.phases import PhaseCanvas, natural_magnitudes
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.imagine import imagine_steps
from phosphene.loops.step import Step, pack, unpack
from phosphene.media.natural_spectrum import read_magnitudes
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import ImagineSettings
from phosphene.types import Image, Size
from tests.tinynet import tiny_net

QUICK = ImagineSettings(steps=8, sketches=2, sketch_steps=2, views=2)


def steps_of(target: str, size: Size, **given: object) -> list[Step]:
    net = tiny_net()
    options = {"arithmetic": Arithmetic(0), "size": size, "precision": "float32", "natural": read_magnitudes(), **given}
    return list(imagine_steps(net, resolve(parse(target), net.card), QUICK, **options))  # type: ignore[arg-type]


def magnitudes_of(image: Image) -> np.ndarray:
    """The magnitudes of an image's waves, as NumPy finds them: of decorrelated colours before the sigmoid."""
    pixels = image.double().permute(0, 2, 3, 1).numpy()
    logits = np.log(pixels / (1 - pixels)) - np.log(np.array(MEAN) / (1 - np.array(MEAN)))
    planes = logits / CONTRAST @ np.linalg.inv(np.array(COVARIANCE_ROOT)).T
    return np.abs(np.fft.rfft2(planes, axes=(1, 2), norm="ortho")).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("size", [(32, 48), (31, 45), (30, 29)])
def test_magnitudes_stay_those_of_photographs_and_phases_do_not(size: Size) -> None:
    steps = steps_of("high:3", size)
    first, last = steps[0].state["canvas.phases"][:1], steps[-1].state["canvas.phases"]
    assert (first - last).abs().max() > 0.1
    canvas = PhaseCanvas(read_magnitudes().double(), size, 0, generator=torch.Generator())
    canvas.phases = nn.Parameter(last.double())
    image = canvas().detach()
    torch.testing.assert_close(image.float(), steps[-1].image[:, :3], rtol=0, atol=1e-5)
    expected = natural_magnitudes(read_magnitudes().double(), size).numpy()
    found = magnitudes_of(image)[0]
    found[:, 0, 0] = 0  # the mean colour, which is that of photographs
    assert np.abs(found - expected).max() < 1e-5


def test_a_canvas_of_the_size_that_was_measured_has_what_was_measured() -> None:
    natural = read_magnitudes()
    torch.testing.assert_close(natural_magnitudes(natural, (256, 256))[:, :129], natural, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (256, 512), (511, 33)])
def test_contrasts_are_the_same_at_every_size(size: Size) -> None:
    deviations = [
        PhaseCanvas(read_magnitudes(), each, 1, generator=torch.Generator().manual_seed(0))().std()
        for each in (size, (256, 256))
    ]
    torch.testing.assert_close(*deviations, rtol=0.05, atol=0)


def test_a_canvas_takes_the_phases_of_a_picture() -> None:
    canvas = PhaseCanvas(read_magnitudes(), (33, 48), 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(canvas.showing(canvas().detach())(), canvas(), rtol=0, atol=1e-4)


def test_the_score_rises_and_only_the_finished_picture_has_an_opacity() -> None:
    steps = steps_of("high:3", (32, 32), count=2)
    shape = [step.score for step in steps if step.stage == "shape"]
    assert shape[-1] > shape[0]
    assert [step.image.shape[1] for step in steps] == [3] * (len(steps) - 1) + [4]
    alpha = steps[-1].image[:, 3:]
    assert alpha.amin() >= 0
    assert ((alpha == 1).float().mean(dim=(1, 2, 3)) - 0.2).abs().max() < 0.01
    assert steps[-1].image[:, :3].std() > 0.05


def test_what_the_network_does_not_look_at_is_transparent() -> None:
    alpha = steps_of("high:3@0.1,0.1", (48, 48))[-1].image[0, 3]
    assert alpha[:20, :20].mean() > 0.5
    assert alpha[-16:, -16:].mean() < 0.1


def test_it_continues_to_the_same_bytes() -> None:
    whole = steps_of("dog", (32, 24))
    for step in (whole[3], whole[-2], whole[-1]):
        resumed: Tensor = steps_of("dog", (32, 24), state=unpack(pack(step.state)))[-1].image
        assert torch.equal(resumed, whole[-1].image)

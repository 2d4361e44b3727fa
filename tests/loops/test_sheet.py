"""Sheets: each picture shows what stands in its place; a run resumes to the same bytes; in a tiny seeded network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from phosphene.errors import SettingError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.sheet import BATCH, Each, sheet_size, sheet_steps
from phosphene.loops.step import Step, pack, unpack
from phosphene.loops.version1 import Version1
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import ImagineSettings
from tests.tinynet import tiny_net

QUICK = ImagineSettings(steps=4, sketches=2, sketch_steps=2, views=2)
SIZE = (20, 30)
MIXED = ["high:3", "dog", "high:0", "middle:2", "cat", "high:3@0.5,0.5"]


def targets(net: Net, texts: list[str]) -> list[Objective]:
    return [resolve(parse(text), net.card) for text in texts]


def steps_of(
    texts: list[str], net: Net | None = None, settings: ImagineSettings = QUICK, **given: object
) -> list[Step]:
    net = net or tiny_net()
    options = {"arithmetic": Arithmetic(0), "size": SIZE, "precision": "float32", **given}
    return list(sheet_steps(net, targets(net, texts), settings, **options))  # type: ignore[arg-type]


def cells(sheet: Tensor, columns: int, gap: int) -> Iterator[Tensor]:
    """The pictures of a sheet, row by row."""
    for top in range(0, sheet.shape[-2], SIZE[0] + gap):
        for column in range(columns):
            left = column * (SIZE[1] + gap)
            yield sheet[:, :, top : top + SIZE[0], left : left + SIZE[1]]


def test_each_picture_shows_what_is_asked_for_in_its_place() -> None:
    net = tiny_net()
    texts = ["high:3", "middle:2", "high:0", "middle:5", "high:6", "middle:0"]  # two batches
    settings = ImagineSettings(steps=40, views=2, natural=0.0, smooth=0.0, channel_dropout=0.0, noise=0.0, tint=0.0)
    sheet = steps_of(texts, net, settings, columns=2, gap=3)[-1].image
    pictures = torch.cat(list(cells(sheet, 2, 3)))
    with torch.no_grad():
        activations = net(pictures, ["high", "middle"])
        scores = torch.stack([each(activations) for each in targets(net, texts)])
    for layer in (slice(0, 6, 2), slice(1, 6, 2)):  # against the others of the same layer
        assert scores[layer, layer].argmax(dim=1).tolist() == [0, 1, 2]


def test_a_sheet_grows_and_tells_how_far_it_is() -> None:
    steps = steps_of(MIXED, columns=4, gap=2)
    assert all(step.image.shape == (1, 3, *sheet_size(6, SIZE, 4, 2)) for step in steps)
    progress = [step.progress for step in steps]
    assert progress == sorted(set(progress))
    assert progress[-1] == pytest.approx(1)
    # Pictures that are not begun are blank, and the gaps stay so.
    drawn = [sum(not bool((cell == 1).all()) for cell in cells(step.image, 4, 2)) for step in (steps[0], steps[-1])]
    assert 0 < drawn[0] < drawn[1] == 6
    assert bool((steps[-1].image[:, :, SIZE[0] : SIZE[0] + 2] == 1).all())


@pytest.mark.parametrize("arithmetic", [Arithmetic, Version1])
def test_a_run_resumes_after_any_step_to_the_same_bytes(arithmetic: type[Arithmetic]) -> None:
    net = tiny_net()
    steps = steps_of(MIXED, net, arithmetic=arithmetic(3))
    assert len({step.stage.split(",")[0] for step in steps}) > 1
    for done in [*range(1, len(steps) - 1, 4), len(steps) - 1]:
        rest = steps_of(MIXED, net, arithmetic=arithmetic(3), state=unpack(pack(steps[done - 1].state)))
        assert [(step.stage, step.progress) for step in rest] == [(s.stage, s.progress) for s in steps[done:]]
        assert all(torch.equal(ours.image, theirs.image) for ours, theirs in zip(rest, steps[done:], strict=True))
    (again,) = steps_of(MIXED, net, arithmetic=arithmetic(3), state=steps[-1].state)
    assert torch.equal(again.image, steps[-1].image)


def test_more_than_a_batch_of_the_same_differ_by_chance_alone() -> None:
    last = steps_of(["high:3"] * (BATCH + 2), columns=3, gap=1)[-1]
    pictures = list(cells(last.image, 3, 1))
    assert not any(torch.equal(pictures[0], other) for other in pictures[1:])


def test_a_batch_is_scored_as_each_of_it_alone() -> None:
    net = tiny_net()
    own = targets(net, ["high:3", "dog - middle:2", "2*middle:1"])
    images = torch.rand(6, 3, 24, 24, requires_grad=True)
    layers = sorted(Each(tuple(own)).layers())
    scores = Each(tuple(own))(net(images, layers))
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    for i, objective in enumerate(own):
        mine = images[2 * i : 2 * i + 2]
        alone = objective(net(mine, layers))
        torch.testing.assert_close(scores[2 * i : 2 * i + 2], alone)
        (expected,) = torch.autograd.grad(alone.sum(), images)
        torch.testing.assert_close(gradient[2 * i : 2 * i + 2], expected[2 * i : 2 * i + 2])


@pytest.mark.parametrize(("given", "message"), [({"columns": 0}, "columns"), ({"gap": -1}, "gap")])
def test_settings_out_of_range_are_refused(given: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        steps_of(["dog"], **given)
    with pytest.raises(SettingError, match="objectives"):
        steps_of([])

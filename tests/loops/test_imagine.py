"""Imagining rises, replays, resumes to the same bytes, and fits any size, in a tiny seeded network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from phosphene.canvas.base import Canvas
from phosphene.canvas.pixels import PixelCanvas
from phosphene.errors import SettingError
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.imagine import imagine_steps
from phosphene.loops.scorer import ViewSpec
from phosphene.loops.stages import plan
from phosphene.loops.step import Step, pack, unpack
from phosphene.loops.version1 import Version1
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import ImagineSettings
from phosphene.transforms import Transform, compose, noise, views
from phosphene.types import Size
from tests.tinynet import tiny_net

QUICK = ImagineSettings(steps=8, sketches=3, sketch_steps=3, views=4)
TARGETS = ["dog", "high:3", "high:3@0.5,0.5", "middle", "cat + 0.5*dog", "dog - middle:2"]


def steps_of(
    text: str, settings: ImagineSettings = QUICK, net: Net | None = None, size: Size = (20, 30), **given: object
) -> list[Step]:
    net = net or tiny_net()
    options = {"arithmetic": Arithmetic(0), "precision": "float32", **given}
    return list(imagine_steps(net, target(text, net), settings, size=size, **options))  # type: ignore[arg-type]


def changed(**settings: object) -> ImagineSettings:
    return QUICK.model_copy(update=settings)


def target(text: str, net: Net) -> Objective:
    return resolve(parse(text), net.card)


@pytest.mark.parametrize("text", TARGETS)
def test_every_target_gives_pictures_of_the_size_asked_for(text: str) -> None:
    last = steps_of(text, count=2)[-1]
    assert last.image.shape == (2, 3, 20, 30)
    assert last.image.min() >= 0
    assert last.image.max() <= 1
    assert last.image.isfinite().all()


@pytest.mark.parametrize("text", TARGETS)
def test_every_objective_rises(text: str) -> None:
    settings = changed(steps=24, sketches=1, natural=0.0, smooth=0.0, channel_dropout=0.0, noise=0.0, tint=0.0)
    shape = [step.score for step in steps_of(text, settings) if step.stage == "shape"]
    assert sum(shape[-4:]) > sum(shape[:4])


def test_steps_tell_how_far_the_work_is() -> None:
    steps = steps_of("dog")
    stages = list(dict.fromkeys(step.stage for step in steps))
    assert stages == ["sketch", "shape", "detail"]
    assert [stages.index(step.stage) for step in steps] == sorted(stages.index(step.stage) for step in steps)
    for stage in stages:
        mine = [step for step in steps if step.stage == stage]
        assert [(step.step, step.steps) for step in mine] == [(i + 1, len(mine)) for i in range(len(mine))]
    done = [step.progress for step in steps]
    assert done == sorted(set(done))
    assert done[0] > 0
    assert done[-1] == pytest.approx(1)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, second, other = (steps_of("dog", arithmetic=Arithmetic(seed))[-1].image for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_sharp_detail_has_more_of_what_is_fine() -> None:
    def fine(sharpness: float) -> float:
        settings = changed(detail=2.0, smooth=4.0, decay=1.1, sharpness=sharpness)
        image = steps_of("dog", settings, size=(48, 48))[-1].image
        return float((image - F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)).square().mean() / image.var())

    assert fine(0.0) < fine(0.5) < fine(1.0)


@given(
    stop=st.integers(1, 12),
    arithmetic=st.sampled_from([Arithmetic, Version1]),
    symmetry=st.sampled_from([None, "rotate:5"]),
)
@settings(max_examples=12, deadline=None)
def test_a_run_resumes_after_any_step_to_the_same_bytes(
    stop: int, arithmetic: type[Arithmetic], symmetry: str | None
) -> None:
    def run(**given: object) -> list[Step]:
        return steps_of("dog", changed(symmetry=symmetry), count=2, arithmetic=arithmetic(3), **given)

    unbroken = run()
    assert stop < len(unbroken)
    saved = pack(unbroken[stop - 1].state)
    torch.rand(3)  # whatever else happens in between
    resumed = run(state=unpack(saved))
    assert len(resumed) == len(unbroken) - stop
    for ours, theirs in zip(resumed, unbroken[stop:], strict=True):
        assert torch.equal(ours.image, theirs.image)
        assert torch.equal(ours.scores, theirs.scores)
        assert (ours.stage, ours.step, ours.progress) == (theirs.stage, theirs.step, theirs.progress)


def test_from_the_last_step_there_is_its_image() -> None:
    last = steps_of("dog")[-1]
    (again,) = steps_of("dog", state=last.state)
    assert torch.equal(again.image, last.image)
    assert again.progress == last.progress


def test_steps_are_never_changed_by_later_ones() -> None:
    net = tiny_net()
    kept = []
    steps = imagine_steps(net, target("dog", net), QUICK, arithmetic=Arithmetic(0), size=(16, 16), precision="float32")
    for step in steps:
        kept.append((step, step.image.clone(), pack(step.state)))
    assert all(torch.equal(step.image, image) and pack(step.state) == state for step, image, state in kept)


def test_while_sketching_the_best_sketch_of_each_picture_is_shown() -> None:
    """The scores of a step are those of the images that it shows; no other sketch of the same picture scores more."""
    net = tiny_net()
    chosen = changed(natural=0.0, smooth=0.0, channel_dropout=0.0, noise=0.0, tint=0.0, zoom=(1.0, 1.0), rotate=0.0)
    first, *_ = steps_of("dog", chosen, net, count=2)
    assert first.stage == "sketch"
    assert first.image.shape[0] == first.scores.shape[0] == 2
    # Each sketch by itself: a canvas of the same noise, of which one step is taken.
    every = steps_of("dog", chosen.model_copy(update={"sketches": 1, "views": 2}), net, count=6)
    groups = every[0].scores.view(2, 3)
    torch.testing.assert_close(first.scores, groups.max(dim=1).values, rtol=0, atol=1e-3)


def test_only_labels_are_sketched() -> None:
    assert steps_of("dog")[0].stage == "sketch"
    assert steps_of("high:3")[0].stage == "shape"
    assert steps_of("dog", changed(sketches=1))[0].stage == "shape"


@pytest.mark.parametrize("size", [(1, 1), (5, 64), (64, 5), (33, 47), (32, 500)])
@pytest.mark.parametrize("text", ["dog", "high:3"])
def test_any_size(size: Size, text: str) -> None:
    settings = changed(steps=1, sketch_steps=1)
    assert steps_of(text, settings, size=size)[-1].image.shape[-2:] == torch.Size(size)


def test_canvases_grow_only_where_there_is_more_to_draw() -> None:
    net = tiny_net()

    def sides(text: str, size: Size) -> list[int]:
        stages = plan([64], target(text, net), ImagineSettings(), count=1, size=size)
        return [stage.size[0] for stage in stages]

    assert sides("dog", (4000, 4000)) == [96, 96, 192]  # a thing of its size, enlarged
    assert sides("high:3", (384, 384)) == [96, 192, 384]
    assert sides("high:3", (2000, 2000))[-1] == 1536
    assert max(sides("high:3", (60_000, 60_000))) <= 3072


def test_without_activation_statistics_that_prior_is_left_out() -> None:
    plain = [steps_of("dog", net=tiny_net(statistics=False))[-1].image for _ in range(2)]
    assert torch.equal(plain[0], plain[1])
    unbound = steps_of("dog", changed(natural=0.0), net=tiny_net(statistics=False))[-1].image
    assert torch.equal(plain[0], unbound)


def test_a_scaled_objective_gives_the_same_picture() -> None:
    """Only what is looked for counts, not how loudly: priors keep their weight."""
    quiet, loud = (steps_of(text, count=1)[-1].image for text in ("dog", "8*dog"))
    torch.testing.assert_close(quiet, loud, rtol=0, atol=0.02)


def test_diversity_makes_pictures_differ_more() -> None:
    def alike(weight: float) -> float:
        settings = changed(steps=16, diversity=weight)
        image = steps_of("middle:2", settings, count=2)[-1].image
        response = tiny_net()(image, ["middle"])["middle"].flatten(2)
        gram = (response @ response.transpose(1, 2)).flatten(1)
        return float(torch.cosine_similarity(gram[0], gram[1], dim=0))

    assert alike(50.0) < alike(0.0)


def test_neither_the_net_nor_the_global_rng_is_touched() -> None:
    net = tiny_net()
    before = [weight.clone() for weight in net.parameters()]
    rng = torch.random.get_rng_state()
    steps_of("dog", net=net)
    assert torch.equal(torch.random.get_rng_state(), rng)
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
    assert not any(weight.requires_grad for weight in net.parameters())


def test_bfloat16_runs() -> None:
    assert steps_of("dog", precision="bfloat16")[-1].image.dtype == torch.float32


@pytest.mark.parametrize("size", [(48, 48), (33, 52)])
def test_a_symmetric_picture_is_symmetric_to_the_pixel(size: Size) -> None:
    image = steps_of("high:3", changed(symmetry="mirror"), size=size)[-1].image
    assert torch.equal(image, image.flip(-1))


def test_any_canvas_and_any_views_are_taken() -> None:
    def canvas(size: Size, count: int) -> Canvas:
        return PixelCanvas(torch.full((count, 3, *size), 0.5))

    def augment(spec: ViewSpec, rng: torch.Generator) -> Transform:
        return compose([views(spec.views, spec.size, generator=rng), noise(0.02, generator=rng)])

    chosen = changed(steps=24, natural=0.0, smooth=0.0, channel_dropout=0.0, noise=0.0, tint=0.0)
    pixels = steps_of("high:3", chosen, canvas=canvas)
    plain = steps_of("high:3", chosen, augment=augment)
    for steps in (pixels, plain):
        assert steps[-1].image.min() >= 0
        assert steps[-1].image.max() <= 1
        scores = [step.score for step in steps if step.stage == "shape"]
        assert sum(scores[-4:]) > sum(scores[:4])


def test_a_count_or_size_out_of_range_is_refused() -> None:
    with pytest.raises(SettingError, match="count must be 1 or more"):
        steps_of("dog", count=0)
    with pytest.raises(SettingError, match="size must be"):
        steps_of("dog", size=(0, 4))

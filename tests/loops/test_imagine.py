"""Imagining rises, replays, resumes to the same bytes, and fits any size, in a tiny seeded network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from phosphene.errors import SettingError
from phosphene.loops.imagine import ImagineSettings, imagine_steps, octaves
from phosphene.loops.step import StillStep as Step
from phosphene.nets.base import Net
from phosphene.objectives.base import Objective, resolve
from phosphene.objectives.expr import parse
from phosphene.types import Size
from tests.tinynet import tiny_net

QUICK = ImagineSettings(steps=8, sketches=3, sketch_steps=3, views=4)
TARGETS = ["dog", "high:3", "high:3@0.5,0.5", "middle", "cat + 0.5*dog", "dog - middle:2"]


def steps_of(
    text: str, settings: ImagineSettings = QUICK, net: Net | None = None, size: Size = (20, 30), **given: object
) -> list[Step]:
    net = net or tiny_net()
    return list(
        imagine_steps(net, target(text, net), settings, size=size, **{"precision": "float32", **given})  # type: ignore[arg-type]
    )


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
    settings = replace(QUICK, steps=24, sketches=1, natural=0.0, smooth=0.0, thin=0.0, noise=0.0, tint=0.0)
    shape = [step.score for step in steps_of(text, settings) if step.octave == 0]
    assert sum(shape[-4:]) > sum(shape[:4])


def test_steps_tell_how_far_the_work_is() -> None:
    steps = steps_of("dog")
    assert [step.octave for step in steps] == sorted(step.octave for step in steps)
    assert {step.octaves for step in steps} == {3}
    for octave in range(3):
        mine = [step for step in steps if step.octave == octave]
        assert [step.step for step in mine] == list(range(1, mine[0].steps + 1))
    done = [step.progress for step in steps]
    assert done == sorted(set(done))
    assert done[0] > 0
    assert done[-1] == pytest.approx(1)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, second, other = (steps_of("dog", seed=seed)[-1].image for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_run_goes_on_from_any_step_to_the_same_bytes() -> None:
    net = tiny_net()
    steps = steps_of("dog", net=net, count=2)
    for step in steps[:-1]:
        torch.rand(3)  # whatever else happened in between
        rest = steps_of("dog", net=net, count=2, state=step.state)
        assert [each.progress for each in rest] == [each.progress for each in steps[-len(rest) :]]
        assert torch.equal(rest[-1].image, steps[-1].image)
    assert steps_of("dog", net=net, count=2, state=steps[-1].state) == []


def test_steps_are_never_changed_by_later_ones() -> None:
    kept = []
    for step in imagine_steps(tiny_net(), target("dog", tiny_net()), QUICK, size=(16, 16), precision="float32"):
        kept.append((step, step.image.clone()))
    assert all(torch.equal(step.image, before) for step, before in kept)


def test_while_sketching_the_best_sketch_of_each_picture_is_shown() -> None:
    assert all(len(step.image) == 2 for step in steps_of("dog", count=2))


def test_only_what_hangs_on_the_whole_picture_is_sketched() -> None:
    assert steps_of("dog")[0].octaves == 3
    assert steps_of("high:3")[0].octaves == 2
    assert steps_of("dog", replace(QUICK, sketches=1))[0].octaves == 2


@pytest.mark.parametrize("size", [(1, 1), (5, 64), (64, 5), (33, 47), (32, 500)])
@pytest.mark.parametrize("text", ["dog", "high:3"])
def test_any_size(size: Size, text: str) -> None:
    settings = replace(QUICK, steps=1, sketch_steps=1)
    assert steps_of(text, settings, size=size)[-1].image.shape[-2:] == torch.Size(size)


def test_large_canvases_grow_by_octaves_only_where_there_is_more_to_draw() -> None:
    net = tiny_net()

    def sides(text: str, size: Size) -> list[int]:
        plan = octaves(64, target(text, net), ImagineSettings(), count=1, size=size)
        return [octave.size[0] for octave in plan]

    assert sides("dog", (4000, 4000)) == [96, 96, 192]  # a thing of its size, enlarged
    assert sides("high:3", (384, 384)) == [96, 192, 384]
    assert sides("high:3", (2000, 2000))[-1] == 1536
    assert max(sides("high:3", (60_000, 60_000))) <= 3072


def test_a_net_without_usual_levels_has_no_prior_of_them() -> None:
    plain = [steps_of("dog", net=tiny_net(statistics=False))[-1].image for _ in range(2)]
    assert torch.equal(plain[0], plain[1])
    unbound = steps_of("dog", replace(QUICK, natural=0.0), net=tiny_net(statistics=False))[-1].image
    assert torch.equal(plain[0], unbound)


def test_a_scaled_objective_gives_the_same_picture() -> None:
    """Only what is looked for counts, not how loudly: priors keep their weight."""
    quiet, loud = (steps_of(text, count=1)[-1].image for text in ("dog", "8*dog"))
    torch.testing.assert_close(quiet, loud, rtol=0, atol=0.02)


def test_diversity_makes_pictures_differ_more() -> None:
    def alike(weight: float) -> float:
        settings = replace(QUICK, steps=16, diversity=weight)
        image = steps_of("middle:2", settings, count=2)[-1].image
        response = tiny_net()(image, ["middle"])["middle"].flatten(2)
        gram = (response @ response.transpose(1, 2)).flatten(1)
        return float(torch.cosine_similarity(gram[0], gram[1], dim=0))

    assert alike(50.0) < alike(0.0)


def test_neither_the_net_nor_global_chance_is_touched() -> None:
    net = tiny_net()
    before = [weight.clone() for weight in net.parameters()]
    rng = torch.random.get_rng_state()
    steps_of("dog", net=net)
    assert torch.equal(torch.random.get_rng_state(), rng)
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
    assert not any(weight.requires_grad for weight in net.parameters())


def test_bfloat16_runs() -> None:
    assert steps_of("dog", precision="bfloat16")[-1].image.dtype == torch.float32


@pytest.mark.parametrize(
    ("setting", "value"),
    [("steps", 0), ("sketches", 0), ("views", 0), ("rate", 0.0), ("decay", 5.0), ("thin", 1.0), ("noise", -1.0)],
)
def test_a_setting_out_of_its_range_is_refused(setting: str, value: float) -> None:
    with pytest.raises(SettingError, match=f"{setting} must be") as caught:
        replace(QUICK, **{setting: value})  # type: ignore[arg-type]
    assert caught.value.setting == setting


def test_a_count_or_size_out_of_range_is_refused() -> None:
    with pytest.raises(SettingError, match="count must be 1 or more"):
        steps_of("dog", count=0)
    with pytest.raises(SettingError, match="size must be"):
        steps_of("dog", size=(0, 4))

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from torch import Tensor

from phosphene import nets
from phosphene.canvas.fourier import FourierCanvas
from phosphene.canvas.symmetric import symmetrise
from phosphene.errors import SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import choose_octaves, dream_steps, dreamt, laid_on, octave_sizes
from phosphene.loops.step import Step, pack, unpack
from phosphene.loops.version1 import Version1
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import resize
from phosphene.transforms import compose, pad
from tests.tinynet import tiny_net

SETTINGS = DreamSettings(
    octaves=3,
    octave_scale=1.4,
    steps=4,
    step_size=0.02,
    jitter=5,
    shaping="laplacian",
    natural_colour=1.0,
    headroom=0.1,
    resampling="bicubic",
    seed=7,
)


def engine_for(target: str, **options: object) -> Engine:
    net = tiny_net()
    return Engine(net, resolve(parse(target), net.card), **{"precision": "float32", **options})


def steps_of(engine: Engine, photo: Tensor, settings: DreamSettings = SETTINGS, **given: object) -> list[Step]:
    options = {"arithmetic": Arithmetic(settings.seed), **given}
    return list(dream_steps(engine, photo, settings, **options))  # type: ignore[arg-type]


def dream(engine: Engine, photo: Tensor, settings: DreamSettings = SETTINGS) -> Tensor:
    return dreamt(engine, photo, settings, arithmetic=Arithmetic(settings.seed))[0]


def changed(**settings: object) -> DreamSettings:
    return SETTINGS.model_copy(update=settings)


@pytest.mark.parametrize("target", ["low", "high", "middle:3", "dog", "high - 0.5*low"])
def test_a_dream_raises_its_objective(target: str) -> None:
    photo = torch.rand(1, 3, 60, 44) * 0.6 + 0.2
    engine = engine_for(target)
    before, _ = engine(photo)
    after, _ = engine(dream(engine, photo))
    assert after > before


def test_dreams_stay_in_range_and_keep_their_size() -> None:
    for size in [(31, 77), (1, 1), (3, 90), (64, 64)]:
        photo = torch.rand(1, 3, *size)
        image = dream(engine_for("high"), photo, changed(step_size=0.2))
        assert image.shape == photo.shape
        assert image.min() >= 0
        assert image.max() <= 1


def test_the_photograph_is_left_alone() -> None:
    photo = torch.rand(1, 3, 40, 40)
    kept = photo.clone()
    dream(engine_for("high"), photo)
    assert torch.equal(photo, kept)


def test_no_steps_give_the_photograph() -> None:
    photo = torch.rand(1, 3, 40, 40)
    assert torch.equal(dream(engine_for("high"), photo, changed(steps=0)), photo)


def test_the_photographs_detail_is_kept() -> None:
    """With steps too small to see, the dream is the photograph, not what is left of it after enlarging."""
    photo = torch.rand(1, 3, 48, 48)  # noise has nothing but detail
    image = dream(engine_for("high"), photo, changed(step_size=1e-5))
    assert (image - photo).abs().max() < 1e-3


def test_what_small_octaves_dreamt_reaches_the_full_size() -> None:
    photo = torch.full((1, 3, 64, 64), 0.5)
    engine = engine_for("high")
    steps = steps_of(engine, photo)
    last_small = [step for step in steps if step.stage == "octave 2 of 3"][-1]
    first_full = next(step for step in steps if step.stage == "octave 3 of 3")
    small = torch.nn.functional.interpolate(last_small.image - 0.5, (64, 64), mode="bicubic").flatten()
    full = (first_full.image - 0.5).flatten()
    assert torch.nn.functional.cosine_similarity(small, full, dim=0) > 0.8


def test_a_step_has_the_length_that_was_asked_for() -> None:
    photo = torch.full((1, 3, 64, 64), 0.5)
    for headroom in (0.0, 0.1):
        chosen = changed(octaves=1, step_size=0.004, headroom=headroom)
        step = steps_of(engine_for("high"), photo, chosen)[0]
        assert (step.image - photo).abs().mean().item() == pytest.approx(0.004, rel=0.1)


def test_headroom_keeps_a_dream_from_clipping() -> None:
    photo = torch.rand(1, 3, 64, 64) * 0.4 + 0.3
    clipped = []
    for headroom in (0.0, 0.1):
        image = dream(engine_for("high"), photo, changed(headroom=headroom, step_size=0.05))
        clipped.append(((image < 1 / 255) | (image > 254 / 255)).float().mean())
    assert clipped[1] < 0.7 * clipped[0]


def test_a_dream_is_as_strong_at_its_edges() -> None:
    """What a network makes of its own padding leaves a frame in which less is dreamt: 0.69 of the rest, here."""
    net = nets.load("lite")
    engine = Engine(net, resolve(parse("block11"), net.card), precision="float32")
    astronaut = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255.0
    photo = resize(astronaut, (128, 160), clamp=True)
    change = (dream(engine, photo, DreamSettings(octaves=1, steps=2)) - photo).abs().mean(dim=1)[0]
    edge = torch.ones(128, 160, dtype=torch.bool)
    edge[8:-8, 8:-8] = False
    assert 0.8 < change[edge].mean() / change[24:-24, 24:-24].mean() < 1.2


@given(
    stop=st.integers(1, 11),
    arithmetic=st.sampled_from([Arithmetic, Version1]),
    symmetry=st.sampled_from([None, "p6m"]),
)
@settings(max_examples=12, deadline=None)
def test_a_resumed_dream_is_the_same_to_the_byte(stop: int, arithmetic: type[Arithmetic], symmetry: str | None) -> None:
    photo = torch.rand(1, 3, 33, 52, generator=torch.Generator().manual_seed(1))
    engine, chosen = engine_for("high"), changed(symmetry=symmetry)
    unbroken = steps_of(engine, photo, chosen, arithmetic=arithmetic(7))
    assert len(unbroken) == 12
    saved = pack(unbroken[stop - 1].state)
    resumed = steps_of(engine, photo, chosen, arithmetic=arithmetic(7), state=unpack(saved))
    assert len(resumed) == 12 - stop
    for ours, theirs in zip(resumed, unbroken[stop:], strict=True):
        assert torch.equal(ours.image, theirs.image)
        assert (ours.stage, ours.step, ours.progress) == (theirs.stage, theirs.step, theirs.progress)
        assert torch.equal(ours.scores, theirs.scores)


def test_the_seed_decides() -> None:
    photo = torch.rand(1, 3, 40, 40)
    engine = engine_for("high")
    assert torch.equal(dream(engine, photo), dream(engine, photo))
    assert not torch.equal(dream(engine, photo), dream(engine, photo, changed(seed=8)))


def test_steps_tell_how_far_the_work_has_come() -> None:
    steps = steps_of(engine_for("high"), torch.rand(1, 3, 40, 40))
    progress = [step.progress for step in steps]
    assert progress == sorted(set(progress))
    assert progress[-1] == pytest.approx(1)
    assert [step.stage for step in steps] == [f"octave {octave} of 3" for octave in (1, 2, 3) for _ in range(4)]
    assert [(step.step, step.steps) for step in steps] == [(step, 4) for _ in range(3) for step in (1, 2, 3, 4)]
    assert all(step.scores.shape == (1,) for step in steps)


def test_steps_are_never_changed_by_later_ones() -> None:
    kept = []
    for step in dream_steps(engine_for("high"), torch.rand(1, 3, 40, 40), SETTINGS, arithmetic=Arithmetic(7)):
        kept.append((step, step.image.clone(), pack(step.state)))
    assert all(torch.equal(step.image, image) and pack(step.state) == state for step, image, state in kept)


@pytest.mark.parametrize("symmetry", ["mirror", "p4m", "rotate:2"])
def test_a_symmetric_dream_is_symmetric(symmetry: str) -> None:
    photo = torch.rand(1, 3, 45, 64)
    engine = engine_for("high")
    image = dream(engine, photo, changed(symmetry=symmetry))
    if symmetry == "rotate:2":
        torch.testing.assert_close(image, image.rot90(2, (2, 3)), rtol=0, atol=1e-4)
    else:
        assert torch.equal(image, symmetrise(image, symmetry))
    before, after = engine(symmetrise(photo, symmetry))[0], engine(image)[0]
    assert after > before


def test_a_dream_takes_any_canvas_and_any_transforms() -> None:
    photo = torch.rand(1, 3, 40, 48) * 0.6 + 0.2
    engine = engine_for("high")
    border = steps_of(engine, photo, transform=lambda draw: compose([pad(4)]))
    waves = steps_of(engine, photo, changed(natural_colour=0.0), canvas=FourierCanvas.from_image)
    before = engine(photo)[0]
    for steps in (border, waves):
        assert engine(steps[-1].image)[0] > before
        assert not torch.equal(steps[-1].image, dream(engine, photo))


def test_a_look_at_a_small_octave_has_the_sharp_photograph() -> None:
    photo = torch.rand(1, 3, 64, 64)
    steps = steps_of(engine_for("high"), photo, changed(step_size=1e-4))
    torch.testing.assert_close(laid_on(photo, steps[0].image, SETTINGS), photo, rtol=0, atol=0.01)
    assert torch.equal(laid_on(photo, steps[-1].image, SETTINGS), steps[-1].image)


def test_tiles_dream_the_same_picture() -> None:
    photo = torch.rand(1, 3, 72, 96)
    whole = dream(engine_for("high", tile=0), photo)
    tiled = dream(engine_for("high", tile=24), photo)
    assert (whole - tiled).abs().mean() < 1e-3


def test_octaves_are_chosen_by_the_shorter_side() -> None:
    assert choose_octaves((100, 2000), 1.4) == 1
    assert choose_octaves((480, 640), 2.0) == 3
    for size in [(1, 1), (500, 300), (6000, 4000)]:
        octaves = choose_octaves(size, 1.4)
        sizes = octave_sizes(size, octaves, 1.4)
        assert len(sizes) == octaves
        assert sizes[-1] == size
        assert min(sizes[0]) < 1.4 * 121


def test_the_number_of_octaves_must_be_known() -> None:
    with pytest.raises(SettingError, match="octaves must be a number"):
        steps_of(engine_for("high"), torch.rand(1, 3, 40, 40), changed(octaves="auto"))

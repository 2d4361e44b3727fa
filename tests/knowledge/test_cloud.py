"""Clouds: readings grow where they were seen, no two alike; as a picture and a film; stopped work goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import phosphene as ph
from phosphene.knowledge.cloud import CloudLoop, Reading, windows, written
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.step import Step
from phosphene.media.video.clip import open_clip
from phosphene.recipe.cloud import CloudSettings
from tests.tinynet import tiny_net

QUICK = CloudSettings(regions=2, rounds=3, steps=4, jitter=2)


def loop(settings: CloudSettings = QUICK) -> CloudLoop:
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    return CloudLoop(tiny_net(), image, settings, Arithmetic(0), torch.float32)


def chances(step: Step) -> list[float]:
    return step.state["read"][:, 1].tolist()


def test_what_is_read_becomes_more_probable_and_no_two_regions_are_read_alike() -> None:
    steps = list(loop(QUICK.model_copy(update={"rounds": 1, "steps": 12})).steps())
    first, work = steps[0].state["read"], loop()
    assert len(set(first[:, 0].tolist())) == len(first) == 2
    image = steps[-1].state["image"]
    after = {each.label: each.probability for each in work.readings(work._read(image))}
    before = {each.label: each.probability for each in work.readings(first)}
    assert all(after.get(label, 0) > chance for label, chance in before.items())


def test_stopped_work_goes_on_to_the_same_bytes() -> None:
    steps = list(loop().steps())
    assert len(steps) == 12
    for done in (1, 4, 7, 12):
        rest = list(loop().steps(steps[done - 1].state))
        assert torch.equal(rest[-1].image, steps[-1].image)


def test_a_picture_has_its_readings_beside_it_and_is_made_again(tmp_path: Path) -> None:
    net, photo = tiny_net(), torch.rand(3, 32, 48)
    settings = {"net": net, "regions": 2, "rounds": 2, "steps": 2, "size": 48}
    seen = ph.cloud(photo, **settings)  # type: ignore[arg-type]
    assert isinstance(seen, ph.Picture)
    assert seen.image.shape == (1, 3, 32, 48 + 96)
    assert bool((seen.image[..., 48:] < 0.5).any())  # letters
    assert torch.equal(ph.again(seen.recipe, source=photo, net=net).image, seen.image)  # type: ignore[union-attr]
    bare = ph.cloud(photo, captions=False, **settings)  # type: ignore[arg-type]
    assert torch.equal(bare.image, seen.image[..., :48])  # type: ignore[union-attr]
    film = ph.cloud(photo, fps="8", **settings)  # type: ignore[arg-type]
    film.save(tmp_path / "seen.mp4")  # type: ignore[call-arg]
    assert open_clip(str(tmp_path / "seen.mp4")).size == (32, 144)


def test_regions_cover_the_picture() -> None:
    for size in ((32, 48), (100, 31), (7, 7)):
        side, places = windows(size, 4)
        covered = torch.zeros(size)
        for top, left in places:
            covered[top : top + side, left : left + side] += 1
        assert covered.shape == size
        assert bool((covered > 0).all())


def test_names_are_written_at_the_height_of_their_regions() -> None:
    panel = written([Reading("castle", 0.9, 0.5, 0.2), Reading("goldfish", 0.5, 0.5, 0.8)], (200, 300))
    dark = (panel[0, 0] < 0.5).any(dim=1).nonzero()[:, 0]
    assert bool(((dark > 25) & (dark < 55)).any())
    assert bool(((dark > 145) & (dark < 175)).any())
    assert not bool(((dark > 70) & (dark < 130)).any())


def test_a_network_without_labels_sees_nothing_in_clouds() -> None:
    with pytest.raises(ph.PhospheneError, match="hears and does not see"):
        ph.cloud(torch.rand(3, 32, 48), net="ear")

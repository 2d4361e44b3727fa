"""Jobs: work of any kind that can be followed, cancelled, kept and continued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import phosphene as ph
from phosphene.errors import OutputError, SettingError
from phosphene.kinds import KINDS
from phosphene.recipe import Noise

WORK: dict[str, dict[str, Any]] = {
    "dream": {"source": Noise(noise=(40, 48)), "target": "block1", "octaves": 2, "steps": 3},
    "imagine": {"target": "block1:3", "size": 24, "steps": 4, "count": 2, "views": 2},
    "sheet": {"targets": ["stem:0", "block1:5"], "size": 24, "steps": 4, "views": 2},
    "zoom": {"source": Noise(noise=(40, 48)), "target": "block1", "seconds": 0.1, "octaves": 1},
    "morph": {"ideas": ["block1:3", "block1:5"], "size": 24, "steps": 4, "between": 0, "seconds": 0.2, "views": 2},
}
SUFFIX = {"zoom": ".mkv", "morph": ".mkv"}


def start(kind: str, **changes: Any) -> ph.Job:
    """Return a small job of this kind."""
    return ph.job(kind, **{**WORK[kind], **changes})


@pytest.fixture
def quick_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state after every event."""
    from phosphene.render import job

    monkeypatch.setattr(job, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.parametrize("kind", WORK)
def test_events_tell_of_all_the_work(kind: str) -> None:
    events = list(start(kind))
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[0] > 0
    assert progress[-1] == pytest.approx(1)
    assert all(event.stage and event.step >= 1 for event in events)
    shown = events[-1].preview()
    assert shown is not None
    assert shown.shape[0] == 1


@pytest.mark.parametrize("kind", WORK)
def test_a_job_goes_on_from_its_state(kind: str) -> None:
    whole = [event.preview() for event in start(kind)]
    for cut in (1, len(whole) - 1):
        first, second = start(kind), start(kind)
        for _ in zip(range(cut), first):  # noqa: B905
            pass
        second.restore(first.state())
        rest = [event.preview() for event in second]
        assert len(rest) == len(whole) - cut
        assert rest[-1] is not None
        assert whole[-1] is not None
        assert torch.equal(rest[-1], whole[-1])


@pytest.mark.parametrize("kind", ["dream", "imagine", "sheet"])
def test_what_was_killed_when_all_was_done_is_the_result(kind: str) -> None:
    first, second = start(kind), start(kind)
    for _ in first:
        pass
    second.restore(first.state())
    for _ in second:
        pass
    for one, other in zip(first.result(), second.result(), strict=True):  # type: ignore[call-overload]
        assert torch.equal(one.image, other.image)


@pytest.mark.parametrize("kind", WORK)
@pytest.mark.usefixtures("quick_checkpoints")
def test_what_was_stopped_is_continued_to_the_same_bytes(kind: str, tmp_path: Path) -> None:
    whole = tmp_path / f"whole{SUFFIX.get(kind, '.png')}"
    done = start(kind)
    steps = sum(1 for _ in done.writing(whole))
    broken = whole.with_name(whole.name.replace("whole", "broken"))
    for cut in (1, steps // 2):
        job = start(kind)
        events = job.writing(broken)
        for _ in zip(range(cut), events):  # noqa: B905
            pass
        events.close()  # type: ignore[attr-defined]
        assert broken.with_name(f"{broken.name}.work").is_dir()
    notes = [event.note for event in start(kind).writing(broken)]
    assert any(note and "continues" in note for note in notes)
    for mine, other in zip(done.work.paths(whole), done.work.paths(broken), strict=True):
        assert mine.read_bytes() == other.read_bytes()
    assert not list(tmp_path.glob("*.work"))


def test_a_film_is_saved_whole_after_its_frames_were_looked_at(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.mkv", tmp_path / "path.mkv"
    start("zoom").save(whole)
    job = start("zoom")
    for _ in job:
        pass
    job.save(path)
    assert path.read_bytes() == whole.read_bytes()


def test_other_work_is_not_continued(tmp_path: Path) -> None:
    events = start("dream").writing(tmp_path / "a.png")
    next(events)
    events.close()  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="has other unfinished work"):
        start("dream", seed=7).save(tmp_path / "a.png")
    start("dream", seed=7).save(tmp_path / "a.png", fresh=True)


def test_a_cancelled_job_stops_before_the_next_event() -> None:
    job = start("dream")
    seen = []
    for event in job:
        seen.append(event)
        job.cancel()
    assert len(seen) == 1
    assert len(list(job)) == 5


def test_a_format_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="codec does not apply to pictures"):
        start("dream").save(tmp_path / "a.png", codec="h264")
    with pytest.raises(SettingError, match="quality does not apply to films"):
        start("zoom").save(tmp_path / "a.mp4", quality=80)


def test_every_kind_has_a_recipe_a_builder_and_a_command() -> None:
    from phosphene.kinds import load

    for name, kind in KINDS.items():
        assert kind.recipe.model_fields["kind"].default == name
        assert callable(load(kind.builder))
        assert load(kind.command).name == name.removesuffix("-sound")


def test_a_result_saves_itself(tmp_path: Path) -> None:
    two = start("imagine")
    two.run().save(tmp_path / "a.png")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a-1.png", "a-2.png"]


def test_without_its_recipe_a_result_has_none(tmp_path: Path) -> None:
    from phosphene.media.image import read_recipe_text

    start("dream").save(tmp_path / "a.png", with_recipe=False)
    assert read_recipe_text(tmp_path / "a.png") is None


def test_a_recipe_from_a_file_does_not_download(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"kind": "imagine", "target": "banana", "net": "vgg19"}')
    with pytest.raises(ph.PhospheneError, match=r"asks for the network 'vgg19'.*--fetch"):
        ph.again(path)


def test_films_take_a_network_of_ones_own_and_again_does_too(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    net = ph.wrap(module, input_size=32, name="mine")
    start("zoom", net=net, target='"2"').save(tmp_path / "a.mkv")
    again = ph.again(tmp_path / "a.mkv", net=net)
    assert isinstance(again, ph.Job)
    again.save(tmp_path / "b.mkv")
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()
    with pytest.raises(ph.PhospheneError, match="mine"):
        ph.again(tmp_path / "a.mkv")


def test_again_takes_the_whole_range_of_its_own_kind(tmp_path: Path) -> None:
    start("imagine", count=1).save(tmp_path / "a.png")
    assert ph.job(tmp_path / "a.png", steps=20_000).recipe.steps == 20_000  # more than a dream may have
    with pytest.raises(SettingError, match="steps must be"):
        ph.job(tmp_path / "a.png", steps=200_000)

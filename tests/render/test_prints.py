"""Prints as jobs: in memory and on the disk, continued wherever they were stopped, in every format that holds them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import phosphene as ph
from phosphene.errors import OutputError, SettingError
from phosphene.media.image import read_image
from phosphene.recipe import Noise
from phosphene.render.job import Format
from tests import forked

DREAM: dict[str, Any] = {"source": Noise(noise=(40, 48)), "target": "conv2", "net": "pocket", "octaves": 1, "steps": 2}
PRINT = "80x64px@254"
WORK: dict[str, dict[str, Any]] = {
    "dream": DREAM,
    "imagine": {"target": "conv2:3", "net": "pocket", "size": "40x32", "steps": 4, "views": 2},
    "sheet": {"targets": ["conv1:0", "conv2:5"], "net": "pocket", "size": 24, "steps": 4, "views": 2},
}


def start(kind: str, **changes: Any) -> ph.Job:
    return ph.job(kind, **{**WORK[kind], "print": PRINT, **changes})


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Octaves of more than some pixels are done on the disk."""
    from phosphene.loops import on_disk, prints

    monkeypatch.setattr(prints, "IN_MEMORY", 3000)
    monkeypatch.setattr(on_disk, "STRIP", 1500)


@pytest.mark.parametrize("kind", WORK)
def test_a_print_has_the_size_of_its_paper(kind: str, tmp_path: Path) -> None:
    job = start(kind, bleed="1mm")
    events = list(job)
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1)
    shown = events[-1].preview()
    assert shown is not None
    assert shown.shape == (1, 3, 84, 100)
    job.result().save(tmp_path / "print.tif")
    with Image.open(tmp_path / "print.tif") as file:
        assert file.size == (100, 84)
        assert file.info["dpi"] == (254, 254)
    again = ph.job(tmp_path / "print.tif")
    assert again.recipe.print == PRINT  # type: ignore[attr-defined]
    assert again.recipe.kind == kind


@pytest.mark.parametrize("kind", WORK)
def test_a_print_goes_on_from_any_state(kind: str) -> None:
    whole = [event.preview() for event in start(kind)]
    for cut in (1, len(whole) - 3):
        first, second = start(kind), start(kind)
        for _ in zip(range(cut), first):  # noqa: B905
            pass
        second.restore(first.state())
        rest = [event.preview() for event in second]
        assert rest[-1] is not None
        assert whole[-1] is not None
        assert torch.equal(rest[-1], whole[-1])


@pytest.mark.parametrize("kind", ["dream", "imagine"])
def test_the_print_of_a_tile_is_a_tile(kind: str) -> None:
    sizes = {"dream": {"source": Noise(noise=(40, 50))}, "imagine": {}}[kind]
    changes = {**sizes, "tileable": True, "print": "100x80px@254"}
    whole = [event.preview() for event in start(kind, **changes)]
    last = whole[-1]
    assert last is not None
    assert last.shape == (1, 3, 80, 100)
    for axis in (-2, -1):
        steps = (last - last.roll(1, axis)).abs().mean(dim=[each for each in range(-4, 0) if each != axis])
        assert steps[0] <= steps[1:].max(), "opposite edges differ more than any two neighbours"
    first, second = start(kind, **changes), start(kind, **changes)
    for _ in zip(range(len(whole) - 2), first):  # noqa: B905
        pass
    second.restore(first.state())
    *_, event = second
    assert torch.equal(event.preview(), last)


def test_the_print_of_a_tile_on_the_disks_terms_is_made_in_memory(on_disk: None, tmp_path: Path) -> None:
    changes = {"source": Noise(noise=(40, 50)), "tileable": True, "print": "100x80px@254"}
    job = start("dream", **changes)
    job.save(tmp_path / "tile.png")
    assert read_image(tmp_path / "tile.png").size == (80, 100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bleed": "1mm"}, "leave out bleed"),
        ({"placement": "fit", "safe": "1mm"}, "leave out bleed, safe and placement"),
        ({"print": "80x80px"}, "give it a size of 32x32"),
        ({"print": "900x720cm"}, "GB of memory"),
    ],
)
def test_what_is_no_tile_on_paper_is_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        start("imagine", tileable=True, **changes).work  # noqa: B018


def test_a_small_dream_is_printed_again_larger(tmp_path: Path) -> None:
    ph.dream(**DREAM).save(tmp_path / "small.png")
    large = ph.again(tmp_path / "small.png", print=PRINT)
    assert isinstance(large, ph.Picture)
    assert large.size == (64, 80)
    small = read_image(tmp_path / "small.png").image
    shrunk = torch.nn.functional.interpolate(large.image, (38, 48), mode="bicubic", antialias=True)
    both = torch.stack((small[:, :, 1:39].flatten(), shrunk.flatten()))
    assert torch.corrcoef(both)[0, 1] > 0.7


def test_what_fits_is_on_white(tmp_path: Path) -> None:
    picture = ph.dream(**DREAM, print="80x80px@254", placement="fit", safe="1mm")
    assert picture.size == (80, 80)
    assert bool((picture.image[:, :, :10] == 1).all())
    assert bool((picture.image[:, :, :, :10] == 1).all())
    assert not bool((picture.image[:, :, 20:60, 20:60] == 1).any())


def test_what_is_transparent_is_white_on_paper(tmp_path: Path) -> None:
    photo = np.full((40, 48, 4), 255, np.uint8)
    photo[..., :3] = np.random.default_rng(0).integers(0, 255, (40, 48, 3))
    photo[:20, :, 3] = 0
    picture = ph.dream(**{**DREAM, "source": photo, "print": PRINT})
    assert picture.alpha is None
    assert bool((picture.image[:, :, :28] == 1).all())


@pytest.mark.usefixtures("on_disk")
def test_a_large_print_is_saved_in_all_formats_at_once(tmp_path: Path) -> None:
    job = start("dream")
    files = [tmp_path / name for name in ("lab.jpg", "master.tif", "zoom.dz", "web.png")]
    events = list(job.writing(files[0], Format(depth=16, also=tuple(files[1:]))))
    assert any(event.note and "on the disk" in event.note for event in events)
    written = {event.stage: event.step for event in events if event.stage.startswith("writing")}
    assert written == {f"writing {path.name}": 100 for path in files}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.jpg", "master.tif", "web.png", "zoom.dz"]
    master = tifffile.imread(files[1])
    assert master.dtype == np.uint16
    assert master.shape == (64, 80, 3)
    assert np.array_equal(read_image(files[3]).image, read_image(files[1]).image)
    for path in (files[0], files[1], files[3]):
        assert ph.job(path).recipe == ph.job(files[2]).recipe
        with Image.open(path) as file:
            assert file.info["dpi"][0] == pytest.approx(254, abs=0.1)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("kind", ["dream", "imagine"])
def test_a_large_print_ends_the_same_however_often_it_is_stopped(kind: str, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.png", tmp_path / "broken.png"
    start(kind).save(whole)
    for cut in (1, 7, 20):
        events = start(kind).writing(broken)
        for _ in zip(range(cut), events):  # noqa: B905
            pass
        events.close()  # type: ignore[attr-defined]
        assert not broken.exists()
    start(kind).save(broken)
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.png", "whole.png"]


KILLED = """
import os, signal, sys, phosphene as ph
from phosphene.loops import on_disk, prints
from phosphene.render import job
from phosphene.recipe import Noise
prints.IN_MEMORY, on_disk.STRIP, job.CHECKPOINT_SECONDS = 3000, 1500, 0.0
settings = {"target": "conv2", "net": "pocket", "octaves": 1, "steps": 2, "print": "80x64px@254"}
for number, _ in enumerate(ph.job("dream", Noise(noise=(40, 48)), **settings).writing(sys.argv[1])):
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("on_disk")
def test_killed_it_ends_the_same(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.png", tmp_path / "broken.png"
    start("dream").save(whole)
    killed = forked.run(KILLED, broken)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "broken.png.work" / "canvas").is_dir()
    start("dream").save(broken)
    assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("on_disk")
def test_a_disk_without_room_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.media import planes

    monkeypatch.setattr(planes, "free", lambda folder: 1000)
    with pytest.raises(OutputError, match=r"this takes .* GB on the disk of .* are free"):
        start("dream").save(tmp_path / "print.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("on_disk")
def test_a_large_print_needs_a_place() -> None:
    with pytest.raises(SettingError, match=r"made on the disk.*save"):
        ph.dream(**DREAM, print=PRINT).run()
    with pytest.raises(SettingError, match="count must be 1"):
        start("imagine", count=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"print": "200000x200000px"}, r"print must have at most 17 gigapixels"),
        (
            {"print": "80000x2px"},
            r"JPEG files have at most 65500 pixels a side, .*: name the output \.png, \.tif or \.dz",
        ),
        ({"placement": "fit", "safe": "9in"}, "safe must leave room"),
    ],
)
def test_what_cannot_be_printed_is_told_first(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=message):
        start("dream", **changes).save(tmp_path / "print.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_is_not_cropped() -> None:
    with pytest.raises(SettingError, match="printed as a whole"):
        start("sheet", placement="crop")

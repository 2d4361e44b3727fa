"""Microscopes: the photos, neighbours and labels of channels, and a site that is the same however it is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import phosphene as ph
from phosphene.errors import PhospheneError
from phosphene.knowledge.microscope import PHOTOS, correlations, nearest, spectra
from phosphene.media.site import jpeg, read_jpeg
from phosphene.render.microscope import MicroscopeWork
from tests.tinynet import tiny_net
from tests.training.datasets import QUICK

SMALL = {"steps": 1, "size": 32, "precision": "float32"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A small network, the photos that it has learnt, and its microscope."""
    folder = tmp_path_factory.mktemp("microscope")
    photos = folder / "a 'b' ü"
    rng = np.random.default_rng(0)
    for name in ("one", "two", "three"):
        (photos / name).mkdir(parents=True)
        for index in range(8):
            PIL.Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(photos / name / f"{index}.png")
    net = folder / "net.pt2"
    ph.job("learn", photos, **{**QUICK, "side": 24}).save(net)  # type: ignore[arg-type]
    (photos / "one" / "broken.png").write_bytes(b"no picture")
    path = folder / "site"
    ph.job("microscope", net=str(net), dataset=str(photos), **SMALL).save(path)  # type: ignore[arg-type]
    return net, photos, path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_photos_are_those_of_brute_force(made: tuple[Path, Path, Path]) -> None:
    net, photos, _ = made
    work = ph.job("microscope", net=str(net), dataset=str(photos), **SMALL).work  # type: ignore[arg-type]
    assert isinstance(work, MicroscopeWork)
    loop = work.loop
    layer = loop.layers[-1]
    assert loop.collection is not None
    readable = [i for i in range(len(loop.collection)) if "broken" not in loop.collection.name(i)]
    pixels = np.stack([loop.collection.read(i, 24)[0] for i in readable])
    features = loop.net(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, [layer])[layer]
    *_, last = loop.steps()
    units = dict(loop.site(last.state))[layer]
    for unit in units[:4]:
        highest = features[:, unit.channel].amax(dim=(1, 2)).topk(PHOTOS).values
        assert np.allclose([each[3] for each in unit.photos], highest[highest > 0].tolist(), atol=1e-4)
    assert any(unit.labels for unit in units)


def test_correlations_are_those_of_numpy() -> None:
    means = torch.randn(40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means[:, 3] = 2.0
    found = correlations(means.sum(dim=0), means.T @ means, 40)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = np.nan_to_num(np.corrcoef(means.numpy().T))
    assert np.allclose(found.numpy(), wanted, atol=1e-5)


def test_every_channel_has_its_icon_and_its_link(made: tuple[Path, Path, Path]) -> None:
    _, _, path = made
    pages = [each for each in path.glob("*.html") if each.name != "index.html"]
    assert pages
    for page in pages:
        icons = list((path / page.stem).glob("*.jpg"))
        assert {each.stem for each in icons} == set(map(str, range(len(icons))))


def test_stopped_microscope_goes_on_to_the_same_bytes(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    net, photos, path = made
    again = tmp_path / "site"
    for stage, steps in (("looking", 1), ("", 3), ("", 5)):
        events = ph.job("microscope", net=str(net), dataset=str(photos), **SMALL).writing(again)  # type: ignore[arg-type]
        for event in events:
            steps -= event.stage.startswith(stage)
            if not steps:
                break
        events.close()  # type: ignore[attr-defined]
    ph.job("microscope", net=str(net), dataset=str(photos), **SMALL).save(again)  # type: ignore[arg-type]
    found, wanted = contents(again), contents(path)
    del found["recipe.json"], wanted["recipe.json"]  # one is beside its photos
    assert found == wanted


def test_layers_that_are_not_there_are_one_line() -> None:
    with pytest.raises(PhospheneError, match="mixed9"):
        ph.job("microscope", net="pocket", layers="mixed9")
    with pytest.raises(PhospheneError, match="logits has no positions"):
        ph.job("microscope", net="pocket", layers="mixed4a,logits")


def test_channels_that_look_for_nearly_the_same_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    icons = [jpeg(torch.from_numpy(rng.random((1, 3, 16, 16), dtype=np.float32))) for _ in range(9)]
    found = nearest(spectra(tiny_net(), "middle", icons))
    with torch.no_grad():
        seen = tiny_net()(torch.cat(list(map(read_jpeg, icons))), ["middle"])["middle"].mean(dim=(2, 3)).numpy()
    beyond = (seen - seen.mean(axis=0)) / seen.std(axis=0)
    for index, own in enumerate(found):
        cosines = [
            (-1.0 if other == index else float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), other)
            for other, (a, b) in enumerate((beyond[index], each) for each in beyond)
        ]
        best = [(other, value) for value, other in sorted(cosines, reverse=True)[:5] if value > 0]
        assert [other for other, _ in own] == [other for other, _ in best]
        assert np.allclose([value for _, value in own], [value for _, value in best], atol=1e-4)

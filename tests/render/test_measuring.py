"""Statistics measured from a folder are kept by the hash of the weights, used from then on, and named in recipes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import phosphene as ph
from phosphene import nets
from phosphene.cli.root import phosphene
from phosphene.errors import ImageError, RecipeError, SettingError, WeightsError
from phosphene.nets import measured
from phosphene.nets.base import Net
from phosphene.recipe.base import NetUsed
from phosphene.render import networks
from phosphene.render.measuring import measure_folder, view_size


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path, photo: Path) -> Path:
    """A folder of two photographs, one of them further down, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(photo, folder / "a.jpg")
    shutil.copy(photo, folder / "more" / "b.jpg")
    (folder / "c.png").write_bytes(b"no picture")
    return folder


def wrapped(seed: int = 0) -> Net:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return ph.wrap(module, input_size=32)


def has_statistics(net: Net) -> bool:
    return any(layer.statistics is not None for layer in net.card.layers.values())


def test_they_are_kept_with_the_weights_and_used_whenever_these_are_loaded(photos: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = measure_folder(wrapped(), photos, progress=lambda done, of: seen.append((done, of)))
    assert (found.pictures, found.unreadable) == (2, (photos / "c.png",))
    assert seen[-1] == (3, 3)
    again, other = wrapped(), wrapped(seed=1)
    assert has_statistics(again)
    assert not has_statistics(other)
    statistics = again.card.layer("1").statistics
    assert statistics is not None
    assert (statistics.std > 0).any()
    assert (statistics.maximum >= statistics.mean).all()
    assert measured.remove(again.card)
    assert not has_statistics(wrapped())
    assert not measured.remove(again.card)


def test_what_was_measured_is_not_replaced_by_accident(photos: Path) -> None:
    first = measure_folder(wrapped(), photos).path
    with pytest.raises(SettingError, match="have been measured already: --force"):
        measure_folder(wrapped(), photos)
    assert measure_folder(wrapped(), photos, force=True).path == first
    assert not [each for each in first.parent.iterdir() if each != first]


def test_nothing_is_kept_when_it_is_stopped(photos: Path, cache: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_folder(wrapped(), photos, progress=stop)
    assert not cache.exists()
    assert not has_statistics(wrapped())


def test_folders_without_photographs(photos: Path, tmp_path: Path) -> None:
    for each in (photos / "a.jpg", photos / "more" / "b.jpg"):
        each.unlink()
    with pytest.raises(ImageError, match=r"none of the 1 pictures in .* can be read"):
        measure_folder(wrapped(), photos)
    (photos / "c.png").unlink()
    with pytest.raises(ImageError, match="has no pictures"):
        measure_folder(wrapped(), photos)
    with pytest.raises(ImageError, match="there is no folder"):
        measure_folder(wrapped(), tmp_path / "nowhere")


def test_a_damaged_file_is_one_line_that_says_how_to_remove_it(photos: Path) -> None:
    measure_folder(wrapped(), photos).path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="are damaged: remove them with phosphene nets measure wrapped --remove"):
        wrapped()


def test_the_command_line(photos: Path) -> None:
    result = CliRunner().invoke(phosphene, ["nets", "measure", "pocket", str(photos)])
    assert result.exit_code == 0
    assert result.stdout.startswith("pocket: measured on 2 photographs, 1 left out; kept in ")
    assert "not a picture" in result.stderr
    assert nets.load("pocket").card.measured
    assert not nets.load("pocket", measured=False).card.measured
    assert CliRunner().invoke(phosphene, ["nets", "measure", "pocket", "--remove"]).stdout == "pocket: removed\n"
    assert CliRunner().invoke(phosphene, ["nets", "measure", "pocket"]).exit_code == 2


def test_recipes_name_them_and_older_ones_do_without(photos: Path) -> None:
    before = networks.named(nets.load("pocket"))
    assert "statistics" not in before.model_dump()
    measure_folder(nets.load("pocket"), photos)
    net = networks.load(NetUsed(name="pocket"), "cpu")
    used = networks.named(net)
    assert used.statistics == net.card.measured
    assert NetUsed.model_validate_json(used.model_dump_json()) == used
    assert networks.load(used, "cpu").card.measured == net.card.measured
    assert not networks.load(before, "cpu").card.measured  # as it was rendered
    measured.remove(net.card)
    with pytest.raises(RecipeError, match=r"had measured statistics .* which are not here"):
        networks.load(used, "cpu")


def test_views_have_the_pixels_of_the_networks_own_input() -> None:
    assert view_size((300, 300), 64) == (64, 64)
    assert view_size((10, 10_000), 64) == (16, 2024)

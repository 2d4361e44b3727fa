"""`phosphene see`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from phosphene.cli.root import phosphene
from phosphene.media.image import read_image, write_image


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(phosphene, ["see", *map(str, args)])


def test_what_is_seen_is_told_to_people_and_to_programs(photo: Path) -> None:
    result = run(photo, "--count", "3")
    assert result.exit_code == 0
    found = json.loads(run(photo, "--count", "3", "--json").stdout)
    assert set(found) == {"net", "labels", "hypernyms", "layers", "channels", "has_statistics"}
    assert len(found["labels"]) == len(found["layers"]) == len(found["channels"]) == 3
    for kind in ("labels", "layers", "channels"):
        for each in found[kind]:
            assert each["target"] in result.stdout


def test_every_target_can_be_dreamt(photo: Path) -> None:
    found = json.loads(run(photo, "--count", "1", "--json").stdout)
    targets = [found[kind][0]["target"] for kind in ("labels", "layers", "channels")]
    for target in [*targets, found["channels"][0]["neuron"]]:
        args = ["dream", str(photo), "--steps", "1", "--octaves", "1", "--target", target]
        assert CliRunner().invoke(phosphene, args).exit_code == 0, target


def test_heatmap(photo: Path) -> None:
    result = run(photo, "--heatmap", "where.png", "--target", "block3:5")
    assert result.stdout.splitlines()[-1] == "where.png"
    assert read_image("where.png").size == (56, 72)
    assert json.loads(run(photo, "--heatmap", "where.png", "--json").stdout)["net"] == "lite-clean"


@pytest.mark.parametrize(
    "args",
    [["nowhere.jpg"], ["photo.jpg", "--net", "poket"], ["photo.jpg", "--heatmap", "no/where.png"]],
    ids=" ".join,
)
def test_mistakes_are_one_line(args: list[str], photo: Path) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert run(photo, "--heatmap", "where.png", "--target", "nothing at all").exit_code == 1
    assert not Path("where.png").exists()


def test_a_target_without_a_heatmap_is_wrong_usage(photo: Path) -> None:
    assert run(photo, "--target", "banana").exit_code == 2


def test_groups_are_a_picture(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phosphene.knowledge.groups.STEPS", 1)
    result = run(photo, "--net", "pocket", "--layer", "mixed3a", "--groups", "groups.png", "--count", "1")
    assert result.stdout.splitlines()[-1] == "groups.png"
    assert read_image("groups.png").size[1] == 720
    assert run(photo, "--layer", "block3").exit_code == 2


def test_channels_can_be_left_out(photo: Path) -> None:
    found = json.loads(run(photo, "--net", "pocket", "--without", "mixed5a:0..40", "--count", "2", "--json").stdout)
    assert len(found["changes"]) == 2
    assert found["changes"][0]["probability"] != found["changes"][0]["without"]
    labels = {each["label"]: each["probability"] for each in found["labels"]}
    for each in found["changes"]:  # what is told is what the network sees without them
        assert labels.get(each["label"], each["without"]) == pytest.approx(each["without"], abs=1e-6)
    result = run(photo, "--net", "pocket", "--without", "mixed5a:9999")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_part_of_another_photo_is_patched_in(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other=1.png"
    write_image(other, torch.rand(1, 3, 96, 64))
    patch = f"mixed4c:0..40,mixed4b@0,0..0.5,1={other}"
    found = json.loads(run(photo, "--net", "pocket", "--patch", patch, "--count", "2", "--json").stdout)
    assert len(found["patched"]) == 2
    assert found["patched"][0]["probability"] != found["patched"][0]["patched"]
    assert "other photo" in run(photo, "--net", "pocket", "--patch", patch).stdout
    assert run(photo, "--net", "pocket", "--patch", "mixed4c").exit_code == 2
    assert run(photo, "--net", "pocket", "--patch", f"mixed4c={tmp_path}/none.png").exit_code == 1

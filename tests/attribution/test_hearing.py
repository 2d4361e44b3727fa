"""What the ear hears, over time, in files of any length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import phosphene as ph
from phosphene.attribution import hear
from phosphene.cli.root import phosphene
from phosphene.errors import SettingError
from phosphene.media.sound.write import writing

SOUNDS = Path(__file__).parents[2] / "examples" / "sounds"


def test_a_choir_is_heard() -> None:
    hearing = hear(SOUNDS / "ambi_choir.flac")
    assert [tag.label for tag in hearing.tags][:2] == ["choir", "choral"]
    assert hearing.tags[0].probability > 0.6
    assert hearing.channels[0].z_score > 0
    assert hearing.seconds == pytest.approx(1.57, abs=0.01)


def test_each_second_is_heard_and_when(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.001, (8000 * 20, 1)).astype(np.float32)
    samples[8000 * 14 : 8000 * 17] *= 200
    with writing(path, 8000, 1, 16, None) as writer:
        writer.write(samples)
    hearing = hear(path, count=50)
    assert len(hearing.times) == 18
    loud = next(tag for tag in hearing.tags if tag.label == "loud")
    assert 13 < loud.seconds < 18
    picture = hearing.plot("long")
    assert picture.shape[1] == 3
    assert picture.shape[3] > 900


def test_a_net_that_sees_does_not_hear() -> None:
    with pytest.raises(SettingError, match=r"pocket.*does not hear"):
        ph.hear(SOUNDS / "misc_crow.flac", net="pocket")


def test_the_command_tells_and_plots(folder: Path) -> None:
    args = ["hear", str(SOUNDS / "ambi_choir.flac"), "--plot", "heard.png", "--json", "--count", "3"]
    result = CliRunner().invoke(phosphene, args)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["tags"][0]["target"] == "class:choir"
    assert len(told["probabilities"]) == 3
    assert Path("heard.png").stat().st_size > 10_000
    failed = CliRunner().invoke(phosphene, ["hear", "no.wav"])
    assert failed.exit_code == 1
    assert failed.stderr == "Error: there is no file no.wav\n"

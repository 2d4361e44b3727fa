"""The user's own defaults and presets, and the doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phosphene.cli import config
from phosphene.cli.root import phosphene
from tests import forked


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(config.VARIABLE, str(tmp_path / "own" / "config.toml"))
    (tmp_path / "own").mkdir()
    config.read.cache_clear()
    yield tmp_path / "own" / "config.toml"
    config.read.cache_clear()


def run(*args: str) -> Result:
    return CliRunner().invoke(phosphene, list(args))


def test_defaults_hold_unless_given(file: Path) -> None:
    file.write_text('[defaults.imagine]\nsize = 32\nsteps = 2\nviews = "2"\n')
    assert run("imagine", "block1:3", "-o", "a.png").exit_code == 0
    assert run("imagine", "block1:3", "-o", "b.png", "--steps", "1").exit_code == 0
    a, b = (json.loads(run("show", name).stdout) for name in ("a.png", "b.png"))
    assert (a["size"], a["steps"], a["views"], b["steps"]) == ([32, 32], 2, 2, 1)


def test_a_preset_of_ones_own(file: Path) -> None:
    # Options are made when a command is first imported, so a new preset needs a new process.
    file.write_text('[presets.imagine.tiny]\nabout = "very small"\nsize = "32x48"\nsteps = 1\nviews = 2\n')
    made = forked.run(forked.MAIN, "imagine", "block1:3", "--preset", "tiny", "--views", "3", "-o", "a.png")
    assert made.returncode == 0, made.stderr
    recipe = json.loads(run("show", "a.png").stdout)
    assert (recipe["size"], recipe["steps"], recipe["views"]) == ([48, 32], 1, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults = 3", "must have tables"),
        ("[default.dream]", "did you mean 'defaults'?"),
        ("[defaults.drem]", "did you mean 'dream'?"),
        ("[presets.dream.own]\nstepps = 3", "did you mean 'steps'?"),
        ("[[", "cannot be read"),
    ],
)
def test_mistakes_in_the_file_are_one_line(text: str, said: str, file: Path) -> None:
    file.write_text(text)
    result = run("nets")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_example_is_written_once_and_can_be_read(file: Path) -> None:
    assert "not there" in run("config").stdout
    assert run("config", "--init").stdout == f"{file}\n"
    file.write_text(file.read_text().replace("\n# ", "\n"))
    config.read.cache_clear()
    assert "dream --preset wild: eyes everywhere" in run("config", "--init").stdout


def test_the_doctor_dreams() -> None:
    result = run("doctor", "--json")
    found = {each["what"]: each["found"] for each in json.loads(result.stdout)}
    assert result.exit_code == 0
    assert "passed" in found["check in float32"]
    assert {"torch", "processor", "memory", "graphics card", "extra video"} <= found.keys()

"""The setup that all tests share: a home of their own, one thread, and types checked where that is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before torch is imported, here and in subprocesses: for tiny pictures threads only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Neither tests nor subprocesses need be compiled each time, whatever the shell says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The user's own defaults and presets must not change what is tested.
os.environ["PHOSPHENE_CONFIG"] = os.devnull

# Whether the shapes and types of every call are checked as it is made, which takes as long again: `test_types.py` runs
# some of the tests so. The hook must be there before phosphene's modules are imported, and stays for the whole run,
# since most of them are imported lazily. A whole number is a number, as mypy has it.
if os.environ.get("PHOSPHENE_TEST_TYPES"):
    install_import_hook("phosphene", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

settings.register_profile("phosphene", deadline=None)  # how long an example takes says more about the machine
settings.load_profile("phosphene")


def pytest_configure(config: pytest.Config) -> None:
    """Beartype checks an item of a list at random, which hypothesis takes for chance in a strategy."""
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the user's home."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        yield


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small JPEG of a real photograph, wider than high."""
    from PIL import Image
    from skimage import data

    path = tmp_path / "photo.jpg"
    Image.fromarray(data.astronaut()).resize((72, 56)).save(path, quality=95)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own as the current one, empty."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, as the current one, whose folder `in` has three photos, and a file that is none."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for index in range(3):
        Image.effect_noise((40 + index, 32), 60).convert("RGB").save(tmp_path / "in" / f"p{index}.jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    return tmp_path

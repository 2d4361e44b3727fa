"""The package as users install it: a wheel, in an empty environment, dreams."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip wheel .` builds."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_has_what_it_needs_and_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        about = message_from_bytes(archive.read(metadata))
    assert "phosphene/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/NOTICE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "scripts/", "benchmarks/"))]
    assert about["Name"] == "phosphene"
    assert about["Author"]
    assert "deepdream" in about["Keywords"]
    assert "Typing :: Typed" in about.get_all("Classifier", [])
    assert about["Description-Content-Type"] == "text/markdown"


def test_it_dreams_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=False)
    scripts = tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--quiet", "--no-compile"]
    install = [*pip, "--disable-pip-version-check", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # Its dependencies come from this environment. A folder of PYTHONPATH does not have its .pth files read, so that
    # phosphene itself is the wheel's.
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    where = "import phosphene; print(phosphene.__file__)"
    found = subprocess.run(
        [scripts / "python", "-c", where], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert Path(found.stdout.strip()).is_relative_to(tmp_path / "empty")
    dream = [scripts / "phosphene", "dream", "--noise", "80x64", "--steps", "1", "-o", "dream.png"]
    subprocess.run(dream, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "dream.png").stat().st_size > 1000

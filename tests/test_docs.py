"""The docs that are generated are what the code says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def reference() -> Iterator[ModuleType]:
    scripts = ROOT / "scripts"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(scripts)
        yield _module(scripts / "reference.py")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cli_page_is_current(reference: ModuleType) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == reference.cli_page(), "run scripts/docs"


def test_recipe_page_is_current(reference: ModuleType) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert page == reference.recipe_page(page), "run scripts/docs"


def test_api_page_is_current() -> None:
    # In a process of its own: functions that are checked at run time have lost their overloads.
    code = "from python_page import api_page; print(api_page(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == made.stdout, "run scripts/docs"


def test_the_types_of_keyword_arguments_are_current(reference: ModuleType) -> None:
    module = reference.OPTIONS.read_text(encoding="utf-8")
    assert module == reference.options_module(), "run scripts/docs"

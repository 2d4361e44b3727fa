"""The docs that are generated are what the code says."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import PIL.Image
import pytest

from phosphene.nets import describe
from phosphene.recipe.base import DEFAULT_NET
from phosphene.recipe.presets import PRESETS
from tests import forked

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


def test_examples_name_layers_of_the_network_that_is_used() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    works = r"(phosphene |ph\.)(dream|imagine|sheet|zoom|morph|video|camera)\b"
    examples = [line for line in lines if re.match(r" {4}.*" + works, line) and not re.search(r"\bnet\b|pocket", line)]
    named = {name for line in examples for name in re.findall(r"\b(?:mixed|block|inception_)\d\w*", line)}
    assert len(named) > 3
    assert named <= set(describe(DEFAULT_NET).layers)


def test_recipe_page_is_current(reference: ModuleType) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert page == reference.recipe_page(page), "run scripts/docs"


def test_api_page_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a process of its own: functions that are checked at run time have lost their overloads.
    code = "from python_page import api_page; print(api_page(), end='')"
    monkeypatch.chdir(ROOT / "scripts")
    made = forked.run(code)
    assert made.returncode == 0, made.stderr
    assert (ROOT / "docs" / "api.md").read_bytes() == made.stdout, "run scripts/docs"


def test_the_types_of_keyword_arguments_are_current(reference: ModuleType) -> None:
    module = reference.OPTIONS.read_text(encoding="utf-8")
    assert module == reference.options_module(), "run scripts/docs"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_readme_says_how_to_begin_and_how_long_things_take() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 0 < text.index("pip install phosphene") < text.index("git clone") < text.index("## How long it takes")
    for page in ("glossary", "troubleshooting", "api", "cli"):
        assert f"(docs/{page}.md)" in text


def test_readme_shows_every_preset_of_dream() -> None:
    assert "(docs/pictures/presets.jpg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    script = _module(ROOT / "scripts" / "preset_pictures.py")
    rows = -(-(1 + len(PRESETS["dream"])) // script.COLUMNS)
    with PIL.Image.open(script.OUT) as picture:
        assert round(picture.height / (script.WIDTH * 300 / 451 + script.LABEL)) == rows, "run scripts/pictures"


def test_every_environment_variable_is_documented() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    named = set(re.findall(r"\bPHOSPHENE_[A-Z_]+", code))
    assert named >= {"PHOSPHENE_CACHE", "PHOSPHENE_CONFIG"}
    assert [name for name in sorted(named) if name not in pages] == []


def test_the_glossary_has_the_words_that_everybody_asks_for() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in ("octave", "layer", "channel", "jitter", "recipe", "seed"):
        assert f"| {word} |" in text

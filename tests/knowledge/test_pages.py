"""The pages in a real browser, from a file, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import phosphene as ph
from phosphene.knowledge.atlas import Atlas
from phosphene.knowledge.cells import Cell
from phosphene.media import site
from phosphene.media.image.pixels import quantise
from phosphene.render.atlas import page_data

pytest.importorskip("playwright", reason="the pages are tested with playwright: pip install 'phosphene[dev]'")
from playwright.sync_api import Browser, Page, expect, sync_playwright

ASKED_FOR = os.environ.get("PHOSPHENE_TEST_BROWSER")
CHROMIUM = shutil.which(ASKED_FOR or "chromium")
PHONE = {"width": 390, "height": 844}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and ASKED_FOR is None, reason="no chromium here: apt-get install chromium tests the pages too"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, f"PHOSPHENE_TEST_BROWSER={ASKED_FOR} is not installed"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, path: Path) -> tuple[Page, list[str]]:
    """A page from a file on a phone, and what it complains of or asks a network for."""
    page = browser.new_context(viewport=PHONE, offline=True).new_page()  # type: ignore[arg-type]
    bad: list[str] = []
    page.on("pageerror", lambda problem: bad.append(str(problem)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else bad.append(request.url),
    )
    page.goto(path.as_uri())
    return page, bad


def test_atlas_filters_by_label_and_tells_of_a_cell(browser: Browser, tmp_path: Path) -> None:
    labels = ("</script><b>cat", "dog & ümlaut")
    cells = (Cell(0, 0, (0, 1), ((0, 1.5),)), Cell(1, 1, (2,), ((1, 0.5), (0, 0.25))))
    atlas = Atlas("layer", 2, 64, labels, 3, (), cells, torch.rand(2, 3, 64, 64))
    facts = site.write_tiles(tmp_path, quantise(atlas.picture()))
    site.write_page(tmp_path, "atlas.html", "Atlas of <layer>", {**facts, **page_data(atlas)})
    site.write_viewer(tmp_path)
    page, bad = opened(browser, tmp_path / "index.html")
    expect(page.locator("#found")).to_have_text("2 cells")
    page.locator("#label").fill("dog & ümlaut")
    expect(page.locator("#found")).to_have_text("1 of 2 cells argue for it")
    expect(page.locator(".dim")).to_have_count(1)
    page.locator("#label").fill("")
    corner = page.evaluate(
        "() => viewer.viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(data.cells[0].x + 30, 30))"
    )
    page.locator("#picture").click(position={"x": corner["x"], "y": corner["y"]})
    expect(page.locator("#cell")).to_contain_text("</script><b>cat")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert not bad


def test_report_shows_its_parts(browser: Browser, tmp_path: Path) -> None:
    component = {"number": 1, "share": 0.4, "moves": [-0.25, 1.5], "shown": [1, 0]}
    part = {
        "number": 1, "having": [1], "alone": 0.9, "elsewhere": 0.1, "keeps": 0.7, "without": 0.2, "whole": 1.0,
        "effect": None, "argues": [], "imagined": 0.5, "area": 0.1,
        "copies": [0, 1, 2.5, 3, 3, 3, 4], "shown": [1, 0],
    }  # fmt: skip
    told = {
        "label": "<i>cat", "net": "n", "layer": "l", "notes": ["No photos."], "verdict": ["Part 1 alone fires it."],
        "first": 1.0, "pictures": 2, "from_photos": True, "photos": [{"name": "a & <b>.jpg", "probability": 0.25}],
        "imaginings": 1, "parts": [part], "components": [component], "copies": 6, "region": 0.4,
    }  # fmt: skip
    site.write_page(tmp_path, "report.html", "What <i>cat means", told)
    page, bad = opened(browser, tmp_path / "index.html")
    expect(page.locator("#verdict li")).to_have_text("Part 1 alone fires it.")
    expect(page.locator("#parts")).to_contain_text("not known")
    expect(page.locator("#parts figcaption")).to_have_text(["imagined alone", "in an imagining", "in a photo"])
    expect(page.locator("#components figcaption")).to_have_text(["+1.50", "-0.25"])
    expect(page.locator("#photos")).to_contain_text("a & <b>.jpg")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert not bad


def test_every_channel_of_a_microscope_has_a_link(browser: Browser, tmp_path: Path) -> None:
    ph.job("microscope", net="pocket", layers="conv1", size=32, steps=1).save(tmp_path / "site")
    page, bad = opened(browser, tmp_path / "site" / "index.html")
    page.get_by_role("link", name="conv1").click()
    page.locator("#units a").nth(3).click()
    page.reload()
    expect(page.locator("#unit h2")).to_have_text("conv1:3")
    assert page.evaluate("() => document.querySelector('#unit img').decode().then(() => true)")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert not bad

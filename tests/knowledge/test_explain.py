"""The page for pupils: its pictures are those of the dream that it explains; stopped work goes on; it opens offline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import phosphene as ph
from phosphene.knowledge.explain import STAGES
from phosphene.render.explain import ExplainWork
from tests.knowledge.test_pages import PHONE, Browser, browser, opened, pytestmark  # noqa: F401
from tests.tinynet import tiny_net

SMALL = {"steps": 3, "size": 48, "octaves": 2, "target": "high", "jitter": 2, "margin": 4}
PHOTO = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(2))


def pictures(steps: int | None = None) -> dict[str, torch.Tensor]:
    """The pictures of the page, of work that was stopped after `steps`."""
    work = ph.explain(PHOTO, net=tiny_net(), **SMALL).work  # type: ignore[arg-type]
    assert isinstance(work, ExplainWork)
    state = None
    if steps is not None:
        for step, _ in zip(work.steps(None), range(steps), strict=False):
            state = step.state
    *_, last = work.steps(state)
    return work.loop.pictures(last)


def test_pictures_are_those_of_the_dream() -> None:
    found = pictures()
    assert tuple(found) == STAGES
    settings = {"net": tiny_net(), **SMALL}
    whole = ph.dream(PHOTO, **settings)  # type: ignore[arg-type]
    plain = ph.dream(PHOTO, **{**settings, "octaves": 1})  # type: ignore[arg-type]
    one = ph.dream(PHOTO, **{**settings, "octaves": 1, "steps": 1})  # type: ignore[arg-type]
    for name, wanted in (("all", whole), ("ten", plain), ("one", one)):
        assert torch.allclose(found[name], wanted.image, atol=1e-5), name
    assert all(each.shape == (1, 3, 32, 48) for each in found.values())
    assert len({each.mean().item() for each in found.values()}) == len(STAGES)


@pytest.mark.parametrize("steps", [2, 5])
def test_stopped_work_goes_on_to_the_same_pictures(steps: int) -> None:
    whole = pictures()
    assert all(torch.equal(each, whole[name]) for name, each in pictures(steps).items())


def test_the_page_hides_its_answers_and_fits_a_phone(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    ph.explain(PHOTO, net=tiny_net(), **SMALL).save(tmp_path / "lesson")  # type: ignore[arg-type]
    page, failed = opened(browser, tmp_path / "lesson" / "index.html")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.locator("section img").count() == len(STAGES)
    answer = page.locator("details p").first
    assert not answer.is_visible()
    page.locator("summary").first.click()
    assert answer.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")
    assert not failed

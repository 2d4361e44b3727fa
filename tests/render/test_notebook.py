"""In a notebook, results show themselves and work shows its progress."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest

import phosphene as ph
from phosphene.recipe import Noise

QUICK: dict[str, Any] = {"target": "block1", "octaves": 1, "steps": 3}


class ZMQInteractiveShell:
    """Stands for a notebook's own."""


class Displayed:
    """Stands for `IPython.display`: keeps what is shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def HTML(self, text: str) -> str:
        return text

    def display(self, text: str, *, display_id: bool) -> Displayed:
        assert display_id
        self.shown.append(text)
        return self

    def update(self, text: str) -> None:
        self.shown.append(text)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Displayed:
    from phosphene.render import notebook

    displayed = Displayed()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell, display=displayed))
    monkeypatch.setattr(notebook, "EVERY", 0.0)
    return displayed


def image_in(html: str) -> PIL.Image.Image:
    found = re.search(r"data:image/\w+;base64,([^\"]+)", html)
    assert found is not None
    return PIL.Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_work_shows_its_progress_and_the_picture_so_far(notebook: Displayed) -> None:
    ph.dream(Noise(noise=(40, 1500)), **QUICK)
    assert "octave 1 of 1 1/3: 33%" in notebook.shown[1]
    assert image_in(notebook.shown[1]).width == 1024
    assert notebook.shown[-1] == ""  # the result takes its place


def test_films_show_their_progress_too(notebook: Displayed, tmp_path: Path) -> None:
    ph.zoom(Noise(noise=(40, 48)), target="block1", seconds=0.1, octaves=1).save(tmp_path / "a.gif")
    assert any("rehearsal 1/12" in each for each in notebook.shown)


def test_who_takes_the_events_shows_them(notebook: Displayed) -> None:
    events: list[ph.Event] = []
    ph.dream(Noise(noise=(40, 48)), on_event=events.append, **QUICK)
    assert len(events) == 3
    assert notebook.shown == []


def test_elsewhere_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ph.dream(Noise(noise=(40, 48)), **QUICK)
    assert capsys.readouterr() == ("", "")


def test_pictures_show_themselves_no_larger_than_1024_pixels() -> None:
    several = ph.imagine("block1:3", count=2, size="1200x20", steps=1, sketches=1, views=1)
    assert isinstance(several, ph.Pictures)
    assert several._repr_html_().count("<img") == 2
    assert image_in(several._repr_html_()).width == 1024
    assert PIL.Image.open(io.BytesIO(several[0]._repr_png_())).width == 1024


def test_a_list_of_photos_gives_a_list(photo: Path) -> None:
    made = ph.dream([photo, Noise(noise=(40, 48))], size=40, **QUICK)
    assert isinstance(made, list)
    assert [each.size for each in made] == [(31, 40), (33, 40)]
    assert made[0].image.equal(ph.dream(photo, size=40, **QUICK).image)


@pytest.mark.parametrize(("suffix", "shown"), [(".mp4", "<video"), (".gif", "data:image/gif"), (".mkv", "image/jpeg")])
def test_a_written_film_shows_itself(suffix: str, shown: str, tmp_path: Path) -> None:
    job = ph.zoom(Noise(noise=(40, 48)), target="block1", seconds=0.1, octaves=1)
    assert "zoom" in repr(job)
    film = job.save(tmp_path / f"<b>{suffix}")
    assert isinstance(film, ph.FilmFile)
    html = film._repr_html_()
    assert shown in html
    assert f"&lt;b&gt;{suffix}" in html


def test_what_is_seen_shows_itself(photo: Path) -> None:
    sight = ph.see(photo)
    html = sight._repr_html_()
    assert html.count("<table>") == 3
    assert sight.labels[0].target in html


def test_results_have_the_type_that_signatures_promise() -> None:
    import inspect
    import typing

    promised = [inspect.signature(each) for each in typing.get_overloads(ph.imagine)]
    assert "list[Picture]" in str(promised[0].return_annotation) + str(promised[-1].return_annotation)
    assert all("Unpack[" in str(each.parameters["settings"].annotation) for each in promised)
    few = {"target": "block1:3", "size": 24, "steps": 1, "sketches": 1, "views": 1}
    assert isinstance(ph.imagine(**few), ph.Picture)
    assert [type(each) for each in ph.imagine(**few, count=2)] == [ph.Picture] * 2

"""The studio as a script drives it: jobs, the queue, events, and what is there after a power cut."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image

from phosphene.media.image import read_recipe_text
from phosphene.recipe import loads
from tests.media.video.clips import make_clip
from tests.studio.program import Program, events

QUICK = {"size": 64, "octaves": 1, "steps": 2, "net": "pocket"}
LONG = {"size": 96, "octaves": 1, "steps": 60, "net": "pocket"}
ENDLESS = {"size": 96, "octaves": 1, "steps": 10_000, "net": "pocket"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("studio"))
    yield program
    program.stop()


@pytest.fixture
def source(studio: Program, photo: Path) -> str:
    return studio.add(photo)


def dream(studio: Program, source: str, settings: dict[str, object], **more: object) -> str:
    body = {"kind": "dream", "source": source, "settings": settings, **more}
    return str(studio.ask("POST", "jobs", json=body)["id"])


def test_a_dream_is_a_file_with_its_recipe(studio: Program, source: str) -> None:
    id = dream(studio, source, {**QUICK, "target": "mixed3b"})
    job = studio.wait(id, "done")
    path = studio.folder / job["files"][0]
    recipe = loads(read_recipe_text(path) or "")
    assert (recipe.target, recipe.steps, recipe.source.sha256) == ("mixed3b", 2, source)
    assert studio.client.get(f"/api/jobs/{id}/file").content == path.read_bytes()
    assert studio.client.get(f"/api/jobs/{id}/thumb").headers["content-type"] == "image/jpeg"
    assert [each["id"] for each in studio.ask("GET", "gallery?search=mixed3b")] == [id]
    assert studio.ask("GET", "gallery?search=mixed3b%20nothing") == []


def test_a_dropped_result_restores_settings_and_source(studio: Program, source: str) -> None:
    settings = {**QUICK, "target": "mixed4a + 0.5*mixed3b", "seed": 7, "jitter": 3}
    job = studio.wait(dream(studio, source, settings), "done")
    path = studio.folder / job["files"][0]
    restored = studio.ask("POST", "sources", content=path.read_bytes())["recipe"]
    assert restored["source"]["sha256"] == source
    assert {**restored["settings"], "size": 64} == settings
    same = {"kind": "dream", "source": source, "settings": restored["settings"], "base": restored["base"]}
    again = studio.wait(studio.ask("POST", "jobs", json=same)["id"], "done")
    assert (studio.folder / again["files"][0]).read_bytes() == path.read_bytes()


def test_a_film_is_made_and_restores_its_settings(studio: Program) -> None:
    settings = {"net": "pocket", "size": "48x32", "seconds": 0.2, "fps": "10", "octaves": 1, "target": "mixed3a"}
    job = studio.ask("POST", "jobs", json={"kind": "zoom", "noise": "48x32", "settings": settings})
    made = studio.wait(job["id"], "done")
    film = studio.client.get(f"/api/jobs/{job['id']}/file")
    assert film.headers["content-type"] == "video/mp4"
    restored = studio.ask("POST", "sources", content=(studio.folder / made["files"][0]).read_bytes())
    assert restored["source"]["kind"] == "clip"  # to dream on, if that is wanted
    assert restored["recipe"]["settings"] == settings


def test_a_clip_is_dreamt_on_and_restored_with_its_dream(studio: Program, source: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "walk.mp4", 6, size=(32, 48), rate=Fraction(10))
    added = studio.ask("POST", "sources", content=clip.read_bytes(), headers={"x-name": "walk.mp4"})["source"]
    assert (added["kind"], added["seconds"], added["width"]) == ("clip", 0.6, 48)
    assert studio.client.get(f"/api/sources/{added['sha256']}/picture").headers["content-type"] == "image/jpeg"
    played = studio.client.get(f"/api/sources/{added['sha256']}/file", headers={"range": "bytes=0-9"})
    assert (played.status_code, played.headers["content-type"]) == (206, "video/mp4")
    assert len(studio.ask("GET", f"sources/{added['sha256']}/see?net=pocket")["layers"]) > 0
    settings = {"net": "pocket", "octaves": 1, "steps": 1, "target": "0s: mixed3a; 0.5s: mixed4a"}
    body = {"kind": "video", "source": added["sha256"], "settings": settings}
    made = studio.wait(studio.ask("POST", "jobs", json=body)["id"], "done")
    assert made["frames"] == 6
    restored = studio.ask("POST", "sources", content=(studio.folder / made["files"][0]).read_bytes())["recipe"]
    assert restored["source"] == added
    assert restored["settings"]["target"] == settings["target"]
    for kind, begins in (("video", source), ("dream", added["sha256"])):
        answer = studio.client.post("/api/jobs", json={"kind": kind, "source": begins})
        assert answer.status_code == 422
        assert "is needed here, but walk.mp4 is a clip" in answer.json()["error"] or "needs a clip" in answer.text


def test_an_animated_gif_is_a_clip_and_a_broken_film_is_one_line(studio: Program, tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (0, 90, 180)]
    pictures[0].save(tmp_path / "blink.gif", save_all=True, append_images=pictures[1:], duration=100)
    assert studio.ask("POST", "sources", content=(tmp_path / "blink.gif").read_bytes())["source"]["kind"] == "clip"
    pictures[0].save(tmp_path / "still.gif")
    assert studio.ask("POST", "sources", content=(tmp_path / "still.gif").read_bytes())["source"]["kind"] == "photo"
    broken = b"\0\0\0\x18ftypmp42" + b"nothing" * 9
    answer = studio.client.post("/api/sources", content=broken, headers={"x-name": "trip.mp4"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("trip.mp4 is not a video that can be read")


def test_a_sheet_has_every_channel_of_a_range(studio: Program) -> None:
    settings = {"net": "pocket", "size": 32, "steps": 1, "views": 1, "sketches": 1, "gap": 0, "columns": 3}
    job = studio.ask("POST", "jobs", json={"kind": "sheet", "listed": ["conv2:0..2"], "settings": settings})
    made = studio.wait(job["id"], "done")
    assert (made["width"], made["height"]) == (96, 32)
    assert made["form"]["listed"] == ["conv2:0", "conv2:1", "conv2:2"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"settings": {"target": "nosuchthing"}}, "no layer or label named 'nosuchthing'"),
        ({"settings": {"target": "guide(/etc/hostname, mixed3b)"}}, "not in the studio's folder"),
        ({"settings": {"target": "0.5*style(../../secret.png, mixed3a)"}}, "not in the studio's folder"),
        ({"settings": {"net": "/tmp/net.pt2"}}, "net must be one that is installed"),
        ({"settings": {"net": "hf:somebody/something"}}, "net must be one that is installed"),
        ({"settings": {"steps": -1}}, "steps must be a whole number from 0 to 10000, but is -1"),
        ({"settings": {"stepz": 1}}, "did you mean 'steps'"),
        ({"source": "0" * 64}, "not in the studio any more"),
        ({"kind": "draem"}, "did you mean 'dream'"),
        ({"noise": "wide"}, "noise must be WIDTHxHEIGHT"),
    ],
)
def test_what_is_wrong_is_said_at_once(studio: Program, source: str, body: dict[str, object], says: str) -> None:
    answer = studio.client.post("/api/jobs", json={"kind": "dream", "source": source, **body})
    assert answer.status_code == 422
    assert says in answer.json()["error"]


def test_what_is_no_picture_is_no_source(studio: Program, tmp_path: Path) -> None:
    for data in (b"", b"\x89PNG nothing", b"<svg/>"):
        answer = studio.client.post("/api/sources", content=data, headers={"x-name": "..%2F..%2Fcat.png"})
        assert answer.status_code == 422
        assert "cat.png" in answer.json()["error"]
        assert str(studio.folder) not in answer.json()["error"]
    Image.new("RGB", (8, 8)).save(tmp_path / "named.bmp", "png")
    found = studio.ask("POST", "sources", content=(tmp_path / "named.bmp").read_bytes())["source"]
    assert found["file"].endswith(".png")  # by its contents, under no name of the client's


def test_the_queue_is_ordered_paused_and_cut_into(studio: Program, source: str) -> None:
    running = dream(studio, source, ENDLESS)
    studio.wait(running, "running", progress=0.0001)
    first, second = (dream(studio, source, QUICK) for _ in range(2))
    studio.ask("POST", f"jobs/{second}/move", json={"before": first})
    waiting = [job["id"] for job in studio.ask("GET", "jobs")["jobs"] if job["state"] == "waiting"]
    assert waiting == [second, first]
    studio.ask("POST", f"jobs/{first}/first")
    studio.wait(first, "done")  # though the other one never ends by itself
    studio.wait(running, "running")
    studio.ask("PUT", "queue", json={"paused": True})
    held = studio.wait(running, "waiting")
    assert held["progress"] > 0
    studio.ask("PUT", "queue", json={"paused": False})
    studio.wait(running, "running")
    studio.ask("POST", f"jobs/{running}/cancel")
    studio.wait(running, "cancelled")
    studio.wait(second, "done")
    assert list(studio.folder.glob("*.work"))
    studio.ask("DELETE", f"jobs/{running}")
    assert not list(studio.folder.glob("*.work"))


def test_a_change_goes_on_from_the_picture_so_far(studio: Program, source: str) -> None:
    running = dream(studio, source, ENDLESS)
    studio.wait(running, "running", progress=0.0001)
    follower = dream(studio, source, QUICK, now=True, replaces=running, go_on=True)
    recipe = studio.wait(follower, "done")["recipe"]
    assert studio.client.get(f"/api/jobs/{running}").status_code == 404
    assert recipe["source"]["sha256"] != source
    assert (studio.folder / "sources" / f"{recipe['source']['sha256']}.png").is_file()


def test_events_begin_with_a_snapshot_and_are_caught_up_on(studio: Program, source: str) -> None:
    with studio.client.stream("GET", "/api/events") as stream:
        told = events(stream.iter_lines())
        last, name, data = next(told)
        assert (name, data["paused"]) == ("snapshot", False)
        id = dream(studio, source, QUICK)
        seen = []
        for _, name, data in told:
            seen.append((name, data.get("state")))
            if (name, data.get("state"), data["id"]) == ("job", "done", id):
                break
    assert {name for name, _ in seen} >= {"job", "progress", "preview"}
    with studio.client.stream("GET", "/api/events", headers={"last-event-id": last}) as stream:
        told = events(stream.iter_lines())
        assert [(name, data.get("state")) for _, name, data in (next(told) for _ in seen)] == seen


def test_a_branch_goes_on_from_a_kept_step_and_says_what_was_changed(studio: Program, source: str) -> None:
    settings = {**QUICK, "steps": 8, "target": "mixed3b"}
    parent = studio.wait(dream(studio, source, settings), "done")
    kept = [each["number"] for each in parent["steps"]]
    assert kept == [1, 2, 3, 4, 5, 6, 7]
    assert studio.client.get(f"/api/jobs/{parent['id']}/steps/4").headers["content-type"] == "image/jpeg"
    begun = studio.ask("POST", f"jobs/{parent['id']}/steps/4/source")["source"]
    changed = {**settings, "target": "mixed4a"}
    id = dream(studio, begun["sha256"], changed, parent=parent["id"], parent_step=4)
    branch = studio.wait(id, "done")
    assert branch["recipe"]["source"]["sha256"] == begun["sha256"]
    assert (branch["parent_title"], branch["parent_step"]) == (parent["title"], 4)
    assert {"setting": "target", "before": "mixed3b", "after": "mixed4a"} in branch["changed"]
    assert {each["setting"] for each in branch["changed"]} == {"target", "source"}
    assert studio.client.get(f"/api/jobs/{parent['id']}/steps/9").status_code == 404


def test_a_grid_is_one_picture_of_two_settings(studio: Program, source: str) -> None:
    job = {"kind": "dream", "source": source, "settings": QUICK}
    across = {"setting": "target", "values": ["mixed3a", "mixed4a"]}
    grid = studio.ask(
        "POST", "grids", json={"job": job, "across": across, "down": {"setting": "steps", "values": [1, 3]}}
    )
    cells = {cell: studio.wait(made["id"], "done") for cell, made in grid["jobs"].items()}
    found = {cell: (made["recipe"]["target"], made["recipe"]["steps"]) for cell, made in cells.items()}
    assert found == {"0,0": ("mixed3a", 1), "1,0": ("mixed4a", 1), "0,1": ("mixed3a", 3), "1,1": ("mixed4a", 3)}
    data = studio.client.get(f"/api/grids/{grid['id']}/file").content
    picture = Image.open(io.BytesIO(data))
    dropped = studio.ask("POST", "sources", content=data)
    assert dropped["grid"] == grid["id"]
    assert dropped["recipe"]["source"]["sha256"] == source
    assert dropped["recipe"]["settings"]["target"] == "mixed3a"  # that of the first picture
    assert picture.width > 2 * cells["0,0"]["width"]
    assert picture.height > 2 * cells["0,0"]["height"]
    assert grid["id"] in [each["id"] for each in studio.ask("GET", "grids")]
    wrong = {"job": job, "across": {"setting": "steps", "values": [1, -1]}}
    assert studio.client.post("/api/grids", json=wrong).status_code == 422
    assert not [each for each in studio.ask("GET", "jobs")["jobs"] if each["state"] == "waiting"]  # all or none


def test_a_result_is_exported_as_layers_and_with_16_bits(studio: Program, source: str) -> None:
    job = studio.wait(dream(studio, source, QUICK), "done")
    data = studio.client.get(f"/api/jobs/{job['id']}/export?form=layers").content
    with zipfile.ZipFile(io.BytesIO(data)) as layers:
        assert layers.namelist()[0] == "mimetype"
        assert data[38:54] == b"image/openraster"  # not compressed, so that the file can be recognised
        stack = ElementTree.fromstring(layers.read("stack.xml"))
        assert [each.get("name") for each in stack.iter("layer")] == ["dream", "photo"]
        pictures = [Image.open(io.BytesIO(layers.read(each.get("src") or ""))) for each in stack.iter("layer")]
    assert {each.size for each in pictures} == {(job["width"], job["height"])}
    samples = tifffile.imread(io.BytesIO(studio.client.get(f"/api/jobs/{job['id']}/export?form=tiff").content))
    assert samples.dtype == np.uint16
    assert (samples % 257).any()  # finer than 8 bits
    written = np.asarray(Image.open(studio.folder / job["files"][0])).astype(int)
    assert np.abs(samples / 257 - written).max() <= 1


def test_tiles_are_made_once_and_kept(studio: Program) -> None:
    wanted = {"net": "pocket", "targets": ["conv2:3", "nosuchthing"]}
    with studio.client.stream("GET", "/api/events") as stream:
        studio.ask("POST", "tiles", json=wanted)
        made = next(data for _, name, data in events(stream.iter_lines()) if name == "tile")
    assert made["target"] == "conv2:3"
    assert studio.client.get(f"/api/tiles/{made['key']}").headers["content-type"] == "image/jpeg"
    assert studio.ask("POST", "tiles", json=wanted) == {"conv2:3": made["key"]}
    assert studio.client.get("/api/tiles/..%2f..%2fstudio").status_code in (404, 422)


def test_frames_of_a_film_are_kept_to_scrub_through(studio: Program) -> None:
    settings = {"net": "pocket", "size": "48x32", "seconds": 0.4, "fps": "10", "octaves": 1}
    keys = {"target": "0s: mixed3a; 0.3s: mixed4a"}
    job = studio.ask("POST", "jobs", json={"kind": "zoom", "noise": "48x32", "settings": {**settings, **keys}})
    assert studio.wait(job["id"], "done")["frames"] == 4
    assert studio.client.get(f"/api/jobs/{job['id']}/frames/4").headers["content-type"] == "image/jpeg"
    assert studio.client.get(f"/api/jobs/{job['id']}/frames/5").status_code == 404


def test_a_word_that_it_was_taught_is_imagined_like_any_label(studio: Program, photo: Path) -> None:
    asked = {"word": "my cup", "net": "pocket"}
    studio.ask("POST", "camera/words", params=asked, content=photo.read_bytes())
    found = studio.ask("POST", "camera/words/target", params=asked)
    assert found["net"] == "pocket"
    settings = {**found, "size": 32, "steps": 1, "views": 1}
    made = studio.wait(studio.ask("POST", "jobs", json={"kind": "imagine", "settings": settings})["id"], "done")
    assert made["title"] == "my cup"
    assert made["recipe"]["target"] == found["target"]
    wrong = studio.client.post("/api/camera/words/target", params={**asked, "word": "nothing"})
    assert (wrong.status_code, wrong.json()["error"]) == (422, "it was not taught 'nothing'")
    studio.ask("DELETE", "camera/words", params={"word": "my cup"})


def test_deleting_is_undone(studio: Program, source: str) -> None:
    id = dream(studio, source, QUICK)
    path = studio.folder / studio.wait(id, "done")["files"][0]
    data = path.read_bytes()
    studio.ask("DELETE", f"jobs/{id}")
    assert not path.exists()
    assert id not in [each["id"] for each in studio.ask("GET", "gallery")]
    studio.ask("POST", f"jobs/{id}/restore")
    assert path.read_bytes() == data
    assert id in [each["id"] for each in studio.ask("GET", "gallery")]


def test_the_server_itself_is_small(studio: Program) -> None:
    status = Path(f"/proc/{studio.process.pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells how much memory another process has")
    (line,) = [each for each in status.read_text().splitlines() if each.startswith("VmHWM")]
    assert int(line.split()[1]) < 150_000  # kilobytes: it does without torch, which alone takes 200,000


def test_a_killed_studio_goes_on_to_the_same_bytes(tmp_path: Path, photo: Path) -> None:
    killed = Program(tmp_path / "studio")
    source = killed.add(photo)
    whole = killed.wait(dream(killed, source, LONG), "done")
    killed.ask("PUT", "queue", json={"paused": True})
    id = dream(killed, source, LONG)
    killed.ask("PUT", "queue", json={"paused": False})
    gone = killed.wait(dream(killed, source, QUICK, now=True), "done")
    killed.ask("DELETE", f"jobs/{gone['id']}")
    killed.wait(id, "running", progress=0.1)
    killed.ask("PUT", "queue", json={"paused": True})  # which keeps the state
    held = killed.wait(id, "waiting")["progress"]
    killed.ask("PUT", "queue", json={"paused": False})
    killed.wait(id, "running", "done", progress=held)
    killed.kill()
    after = Program(tmp_path / "studio")
    try:
        assert after.client.get(f"/api/jobs/{gone['id']}").status_code == 404  # deleted results do not stay for ever
        assert not list((tmp_path / "studio" / ".studio" / "deleted").iterdir())
        job = after.wait(id, "done")
        assert [(tmp_path / "studio" / each).read_bytes() for each in job["files"]] == [
            (tmp_path / "studio" / each).read_bytes() for each in whole["files"]
        ]
    finally:
        after.stop()

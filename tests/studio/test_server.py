"""The studio as a script drives it: jobs, the queue, events, and what is there after a power cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from phosphene.media.image import read_recipe_text
from phosphene.recipe import loads
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
    assert restored["source"] is None
    assert restored["recipe"]["settings"] == settings


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
    assert int(line.split()[1]) < 300_000  # kilobytes


def test_a_killed_studio_goes_on_to_the_same_bytes(tmp_path: Path, photo: Path) -> None:
    killed = Program(tmp_path / "studio")
    source = killed.add(photo)
    whole = killed.wait(dream(killed, source, LONG), "done")
    killed.ask("PUT", "queue", json={"paused": True})
    id = dream(killed, source, LONG)
    killed.ask("PUT", "queue", json={"paused": False})
    killed.wait(id, "running", progress=0.1)
    killed.ask("PUT", "queue", json={"paused": True})  # which keeps the state
    held = killed.wait(id, "waiting")["progress"]
    killed.ask("PUT", "queue", json={"paused": False})
    killed.wait(id, "running", "done", progress=held)
    killed.kill()
    after = Program(tmp_path / "studio")
    try:
        job = after.wait(id, "done")
        assert [(tmp_path / "studio" / each).read_bytes() for each in job["files"]] == [
            (tmp_path / "studio" / each).read_bytes() for each in whole["files"]
        ]
    finally:
        after.stop()

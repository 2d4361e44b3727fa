"""The studio's pages in a real browser.

Debian's chromium is used where it is installed, or what PHOSPHENE_TEST_BROWSER names; without one they are skipped.
With PHOSPHENE_TEST_BROWSER set, as in CI, a missing browser is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from phosphene.recipe import NetUsed, Noise, ZoomRecipe, dumps
from tests.media.video.clips import make_clip
from tests.studio.program import PATIENCE, Program

pytest.importorskip("playwright", reason="the pages are tested with playwright: pip install 'phosphene[dev]'")
from playwright.sync_api import Browser, Page, expect, sync_playwright

ASKED_FOR = os.environ.get("PHOSPHENE_TEST_BROWSER")
CHROMIUM = shutil.which(ASKED_FOR or "chromium")
AXE = Path(__file__).parent / "axe" / "axe.min.js"
MILLISECONDS = PATIENCE * 1000
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}

FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

UNPLUG = """() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error("unplugged"));
    window.cameras.forEach((each) => each.dispatchEvent(new Event("ended")));
}"""

DENY = """() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    const problems = ["NotAllowedError", "NotFoundError"];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (problems.length) throw new DOMException("", problems.shift());
        return open(wanted);
    };
}"""

WATCH_CAMERAS = """
    window.locks = [];
    const request = navigator.wakeLock.request.bind(navigator.wakeLock);
    navigator.wakeLock.request = (kind) => { window.locks.push(kind); return request(kind); };
    window.cameras = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        window.cameras.push(...stream.getVideoTracks());
        return stream;
    };
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and ASKED_FOR is None, reason="no chromium here: apt-get install chromium tests the pages too"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera shows a cup of coffee."""
    assert CHROMIUM is not None, f"PHOSPHENE_TEST_BROWSER={ASKED_FOR} is not installed"
    seen = tmp_path_factory.mktemp("camera") / "cup.mjpeg"
    Image.fromarray(data.coffee()).resize((640, 480)).save(seen, "JPEG", quality=90)
    seen.write_bytes(seen.read_bytes() * 10)  # a clip of ten frames, which the browser repeats
    with sync_playwright() as play:
        arguments = ["--no-sandbox", *FAKE_CAMERA, f"--use-file-for-fake-video-capture={seen}"]
        browser = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Program]]:
    """The studio as the only item of a list, so that a test can put its successor there."""
    holder = [Program(tmp_path_factory.mktemp("studio"))]
    yield holder
    holder[0].stop()


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "astronaut.jpg"
    Image.fromarray(data.astronaut()).resize((96, 72)).save(path)
    return path


@pytest.fixture
def page(browser: Browser, studio: list[Program]) -> Iterator[Page]:
    """A page of the studio; what the browser complains about fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
    page.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda told: complaints.append(told.text) if "Security Policy" in told.text else None)
    studio[0].ask("PUT", "state", json={"form": {}})  # not that of another test
    page.goto(studio[0].link)
    page.wait_for_selector("main.make")
    yield page
    page.close()
    assert complaints == []


def drop(page: Page, path: Path) -> None:
    """Drop a file on the picture, as a hand does."""
    transfer = page.evaluate_handle(
        """async ([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [path.name, list(path.read_bytes())],
    )
    page.dispatch_event(".picture", "drop", {"dataTransfer": transfer})


def fill(page: Page, **settings: object) -> None:
    for name, value in settings.items():
        page.fill(f"#field-{name}", str(value))
        page.press(f"#field-{name}", "Tab")


def look_for_violations(page: Page) -> list[str]:
    """What axe-core finds that is serious."""
    page.evaluate(AXE.read_text(encoding="utf-8"))  # in the page's own world, past its content security policy
    found: Any = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "axe-core has looked"
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def _weight(reply: Any) -> int:
    return int(reply.headers.get("content-length", 0)) if "/static/" in reply.url else 0


def test_a_photo_is_dropped_and_dreams(page: Page, studio: list[Program], picture: Path) -> None:
    drop(page, picture)
    page.wait_for_selector("img.source")
    expect(page.locator(".tile").first).to_be_visible()  # what the network sees
    page.select_option("#field-net", "pocket")
    fill(page, size=96, octaves=1, steps=9999)
    with page.expect_response(lambda reply: "preview?number=" in reply.url):
        page.click("button.main")
    with page.expect_response(lambda reply: "preview?number=" in reply.url):
        pass  # and another one
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-state=cancelled]")
    for job in studio[0].ask("GET", "jobs")["jobs"]:
        studio[0].ask("DELETE", f"jobs/{job['id']}")
    fill(page, steps=8)
    page.click("button.main")
    page.wait_for_selector("[data-state=done]")
    assert page.locator("img.result").evaluate("each => each.decode().then(() => each.naturalWidth)") == 96
    page.reload()
    page.wait_for_selector("[data-state=done]")  # the last state on start
    assert page.input_value("#field-steps") == "8"


def test_a_branch_and_a_grid_are_made_in_the_page(page: Page, picture: Path) -> None:
    drop(page, picture)
    page.wait_for_selector("img.source")
    page.select_option("#field-net", "pocket")
    fill(page, size=64, octaves=1, steps=8)
    page.click("button.main")
    page.wait_for_selector("[data-state=done]")
    page.click(".way button >> nth=3")
    page.click("button:text('Branch from here')")
    page.wait_for_selector("img.source")
    page.fill("[aria-label=Target]", "mixed4a")
    page.press("[aria-label=Target]", "Tab")
    page.click("button.main")
    expect(page.locator(".changed")).to_contain_text("mixed4a")
    assert look_for_violations(page) == []
    page.click("summary:text('Grid')")
    page.select_option("#grid-Across", "steps")
    page.fill("[aria-label='Values across']", "1, 2")
    page.click("button:text('Make 2 pictures')")
    expect(page.locator(".plate img")).to_have_count(2)
    expect(page.locator("main [role=status]")).to_have_text("2 of 2 done")
    assert look_for_violations(page) == []


def test_keys_are_set_on_the_time_line(page: Page, studio: list[Program], picture: Path) -> None:
    drop(page, picture)
    page.wait_for_selector("img.source")
    page.click("[role=tab]:text('zoom')")
    page.select_option("#field-net", "pocket")
    speeds, targets = (page.locator(f".track:has(#key-{name})") for name in ("speed", "target"))
    line = speeds.locator(".line")
    box = line.bounding_box()
    assert box is not None
    line.click(position={"x": box["width"] / 2, "y": 14})
    page.fill("#key-speed", "2")
    page.press("#key-speed", "Tab")
    speeds.locator(".key").nth(1).press("ArrowRight")
    targets.locator(".line").click(position={"x": box["width"] / 2, "y": 14})
    tile = page.locator(".tile").first
    tile.click()  # for the key that was chosen
    said = str(tile.get_attribute("title")).partition(";")[0]
    expect(targets.locator(".key").nth(0)).to_have_attribute("aria-label", "target at 0 s: mixed4d")
    expect(targets.locator(".key").nth(1)).to_have_attribute("aria-label", re.compile(f"target at [0-9.]+ s: {said}"))
    fill(page, size=48, octaves=1, seconds=20, fps=5)
    assert look_for_violations(page) == []
    with page.expect_response(lambda reply: reply.url.endswith("/api/jobs")) as answer:
        page.click("button.main")
    assert answer.value.ok, answer.value.text()
    page.wait_for_selector(".scrub img")
    page.get_by_label("Frame", exact=True).press("Home")
    expect(page.locator(".scrub img")).to_have_attribute("alt", "Frame 1 of those made so far")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-state=cancelled]")
    speed = page.evaluate(
        "fetch('/api/state').then((reply) => reply.json()).then((state) => state.form.settings.zoom.speed)"
    )
    assert re.fullmatch(r"0s: [0-9.]+; [0-9.]+s: 2", speed)
    studio[0].ask("DELETE", f"jobs/{answer.value.json()['id']}")


def test_a_clip_and_noise_and_a_word_begin_too(page: Page, studio: list[Program], tmp_path: Path) -> None:
    page.fill("#word", "banana")
    with page.expect_request(lambda sent: sent.method == "POST" and sent.url.endswith("/api/jobs")) as asked:
        page.click("button:text('Imagine') >> nth=0")
    assert asked.value.post_data_json["kind"] == "imagine"
    assert asked.value.post_data_json["settings"]["target"] == "banana"
    page.wait_for_selector("[data-state=running]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-state=cancelled]")
    page.click("[role=tab]:text('dream')")
    page.click("button:text('Show the original')")
    page.click("button:text('Begin with noise')")
    page.fill("#noise", "48x32")
    page.press("#noise", "Tab")
    drop(page, make_clip(tmp_path / "walk.mp4", 4, size=(32, 48), rate=Fraction(2)))
    page.wait_for_selector("video.source")  # and no noise any more
    assert page.get_attribute("[role=tab][aria-selected=true]", "title") == "Dream on a video clip, without flicker."
    assert "2 s" in page.inner_text(".card:has(.track)")  # as long as the clip
    page.select_option("#field-net", "pocket")
    fill(page, octaves=1, steps=1)
    page.click("button.main")
    page.wait_for_selector(".picture video:not(.source)")
    page.wait_for_selector("[data-state=done]")
    page.click("button:text('Show the original')")
    page.click("[role=tab]:text('zoom')")
    expect(page.locator(".invite")).to_contain_text("Drop a picture")  # a zoom begins with no clip
    page.click("button:text('Begin with noise')")
    assert page.input_value("#noise") == "512x384"
    response = asked.value.response()
    assert response is not None
    studio[0].ask("DELETE", f"jobs/{response.json()['id']}")


def test_the_camera_is_seen_dreamt_and_taught(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate(DENY)
    page.goto(page.url.split("#")[0] + "#/camera")
    alert = page.locator(".camera [role=alert]")
    expect(alert).to_contain_text("allow the camera for this page")
    expect(alert).to_contain_text("none is connected")  # five seconds later
    expect(alert).to_have_count(0)
    expect(page.locator(".seen strong")).to_have_text(re.compile("cup|espresso|mortar"))
    expect(page.locator(".camera canvas")).to_have_attribute("width", "320")  # it has dreamt
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_label("Ask below").fill("95")
    page.fill("form [aria-label='What is this?']", "the test pattern")
    page.click("button:text('Teach')")
    page.get_by_label("Forget the test pattern").wait_for()
    assert look_for_violations(page) == []
    page.get_by_label("Forget the test pattern").click()
    page.wait_for_selector("text=Nothing yet")


def test_a_reload_in_the_middle_loses_nothing_and_cancel_stops(page: Page, picture: Path) -> None:
    drop(page, picture)
    page.wait_for_selector("img.source")
    page.select_option("#field-net", "pocket")
    fill(page, size=96, octaves=1, steps=9999)
    page.click("button.main")
    page.wait_for_selector("img.result")
    page.reload()
    page.wait_for_selector("img.result")
    page.wait_for_selector("[data-state=running]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-state=cancelled]")
    page.goto(page.url.split("#")[0] + "#/queue")
    page.click(".job button:text('Remove')")
    expect(page.locator(".job")).to_have_count(0)


def test_a_dropped_result_restores_everything(page: Page, studio: list[Program], picture: Path) -> None:
    source = studio[0].add(picture)
    settings = {"net": "pocket", "size": 64, "octaves": 1, "steps": 3, "target": "mixed3b", "seed": 11}
    job = studio[0].ask("POST", "jobs", json={"kind": "dream", "source": source, "settings": settings})
    made = studio[0].wait(job["id"], "done")
    drop(page, studio[0].folder / made["files"][0])
    page.wait_for_selector("text=All settings are those")
    assert page.input_value("[aria-label=Target]") == "mixed3b"
    assert page.input_value("#field-seed") == "11"
    assert page.input_value("#field-steps") == "3"
    assert source in str(page.get_attribute("img.source", "src"))


def test_a_mask_is_painted_undone_and_dreamt_in(page: Page, studio: list[Program], picture: Path) -> None:
    drop(page, picture)
    page.wait_for_selector("img.source")
    page.click("button:text('Paint where to dream')")
    canvas = page.locator("canvas.mask")
    box = canvas.bounding_box()
    assert box is not None
    page.get_by_label("Softness").fill("0")
    for y in (0.2, 0.4, 0.6):
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.36, box["y"] + box["height"] * y, steps=3)
        page.mouse.up()
    page.click("button:text('Undo')")
    canvas.focus()
    page.keyboard.press("Space")
    assert look_for_violations(page) == []
    if folder := os.environ.get("PHOSPHENE_TEST_PICTURES"):  # to be looked at
        page.screenshot(path=f"{folder}/mask.png")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.screenshot(path=f"{folder}/mask-phone.png")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.click("button:text('Use mask')")
    page.wait_for_selector("button:text('Dream everywhere')")
    page.select_option("#field-net", "pocket")
    fill(page, size=96, octaves=1, steps=3)
    with page.expect_response(lambda reply: reply.url.endswith("/api/jobs")) as answer:
        page.click("button.main")
    made = studio[0].wait(answer.value.json()["id"], "done")
    change = np.abs(pixels(studio[0].folder / made["files"][0]) - pixels(picture)).max(axis=2)
    assert change[:, 60:].max() <= 1  # not painted
    assert change[10:40, 25:35].mean() > 5
    assert made["form"]["mask"] is not None  # so that it is restored with the rest
    assert all(each["name"] != "mask" for each in studio[0].ask("GET", "state")["sources"])
    page.click("button:text('Dream everywhere')")
    page.click("button:text('Show the original')")
    page.click("button:text('Paint where to dream')")
    canvas.focus()
    page.keyboard.press("Space")  # in the middle
    page.click("button:text('Use for mixed4d only')")
    page.get_by_label("Target of mask 1").fill("mixed4a")
    page.get_by_label("Target of mask 1").press("Tab")
    with page.expect_response(lambda reply: reply.url.endswith("/api/jobs")) as answer:
        page.click("button.main")
    made = studio[0].wait(answer.value.json()["id"], "done")
    change = np.abs(pixels(studio[0].folder / made["files"][0]) - pixels(picture)).max(axis=2)
    assert change[:, :36].max() <= 1
    assert change[30:42, 42:54].mean() > 2
    assert [each["target"] for each in made["form"]["parts"]] == ["mixed4a"]
    assert "target" not in made["form"]["settings"]  # elsewhere nothing


def pixels(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_ten_are_queued_and_survive_a_power_cut(page: Page, studio: list[Program], picture: Path) -> None:
    program = studio[0]
    source = program.add(picture)
    program.ask("PUT", "queue", json={"paused": True})
    settings = {"net": "pocket", "size": 64, "octaves": 1, "steps": 1}
    for seed in range(10):
        body = {"kind": "dream", "source": source, "settings": {**settings, "seed": seed, "target": "mixed3a"}}
        program.ask("POST", "jobs", json=body)
    page.goto(program.link + "#/queue")
    expect(page.locator(".job")).to_have_count(10)
    second = page.locator(".job").nth(1).get_attribute("data-id")
    page.locator(".job").nth(1).get_by_label("up").click()
    expect(page.locator(".job").first).to_have_attribute("data-id", str(second))
    program.kill()
    expect(page.locator(".away")).to_be_visible()
    studio[0] = Program(program.folder, program.port)
    expect(page.locator(".away")).to_have_count(0)  # the page has come back by itself
    expect(page.locator(".job")).to_have_count(10)
    page.click("button:text('Go on')")
    expect(page.locator(".job")).to_have_count(0)
    page.goto(studio[0].link + "#/gallery")
    page.fill("#search", "mixed3a")
    expect(page.locator(".grid button")).to_have_count(10)


def test_the_gallery_compares_zooms_deletes_and_makes_again(page: Page, studio: list[Program], picture: Path) -> None:
    source = studio[0].add(picture)
    settings = {"net": "pocket", "size": 64, "octaves": 1, "steps": 2, "target": "conv2"}
    job = studio[0].ask("POST", "jobs", json={"kind": "dream", "source": source, "settings": settings})
    studio[0].wait(job["id"], "done")
    page.goto(studio[0].link + "#/gallery")
    page.fill("#search", "conv2")
    expect(page.locator(".grid button")).to_have_count(1)
    page.click(".grid button")
    page.click("dialog button:text('Compare')")
    slider = page.get_by_label("Compare before and after")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.input_value() == "0"
    page.click("dialog button:text('Zoom')")
    page.wait_for_selector(".zoom canvas")
    page.click("dialog button:text('Delete')")
    page.click(".toast button:text('Undo')")
    expect(page.locator(".grid button")).to_have_count(1)
    page.click(".grid button")
    page.click("dialog button:text('Again with')")
    page.wait_for_selector("main.make")
    assert page.input_value("[aria-label=Target]") == "conv2"


@pytest.mark.parametrize("colours", ["dark", "light"])
def test_every_page_can_be_read_and_fits_a_phone(browser: Browser, studio: list[Program], colours: Any) -> None:
    for size in (WIDE, PHONE):
        page = browser.new_page(viewport=size, color_scheme=colours)  # type: ignore[arg-type]
        page.set_default_timeout(MILLISECONDS)
        sent: list[int] = []
        page.on("response", lambda reply, sent=sent: sent.append(_weight(reply)))
        for name in ("make", "queue", "gallery"):
            page.goto(f"{studio[0].link}#/{name}")
            page.wait_for_selector(f"nav a[aria-current=page]:text-is('{name.title()}')")
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert look_for_violations(page) == []
        assert sum(sent) < 400_000
        page.close()


def test_the_api_has_a_page_of_its_own(page: Page, studio: list[Program]) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(studio[0].link + "docs")
    request = page.locator("section", has=page.locator("h2", has_text=re.compile("^POST /api/jobs$")))
    expect(request).to_contain_text("Add a job to the queue")
    expect(request.locator("tr", has_text="replaces")).to_contain_text("string or null, optional")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert look_for_violations(page) == []
    if folder := os.environ.get("PHOSPHENE_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/api-phone.png")


def exhibition(browser: Browser, program: Program, complaints: list[str]) -> Page:
    page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda told: complaints.append(told.text) if "Security Policy" in told.text else None)
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.add_init_script(WATCH_CAMERAS)
    page.goto(program.link)
    return page


def test_an_exhibited_film_wakes_by_itself_and_has_no_seam(browser: Browser, tmp_path: Path) -> None:
    recipe = tmp_path / "trip.json"
    zoom = ZoomRecipe(
        source=Noise(noise=(32, 48)), net=NetUsed(name="pocket"), octaves=1, fps="10", seconds=0.6, target="conv2"
    )
    recipe.write_text(dumps(zoom))
    complaints: list[str] = []
    program = Program(tmp_path / "studio", 0, "--exhibit", str(recipe))
    page = exhibition(browser, program, complaints)
    try:
        page.wait_for_selector("#room .film.shown[data-turns='2']")  # two take turns, so that the seam has no pause
        page.wait_for_function("() => [...document.querySelectorAll('video')].some((each) => !each.paused)")
        assert page.evaluate("window.locks") == ["screen"]
        assert page.eval_on_selector("body", "each => getComputedStyle(each).cursor") == "none"
        assert look_for_violations(page) == []
        (job,) = program.ask("GET", "gallery")
        assert program.job(job["id"])["recipe"]["loop"] is True
        program.kill()
        again = Program(program.folder, program.port, "--exhibit", str(recipe))
        try:
            assert [each["id"] for each in again.ask("GET", "gallery")] == [job["id"]]  # not made a second time
            page.wait_for_function("() => fetch('/api/exhibit').then((reply) => reply.ok)")
            turns = int(str(page.get_attribute("#room .film", "data-turns")))
            page.wait_for_function(f"() => document.querySelector('.film').dataset.turns > {turns + 1}")
            page.keyboard.press("Escape")
            page.wait_for_selector("main.make")  # the studio
        finally:
            again.stop()
    finally:
        page.close()
    assert complaints == []


def test_the_camera_is_exhibited_and_its_diary_when_nobody_is_there(
    browser: Browser, tmp_path: Path, picture: Path
) -> None:
    diary = tmp_path / "seen"
    diary.mkdir()
    shutil.copy(picture, diary / "one.jpg")
    (diary / "notes.txt").write_text("no picture")
    complaints: list[str] = []
    program = Program(tmp_path / "studio", 0, "--exhibit", "camera", "--diary", str(diary))
    page = exhibition(browser, program, complaints)
    try:
        page.wait_for_selector("#room canvas[data-dreams=camera]")
        page.evaluate(UNPLUG)
        page.wait_for_selector("#room canvas[data-dreams=diary]")
        expect(page.locator("#told")).to_contain_text("tried again every 5 s")
        assert look_for_violations(page) == []
        assert program.ask("GET", "exhibit") == {"job": None, "diary": 1}
        assert program.client.get("/api/exhibit/diary/1").status_code == 404
    finally:
        page.close()
        program.stop()
    assert complaints == []

"""`phosphene dream`: what it writes, what it refuses, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from phosphene.cli.root import phosphene
from phosphene.media.image import read_image, read_recipe_text
from phosphene.recipe import DreamRecipe, Noise, Photo, loads
from tests import forked
from tests.forked import MAIN, Program

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ["--octaves", "1", "--steps", "1", "--target", "block1"]


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(phosphene, ["dream", *map(str, args)])


def recipe_in(path: Path) -> DreamRecipe:
    text = read_recipe_text(path)
    assert text is not None
    recipe = loads(text)
    assert isinstance(recipe, DreamRecipe)
    return recipe


def test_the_result_is_named_after_the_photo_and_overwrites_nothing(photo: Path, folder: Path) -> None:
    for name in ("photo-dream.png", "photo-dream-2.png"):
        result = run(photo, *QUICK)
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"{name}\n", "")
        assert read_image(folder / name).size == (56, 72)
    assert len(list(folder.iterdir())) == 2


def test_the_recipe_has_every_setting_as_it_was(photo: Path, folder: Path) -> None:
    run(photo, "--steps", "1", "--size", "40", "--seed", "7", "-o", "a.webp")
    recipe = recipe_in(folder / "a.webp")
    assert (recipe.size, recipe.seed, recipe.steps) == ((31, 40), 7, 1)
    assert recipe.octaves == 1
    assert recipe.precision in ("bfloat16", "float32")
    assert {"target", "octaves", "precision"} <= set(recipe.automatic)
    assert "seed" not in recipe.automatic
    assert recipe.target
    assert recipe.net.sha256
    assert isinstance(recipe.source, Photo)
    assert recipe.source.path == "photo.jpg"  # its folder is nobody else's business
    assert recipe.source.size == (56, 72)


def test_noise(folder: Path) -> None:
    assert run("--noise", "40x30", *QUICK).stdout == "noise-dream.png\n"
    assert read_image("noise-dream.png").size == (30, 40)
    assert recipe_in(folder / "noise-dream.png").source == Noise(noise=(30, 40))


def test_presets_add_to_options(photo: Path, folder: Path) -> None:
    run(photo, "--preset", "gentle", "--octaves", "1", "--steps", "1", "-o", "a.png")
    recipe = recipe_in(folder / "a.png")
    assert recipe.step_size == 0.01
    assert recipe.steps == 1


def test_depth_16(photo: Path, folder: Path) -> None:
    assert run(photo, *QUICK, "--depth", "16", "-o", "deep.tif").exit_code == 0
    assert read_image("deep.tif").depth == 16


def test_alpha_is_kept(folder: Path) -> None:
    pixels = np.full((30, 40, 4), 128, np.uint8)
    pixels[:, :20, 3] = 0
    Image.fromarray(pixels).save("clear.png")
    run("clear.png", *QUICK, "-o", "out.png")
    alpha = read_image("out.png").alpha
    assert alpha is not None
    assert alpha[0, 0, 0].tolist()[:10] == [0] * 10


def test_preview_is_kept_and_gone_on_with(photo: Path, folder: Path) -> None:
    result = run(photo, *QUICK, "--preview", "so-far.jpg", "-o", "out.png")
    assert result.exit_code == 0
    assert read_image("so-far.jpg").size == (56, 72)


def no_photo(folder: Path) -> list[str]:
    return ["missing.jpg"]


def truncated(folder: Path) -> list[str]:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save("whole.jpg")
    Path("cut.jpg").write_bytes(Path("whole.jpg").read_bytes()[:900])
    Path("whole.jpg").unlink()
    return ["cut.jpg"]


def text_file(folder: Path) -> list[str]:
    Path("text.jpg").write_text("not a picture\n" * 9)
    return ["text.jpg"]


def folder_as_photo(folder: Path) -> list[str]:
    Path("photos.jpg").mkdir()
    return ["photos.jpg"]


def bomb(folder: Path) -> list[str]:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    Path("bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )
    return ["bomb.png"]


BAD_PHOTOS = [no_photo, truncated, text_file, folder_as_photo, bomb]
BAD_OPTIONS = [
    ["-o", "no/such/folder/out.png"],
    ["-o", "out.txt"],
    ["-o", "out"],
    ["-o", "."],
    ["-o", "out.jpg", "--depth", "16"],
    ["-o", "/proc/out.png"],
    ["--preview", "no/such/preview.png"],
    ["--target", "block11 +"],
    ["--target", "mixed9z"],
    ["--target", "block11:100000"],
    ["--target", "bananna"],
    ["--net", "poket"],
    ["--size", "99999x99999"],
]


def assert_refused(result: Result, folder: Path, there: set[Path]) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "unexpected" not in result.stderr
    assert set(folder.rglob("*")) == there, "nothing is written"


@pytest.mark.parametrize("make", BAD_PHOTOS)
def test_a_bad_photo_is_one_line(make, folder: Path) -> None:  # type: ignore[no-untyped-def]
    args = make(folder)
    there = set(folder.rglob("*"))
    assert_refused(run(*args, *QUICK), folder, there)


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=" ".join)
def test_a_bad_option_is_one_line(options: list[str], photo: Path, folder: Path) -> None:
    assert_refused(run(photo, "--octaves", "1", "--steps", "1", *options), folder, set())


def test_the_photo_itself_is_not_overwritten(photo: Path, folder: Path) -> None:
    before = photo.read_bytes()
    result = run(photo, *QUICK, "-o", photo)
    assert_refused(result, folder, set())
    assert "the source itself" in result.stderr
    assert photo.read_bytes() == before


def test_a_failed_run_leaves_the_file_that_was_there(photo: Path, folder: Path) -> None:
    Path("out.png").write_bytes(b"precious")
    assert run(photo, "--target", "mixed9z", "-o", "out.png").exit_code == 1
    assert Path("out.png").read_bytes() == b"precious"


def test_what_is_there_is_replaced_only_by_force(photo: Path, folder: Path) -> None:
    Path("out.png").write_bytes(b"precious")
    refused = run(photo, *QUICK, "-o", "out.png")
    assert refused.exit_code == 1
    assert "give --force to replace it" in refused.stderr
    assert Path("out.png").read_bytes() == b"precious"
    assert run(photo, *QUICK, "-o", "out.png", "--force").exit_code == 0
    assert read_image("out.png").size == (56, 72)


def test_misspelt_names_are_answered_with_the_nearest(photo: Path) -> None:
    assert "did you mean 'block11'" in run(photo, "--target", "Block11:3 + bluck11").stderr
    assert "did you mean 'banana'" in run(photo, "--target", "bananna").stderr


def wait_for(path: Path, process: Program) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_saves_what_is_there(photo: Path, folder: Path) -> None:
    long = ("--steps", "10000", "--octaves", "2", "--target", "block1")
    process = Program(MAIN, "dream", photo, *long, "-o", "out.png", "--preview", "so-far.png")
    wait_for(folder / "so-far.png", process)  # there is a first step, then
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, b"")
    assert "out.partial.png" in err
    assert "Traceback" not in err
    assert {each.name for each in folder.iterdir()} == {"out.partial.png", "out.png.work", "so-far.png"}
    assert "the same command continues" in err
    assert read_image(folder / "out.partial.png").size == (56, 72)
    assert recipe_in(folder / "out.partial.png").steps == 10_000


def test_ctrl_c_ends_before_another_step(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.render.stills import StillOutput

    steps: list[object] = []

    def add_and_be_stopped(self: StillOutput, step: object) -> None:
        steps.append(step)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StillOutput, "add", add_and_be_stopped)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` would have it ignored
    try:
        result = run(photo, "--steps", "1000", "--octaves", "1", "--target", "block1", "-o", "out.png")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.exit_code, len(steps)) == (130, 3)
    assert read_image("out.partial.png").size == (56, 72)


KILLED = """
import os, signal
from phosphene.media.work import WorkFolder
from phosphene.render import job

job.CHECKPOINT_SECONDS, job.CHECKPOINT_SHARE = 0.0, 1e9
keep = WorkFolder.keep_state

def keep_and_be_killed(self, index, state, progress):
    keep(self, index, state, progress)
    if index == 3:
        os.kill(os.getpid(), signal.SIGKILL)

WorkFolder.keep_state = keep_and_be_killed
from phosphene.cli import main
main()
"""


def three(photo: Path) -> list[str]:
    """The photo, and two more beside it."""
    paths = [photo, photo.with_name("mirrored.png"), photo.with_name("upside-down.png")]
    with Image.open(photo) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(paths[1])
        picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(paths[2])
    return list(map(str, paths))


@pytest.fixture
def threads() -> Iterator[None]:
    """Restore the number of threads, which the command line sets for the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("command", ["dream", "imagine", "sheet", "iterate", "film", "basins"])
def test_killed_work_continues_to_the_same_bytes(command: str, photo: Path, folder: Path) -> None:
    args = {
        "dream": ["dream", str(photo), "--target", "block1", "--octaves", "2", "--steps", "4"],
        "imagine": ["imagine", "block1:3", "--steps", "8", "--size", "32", "--views", "2"],
        "sheet": ["sheet", "block1:0..1", "--steps", "8", "--size", "32", "--views", "2"],
        "iterate": [
            "iterate",
            "z^2 + c",
            "--size",
            "200x150",
            "--iterations",
            "40",
            "--supersample",
            "4",
            "--threads",
            "1",
        ],
        "film": ["iterate", "z^2 + c", "--size", "24x18", "--zoom", "1e-14", "--seconds", "1", "--fps", "6"],
        "basins": [
            "basins",
            *three(photo),
            "--net",
            "pocket",
            "--target",
            "conv1",
            "--size",
            "16x12",
            "--iterations",
            "2",
        ],
    }[command]
    whole, killed_at = ("whole.mp4", "killed.mp4") if command == "film" else ("whole.png", "killed.png")
    assert CliRunner().invoke(phosphene, [*args, "-o", whole]).exit_code == 0
    killed = forked.run(KILLED, *args, "-o", killed_at)
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / killed_at).exists()
    assert (folder / f"{killed_at}.work").is_dir()
    again = CliRunner().invoke(phosphene, [*args, "-o", killed_at])
    assert "continues unfinished work" in again.stderr
    assert ("after frame 3" in again.stderr) == (command == "film")
    assert (folder / killed_at).read_bytes() == (folder / whole).read_bytes()
    assert not (folder / f"{killed_at}.work").exists()


@pytest.mark.parametrize("wait", [0.6, 1.0, 1.6])
def test_ctrl_c_at_any_moment_leaves_no_traceback(photo: Path, folder: Path, wait: float) -> None:
    ready, told = os.pipe()
    code = f"from phosphene.cli import main; import os; os.write({told}, b'.'); main()"
    program = [sys.executable, "-c", code, "dream", str(photo), "--steps", "10000"]
    process = subprocess.Popen(program, cwd=folder, text=True, stderr=subprocess.PIPE, pass_fds=[told])
    os.close(told)
    assert os.read(ready, 1)  # Python itself has started
    os.close(ready)
    time.sleep(wait)  # below 1 s: while torch is being imported
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not (folder / "photo-dream.png").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_shows_progress(photo: Path, folder: Path) -> None:
    import pty

    main, end = pty.openpty()
    short = ["--octaves", "2", "--steps", "2", "--target", "block1"]
    process = Program(MAIN, "dream", photo, *short, stderr=end)
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait() == 0
    process.close()
    assert b"octave 2 of 2" in shown
    assert b"0:00" in shown
    assert b"score" in shown


def test_a_size_that_the_format_cannot_hold_is_answered_before_the_work(photo: Path, folder: Path) -> None:
    result = run(photo, *QUICK, "--size", "17000x1", "-o", "long.webp")
    assert_refused(result, folder, set())
    assert "at most 16383 pixels a side" in result.stderr

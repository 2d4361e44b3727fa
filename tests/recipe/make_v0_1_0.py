"""Make the folder `v0.1.0`: results and recipes as phosphene 0.1.0 writes them, with the files that they began with.

Run once, with one thread, with nothing but that version's own command line; tests only read the folder.

    git worktree add /tmp/v010 2555689
    .venv/bin/python tests/recipe/make_v0_1_0.py /tmp/v010

Every result is the output of the command in `COMMANDS` that writes it. `BY_HAND` holds recipes that leave out what has
a default; 0.1.0 rendered them with `phosphene again`, and the result stands beside each.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "v0.1.0"
CLOUDS = Path(__file__).parents[2] / "examples" / "clouds.jpg"
SAME = "--precision float32 --device cpu"
IMAGINED = "--steps 3 --views 3 --sketches 2 --sketch-steps 1"
SMALL = "dream clouds.jpg --size 48 --steps 4 --seed 5"

COMMANDS = (
    "dream clouds.jpg --steps 6 --seed 1 -o dream.png",
    "dream --noise 80x60 -t mixed4c --steps 4 --seed 2 -o dream-noise.png",
    "dream clouds.jpg --preset 2015 --steps 2 --seed 3 -o dream-2015.png",
    "dream clouds.jpg -t 'guide(guide.jpg, mixed3b) + 0.5 * mixed4c' --steps 5 --seed 4 -o dream-guide.png",
    "dream clouds.jpg --size 160x120 --tile 64 --shaping blur --resampling linear --headroom 0 --natural-colour 0.5 "
    "--octaves 2 --steps 2 --seed 6 -o dream-tiled.png",
    "dream cutout.png --octaves 2 --steps 3 --seed 7 -o dream-alpha.png",
    *(f"{SMALL} -o dream-small.{suffix}" for suffix in ("png", "jpg", "webp", "tif")),
    f"imagine banana --size 64 {IMAGINED} --seed 1 -o imagine-label.png",
    f"imagine mixed4c:30 --size 80x64 {IMAGINED} --zoom 0.7-1 --seed 2 -o imagine-channel.png",
    f"imagine 'goldfish + 0.5 * mixed4b:7' --count 2 --size 40 {IMAGINED} --steps 2 --seed 3 -o imagine-two.png",
    "imagine mixed4d:12 --preset lucid --size 64 --steps 4 --seed 4 -o imagine-lucid.png",
    "sheet mixed3a:0..1 banana --size 48 --columns 2 --gap 2 --steps 5 --views 2 --sketches 1 --seed 5 -o sheet.png",
    "zoom clouds.jpg --size 80x60 --seconds 0.5 --fps 10 --loop --seed 1 --speed '0s: 1.5; 0.2s: 1.1' "
    "--target '0s: mixed3b; 0.2s: mixed4c' --spin '0s: 0; 0.3s: 20' --drift 0.1,0 -o zoom.mkv",
    "zoom --noise 64x48 --seconds 0.6 --fps 10 --seed 2 -o zoom-noise.mkv",
    "zoom clouds.jpg --preset 2015 --size 64x48 --octaves 2 --steps 3 --seconds 0.12 --seed 3 -o zoom-2015",
    "morph banana goldfish --size 48 --seconds 0.75 --fps 8 --between 1 --steps 2 --views 2 --seed 4 -o morph.mkv",
    "video clip.mkv --end 0.5 --first-steps 3 --seed 5 -o video.mkv",
)

CPU: dict[str, Any] = {"precision": "float32", "device": "cpu"}
BY_HAND: dict[str, dict[str, Any]] = {
    "dream": {"source": {"path": "clouds.jpg"}},
    "dream-noise": {"kind": "dream", "source": {"noise": "64x48"}, "target": "mixed4b"},
    "imagine": {"target": "teapot", "size": 48, "steps": 3, "sketch_steps": 1},
    "sheet": {"targets": ["mixed3b:1", "mixed4a:2"], "size": 32, "steps": 2},
    "zoom": {"source": {"path": "clouds.jpg"}, "seconds": 0.1},
    "morph": {"ideas": ["teapot", "banana"], "size": 40, "seconds": 0.2, "between": 1, "steps": 4},
    "video": {"source": {"path": "clip.mkv"}, "end": 0.2, "first_steps": 4},
}
FILMS = ("zoom", "morph", "video")


def sources() -> None:
    """Write the photograph, the guide, the cut-out and the clip: crops of `examples/clouds.jpg`."""
    whole = Image.open(CLOUDS).convert("RGB")
    whole.crop((200, 60, 584, 348)).resize((96, 72), Image.Resampling.LANCZOS).save(FOLDER / "clouds.jpg", quality=92)
    whole.crop((0, 200, 300, 500)).resize((64, 64), Image.Resampling.LANCZOS).save(FOLDER / "guide.jpg", quality=90)
    cutout = whole.crop((0, 0, 240, 180)).resize((64, 48), Image.Resampling.LANCZOS)
    cutout.putalpha(Image.radial_gradient("L").resize((64, 48)).point(lambda level: 255 - level))
    cutout.save(FOLDER / "cutout.png", optimize=True)
    clip(np.asarray(whole.resize((192, 128), Image.Resampling.LANCZOS)))


def clip(scene: np.ndarray) -> None:
    """Write eight frames of a slow pan over `scene` (h w 3), in front of which a chequered disc passes fast."""
    down, right = np.mgrid[0:64, 0:96]
    with av.open(str(FOLDER / "clip.mkv"), "w") as film:
        stream = film.add_stream("ffv1", rate=10, width=96, height=64, pix_fmt="bgr0")
        for i in range(8):
            frame = scene[20 + i // 2 : 84 + i // 2, 2 * i : 96 + 2 * i].copy()
            left = 11 * i + 6
            disc = (down - 34) ** 2 + (right - left) ** 2 < 13**2
            squares = ((down // 5 + (right - left) // 5) % 2)[..., None]
            frame[disc] = np.where(squares, (200, 60, 40), (40, 30, 90))[disc]
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        film.mux(stream.encode())


def main(checkout: Path) -> None:
    """Make the folder afresh with the phosphene in `checkout`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    sources()
    paths = {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-c", "from phosphene.cli import main; main()"]
    commands = [f"{command} {SAME}" for command in COMMANDS]
    for name, settings in BY_HAND.items():
        recipe = {"kind": name, "version": 1, **settings, **CPU}
        path = FOLDER / f"hand-{name}.json"
        path.write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
        commands.append(f"again {path.name} -o {path.stem}.{'mkv' if name in FILMS else 'png'}")
    for command in commands:
        subprocess.run([*program, *shlex.split(command)], check=True, cwd=FOLDER, env={**os.environ, **paths})


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

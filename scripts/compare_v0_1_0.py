"""Render the recipes of tests/recipe/v0.1.0 with a checkout of 0.1.0 and with this tree, and compare the pixels.

Both run on this machine, with the same threads and packages, and write 16 bits a sample, losslessly. The precisions to
compare at are arguments after the checkout: those of `--precision`, or `recipe` for each recipe's own; by default
float32, bfloat16, auto (what a user gets who asks for none) and recipe. Exits with 1 if any pixel differs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "recipe" / "v0.1.0"
FILMS = ("zoom", "morph", "video")
PRECISIONS = ("float32", "bfloat16", "auto", "recipe")

WORKER = """
import sys
from phosphene.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["phosphene", "again", *line.split("\\t")]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line}: exit {end.code}")
"""


def recipes() -> list[Path]:
    """The files with a recipe that another file of the folder does not have as well."""
    sources = {"clouds.jpg", "guide.jpg", "cutout.png", "clip.mkv"}
    by_hand = {path.stem for path in FIXTURES.glob("*.json")}
    files = (path for path in FIXTURES.iterdir() if path.name not in sources)
    return sorted(path for path in files if path.suffix == ".json" or path.stem not in by_hand)


def render(tree: Path, precision: str, out: Path) -> None:
    """Render every recipe with the phosphene in `tree` into the folder `out`; films as folders of pictures."""
    lines = []
    for path in recipes():
        is_film = any(kind in path.stem for kind in FILMS)
        place = out / (path.name.replace(".", "-") if is_film else f"{path.name}.png")
        override = [] if precision == "recipe" else ["--precision", precision]
        lines.append("\t".join([str(path), "-o", str(place), "--depth", "16", *override]))
    subprocess.run(
        [sys.executable, "-P", "-c", WORKER],
        input="\n".join(lines),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
    )


def differences(before: Path, now: Path) -> dict[str, str]:
    """Return the differences between the pictures in two folders, by the picture's name; empty if nothing does."""
    names = {str(path.relative_to(folder)) for folder in (before, now) for path in folder.rglob("*.png")}
    found = {}
    for name in sorted(names):
        old, new = (cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) for folder in (before, now))
        if old is None or new is None or old.shape != new.shape:
            found[name] = "is missing or of another size"
        elif not np.array_equal(old, new):
            most = np.abs(old.astype(int) - new).max() / 65535 * 255
            found[name] = f"differs by up to {most:.3f}/255 in {(old != new).mean():.1%} of the samples"
    assert names, "nothing was rendered"
    return found


def main(checkout: Path, precisions: tuple[str, ...]) -> int:
    """Compare at each precision, say what differs, and return the exit status."""
    differ = False
    for precision in precisions:
        with tempfile.TemporaryDirectory() as folder:
            before, now = Path(folder, "before"), Path(folder, "now")
            for tree, out in ((checkout, before), (ROOT, now)):
                out.mkdir()
                render(tree, precision, out)
            count = len(list(now.rglob("*.png")))
            found = differences(before, now)
        differ |= bool(found)
        sys.stdout.write(f"{precision}: {count - len(found)} of {count} pictures are equal, byte for byte\n")
        sys.stdout.writelines(f"    {name} {what}\n" for name, what in found.items())
    return int(differ)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), tuple(sys.argv[2:]) or PRECISIONS))

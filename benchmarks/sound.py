"""Time and memory of a dream on ten seconds of sound, at its defaults, on two cores, beside the length of the sound.

    .venv/bin/python benchmarks/sound.py [--seconds 10]

Processor time is told too: on a machine that others use, the time on the clock says little.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from parts import setup


def main() -> None:
    """Print a line for a dream of a tag, of a layer, and of nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    setup.as_the_command_line()

    import numpy as np
    import torch

    import phosphene as ph
    from phosphene.media.sound.write import writing

    torch.set_num_threads(2)
    moment = np.arange(round(asked.seconds * 44_100)) / 44_100
    song = 0.2 * np.sin(2 * np.pi * 220 * moment) * (1 + np.sin(2 * np.pi * 2 * moment))
    print(f"{'dream':>8} {'s':>7} {'cpu s':>7} {'per s of sound':>15} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.wav"
        with writing(path, 44_100, 2, 16, None) as writer:
            writer.write(np.stack([song, song], 1).astype(np.float32))
        for name, settings in (("choir", {"target": "choir"}), ("conv4", {}), ("nothing", {"steps": 0})):
            began, spent = time.perf_counter(), time.process_time()
            ph.job("dream", path, **settings).save(Path(folder) / f"{name}.flac")
            taken, worked = time.perf_counter() - began, time.process_time() - spent
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name:>8} {taken:7.1f} {worked:7.1f} {taken / asked.seconds:15.2f} {peak:9.0f}")


if __name__ == "__main__":
    main()

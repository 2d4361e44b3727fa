"""Some of the tests once more, with the shapes and types of every call checked as it is made.

All of them are run so by `PHOSPHENE_TEST_TYPES=1 scripts/test`, which takes twice as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKED = """
gradients/test_strips.py
loops/test_arithmetic.py
loops/test_mask.py
objectives/test_masked.py
transforms
"""


def test_shapes_and_types_are_those_that_are_declared() -> None:
    here = Path(__file__).parent
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*program, *(str(here / each) for each in CHECKED.split())],
        cwd=here.parent,
        env={**os.environ, "PHOSPHENE_TEST_TYPES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]

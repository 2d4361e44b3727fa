"""The Mandelbrot set and Newton's method: phosphene's arrays, a plain Python loop, and numba's compiled loop.

    python benchmarks/iterate.py          # needs numba: pip install numba

All three count the same, point by point. Each is timed several times in turn, in one thread, and the least processor
time counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from phosphene.fractals import escape
from phosphene.fractals.escape import Rules
from phosphene.fractals.formula import Formula, parse

SIDE, ITERATIONS, TURNS = 1024, 1000, 4
PLAIN_STEP = 64  # the plain loop does every Nth point only


def mandelbrot(a: np.ndarray, b: np.ndarray, iterations: int, bailout: float) -> np.ndarray:
    """Count until |z| is above the bailout, one point at a time; -1 for never."""
    count = np.full(len(a), -1)
    for index in range(len(a)):
        z, c = 0j, complex(a[index], b[index])
        for step in range(iterations + 1):
            if z.real * z.real + z.imag * z.imag > bailout * bailout:
                count[index] = step
                break
            z = z * z + c
    return count


def newton(a: np.ndarray, b: np.ndarray, iterations: int, bailout: float) -> np.ndarray:
    """Count until Newton's method for z^3 - 1 moves by at most 1e-6."""
    count = np.full(len(a), -1)
    for index in range(len(a)):
        z = complex(a[index], b[index])
        for step in range(iterations):
            after = z - (z * z * z - 1) / (3 * z * z)
            moved = after - z
            if moved.real * moved.real + moved.imag * moved.imag <= 1e-12:
                count[index] = step + 1
                break
            z = after
    return count


Counts = Callable[..., np.ndarray]

CASES: dict[str, tuple[str, Counts, Rules]] = {
    "Mandelbrot": ("z^2 + c", mandelbrot, Rules(ITERATIONS, 2.0)),
    "Newton": ("newton(z^3 - 1)", newton, Rules(ITERATIONS, 1e6, settles=1e-6)),
}


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of `work`: other programs do not count."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print a table of the times and their ratios."""
    try:
        import numba
    except ImportError:
        sys.exit("this benchmark compares with numba: pip install numba")
    x, y = np.meshgrid(np.linspace(-2, 0.6, SIDE), np.linspace(-1.3, 1.3, SIDE))
    a, b = x.ravel() + 1e-9, y.ravel() + 1e-9
    for name, (text, plain, rules) in CASES.items():
        compiled = numba.njit(plain)
        print(f"{name}: {compared(parse(text), plain, compiled, rules, a, b)}")


def compared(formula: Formula, plain: Counts, compiled: Counts, rules: Rules, a: np.ndarray, b: np.ndarray) -> str:
    """Return the times of one formula and their ratios, as text."""
    ready = escape.prepare(formula, rules)
    few = slice(None, None, PLAIN_STEP)
    bounds = rules.iterations, rules.bailout
    counts = compiled(a, b, *bounds), escape.iterate(ready, a, b).count
    same = float((counts[0] == counts[1]).mean())
    ours, theirs = [], []
    for _ in range(TURNS):
        ours.append(seconds(lambda: escape.iterate(ready, a, b)))
        theirs.append(seconds(lambda: compiled(a, b, *bounds)))
    slow = seconds(lambda: plain(a[few], b[few], *bounds)) * PLAIN_STEP
    return (
        f"phosphene {min(ours):.3f} s, numba {min(theirs):.3f} s ({min(ours) / min(theirs):.2f} of it), "
        f"plain Python {slow:.1f} s ({slow / min(ours):.0f} times as long); {same:.2%} of counts equal"
    )


if __name__ == "__main__":
    main()

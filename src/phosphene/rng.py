"""Random numbers as a function of a seed and a path, so that no loop has hidden RNG state to save.

Every draw names its place: the frame, octave and step that it is for, and its purpose. The same seed and path always
give the same numbers, in any order, in any process and on any machine.
"""

from __future__ import annotations

import hashlib

SEED_BITS = 63
"""Bits of a derived seed: the most that `torch.Generator.manual_seed` takes without a sign."""


def fold_in(seed: int, *path: int | str) -> int:
    """Derive a seed from another one and a path of labels and numbers.

    >>> fold_in(0, "jitter", 2, 5) == fold_in(0, "jitter", 2, 5)
    True
    >>> len({fold_in(0), fold_in(1), fold_in(0, "views"), fold_in(0, 1, 2), fold_in(0, 12), fold_in(0, "1", 2)})
    6

    Args:
        seed: any whole number.
        path: labels and whole numbers; a number and its text are different, and so are (1, 2) and (12,).

    Returns:
        A number from 0 to 2**63 - 1.
    """
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - SEED_BITS)

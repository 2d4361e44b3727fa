"""Derived seeds depend on the seed and on all of the path, and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phosphene.rng import fold_in

PATHS = st.lists(st.integers(-3, 1000) | st.text(max_size=5), max_size=4).map(tuple)
SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, other_seed=SEEDS, path=PATHS, other_path=PATHS)
def test_different_places_have_different_seeds(
    seed: int, other_seed: int, path: tuple[int | str, ...], other_path: tuple[int | str, ...]
) -> None:
    derived = fold_in(seed, *path)
    assert 0 <= derived < 2**63
    assert (derived == fold_in(other_seed, *other_path)) == ((seed, path) == (other_seed, other_path))


def test_derived_seeds_do_not_change_between_releases() -> None:
    assert fold_in(0) == 2631537505891389924
    assert fold_in(7, "views", 2, -1) == 606008998989577295


def test_bits_are_even() -> None:
    seeds = [fold_in(0, "frame", i) for i in range(2000)]
    for bit in range(63):
        assert 850 < sum(seed >> bit & 1 for seed in seeds) < 1150

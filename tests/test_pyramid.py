"""A pyramid's bands add up to the image, and each holds detail of its own size."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.pyramid import merge, split


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    bands=st.integers(1, 6),
    smallest=st.integers(1, 12),
    overwrite=st.booleans(),
)
def test_bands_add_up_to_the_image(height: int, width: int, bands: int, smallest: int, overwrite: bool) -> None:
    image = torch.rand(2, 3, height, width)
    found = split(image.clone(), bands, smallest, overwrite=overwrite)
    assert 1 <= len(found) <= bands
    assert len(found) == 1 or min(found[-1].shape[-2:]) >= smallest
    torch.testing.assert_close(merge(found), image, rtol=0, atol=1e-5)


def test_the_image_is_left_alone_unless_it_may_be_overwritten() -> None:
    image = torch.rand(1, 3, 40, 40)
    kept = image.clone()
    plain = split(image, 3, 4)
    assert torch.equal(image, kept)
    overwritten = split(image, 3, 4, overwrite=True)
    assert all(torch.equal(one, other) for one, other in zip(plain, overwritten, strict=True))
    assert overwritten[0].data_ptr() == image.data_ptr()


def test_each_band_holds_detail_of_its_own_size() -> None:
    x = torch.arange(128.0)
    for period, loudest in ((2.5, 0), (6, 1), (12, 2), (100, 3)):
        wave = torch.sin(2 * torch.pi * x / period).expand(1, 1, 128, 128)
        energy = [float(band.square().mean()) for band in split(wave, 4, 8)]
        assert energy.index(max(energy)) == loudest

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phosphene.gradients.tiles import cut
from phosphene.nets.receptive import Field

FIELD = Field(start=-12, size=28, stride=4)


@given(height=st.integers(1, 300), width=st.integers(1, 300), own=st.integers(1, 400))
def test_every_pixel_and_position_belongs_to_one_tile(height: int, width: int, own: int) -> None:
    total = (height // FIELD.stride, width // FIELD.stride)
    pixels, positions = 0, 0
    for tile in cut((height, width), own, FIELD):
        rows, columns, region = tile.region(FIELD.stride, total)
        pixels += (tile.rows.end - tile.rows.start) * (tile.columns.end - tile.columns.start)
        positions += max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
        assert (region.height, region.width) == total
        assert region.top * FIELD.stride == tile.rows.start or region.top == total[0]
    assert pixels == height * width
    assert positions == total[0] * total[1]


@given(length=st.integers(1, 2000), own=st.integers(8, 400))
def test_crops_hold_the_receptive_fields_of_what_a_tile_owns(length: int, own: int) -> None:
    for tile in cut((length, 64), own, FIELD):
        span = tile.rows
        assert span.crop_start % FIELD.stride == 0
        first, end = span.positions(FIELD.stride, length // FIELD.stride)
        if first < end:
            seen_from = FIELD.start + first * FIELD.stride
            seen_to = FIELD.start + (end - 1) * FIELD.stride + FIELD.size
            assert span.crop_start <= max(0, seen_from)
            assert span.crop_end >= min(length, seen_to)

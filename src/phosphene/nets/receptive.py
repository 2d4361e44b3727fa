"""Receptive fields, computed from the convolutions and pools that an activation passes through.

The arithmetic is that of Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks"
(Distill, 2019), kept as the first pixel, the size and the stride of each position's field.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Field:
    """Which pixels a layer's positions see: position i sees `size` pixels from `start + i * stride` on.

    Where padding depends on the sides, as TensorFlow's does, that holds for sides that are multiples of the stride; for
    others, fields start up to `shift` pixels earlier.

    >>> Field().through(kernel=6, stride=2, padding=2).through(kernel=3, stride=1, padding=1)
    Field(start=-4, size=10, stride=2)
    """

    start: int = 0
    size: int = 1
    stride: int = 1
    shift: int = field(default=0, repr=False)

    def through(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, shift: int = 0) -> Field:
        """Return the field after one more convolution or pool, given in that layer's own positions."""
        return Field(
            start=self.start - padding * self.stride,
            size=self.size + (kernel - 1) * dilation * self.stride,
            stride=self.stride * stride,
            shift=self.shift + shift * self.stride,
        )

    def through_same(self, kernel: int, stride: int = 1) -> Field:
        """Return the field after a convolution that is padded as TensorFlow's `SAME`.

        >>> Field().through_same(kernel=3, stride=2), Field().through_same(kernel=3, stride=2).shift
        (Field(start=0, size=3, stride=2), 1)
        """
        padding = max(kernel - stride, 0) // 2
        return self.through(kernel, stride, padding, shift=(kernel - 1) // 2 - padding)

    def union(self, other: Field) -> Field:
        """Return the smallest field that contains both, as for concatenated branches."""
        assert self.stride == other.stride, "branches that are joined have the same stride"
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(start, end - start, self.stride, max(self.shift, other.shift))

    @property
    def before(self) -> int:
        """How many pixels position i sees before pixel `i * stride`."""
        return max(0, self.shift - self.start)

    @property
    def after(self) -> int:
        """How many pixels position i sees from pixel `(i + 1) * stride` on."""
        return max(0, self.start + self.size - self.stride)

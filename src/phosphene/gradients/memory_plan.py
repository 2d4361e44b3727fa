"""Plans how a canvas is traversed within a memory budget: whole or in tiles, and what is kept meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from phosphene.gradients.footprint import Footprint
from phosphene.nets.receptive import Field
from phosphene.types import Size


@dataclass(frozen=True)
class Traversal:
    """How a canvas is gone through: in tiles that own `own` x `own` pixels each, or whole if `own` is 0.

    With `keep`, what the backward pass needs is kept of all tiles at once, so that each is run forward only once.
    `slack` is how many bytes of free memory may accumulate meanwhile before they are given back to the system. With
    `middle`, the tiles are those of the first half of the network, up to that layer (see `halves`).
    """

    own: int
    keep: bool = False
    slack: float = math.inf
    middle: str | None = None


@dataclass(frozen=True)
class MemoryPlan:
    """Decides how canvases are gone through. The defaults were tuned on 1 to 24 megapixels (docs/performance.md).

    Attributes:
        budget: bytes that a step may hold besides the canvas and its gradient; the default lets a step on 24 megapixels
            take 2 GiB more.
        overlap: how much more of a canvas is seen in tiles than whole, because of their halos.
        kept_share: largest share of the budget that is kept of tiles; where more would be, they are run forward twice.
        fragmentation: memory taken for each byte that is needed at once, because free memory is fragmented.
        whole_slack: free memory tolerated during a step on a whole canvas, per byte that it needs at once.
        min_slack: free memory in bytes that is never worth giving back.
        tiles_slack: share of the budget that may be free while a canvas is gone through in tiles.
        tight_slack: the same where more than `tight_share` of the budget is kept of tiles; costs a tenth of the time.
        tight_share: see `tight_slack`.
    """

    budget: int = 1640 << 20
    overlap: float = 1.1
    kept_share: float = 0.7
    fragmentation: float = 1.5
    whole_slack: float = 2.0
    min_slack: int = 384 << 20
    tiles_slack: float = 1.0
    tight_slack: float = 0.42
    tight_share: float = 0.5

    def traversal(
        self,
        size: Size,
        count: int,
        field: Field,
        footprint: Footprint,
        *,
        tile: int | str = "auto",
        halo: int | None = None,
        linear: bool = False,
    ) -> Traversal:
        """Return how `count` canvases of `size` are gone through.

        Args:
            field: the receptive field of all layers together.
            footprint: bytes that the network holds per pixel.
            tile: the side in pixels that a tile owns; 0 for never, "auto" to stay within the budget.
            halo: pixels seen beyond a tile on each side; None for the receptive field's reach.
            linear: whether the objective is linear in its sums, so that no tile needs to be kept.
        """
        pixels = size[0] * size[1] * count
        needed, kept = pixels * footprint.peak, pixels * self.overlap * footprint.kept
        if tile == 0 or (needed <= self.budget if tile == "auto" else int(tile) >= max(size)):
            return Traversal(0, slack=max(self.min_slack, needed * self.whole_slack))
        keep = not linear and kept <= self.budget * self.kept_share
        tight = keep and kept > self.budget * self.tight_share
        slack = self.budget * (self.tight_slack if tight else self.tiles_slack)
        if tile != "auto":
            return Traversal(int(tile), keep, slack)
        per_pixel = (footprint.tile if keep else footprint.peak) * count * self.fragmentation
        seen = (self.budget - kept * keep) / per_pixel
        reach = field.before + field.after if halo is None else 2 * halo
        return Traversal(max(field.stride * 8, math.floor(math.sqrt(seen)) - reach), keep, slack)

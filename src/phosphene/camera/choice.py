"""What dreams on a camera's pictures where nothing else is asked for."""

from __future__ import annotations

NET, TARGET = "lite", "block12"
"""Quick enough for three dreams a second and more on two cores, while it is said what is seen; and it dreams animals,
fur and feathers rather than patterns alone."""

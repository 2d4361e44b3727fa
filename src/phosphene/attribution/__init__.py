"""What a network makes of a picture, in targets that can be dreamt, and where in the picture it finds them."""

from phosphene.attribution.heat import evidence, heatmap
from phosphene.attribution.sight import SeenChannel, SeenLabel, SeenLayer, Sight, see

__all__ = ["SeenChannel", "SeenLabel", "SeenLayer", "Sight", "evidence", "heatmap", "see"]

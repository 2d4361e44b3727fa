"""What a network makes of a picture, in targets that can be dreamt, and where in the picture it finds them."""

from phosphene.seeing.heat import evidence, heatmap
from phosphene.seeing.sight import SeenChannel, SeenLabel, SeenLayer, Sight, see

__all__ = ["SeenChannel", "SeenLabel", "SeenLayer", "Sight", "evidence", "heatmap", "see"]

"""What a network makes of a picture or a sound, in targets that can be dreamt, and where it finds them."""

from phosphene.attribution.hearing import HeardChannel, HeardTag, Hearing, hear
from phosphene.attribution.heat import evidence, heatmap
from phosphene.attribution.sight import SeenChannel, SeenLabel, SeenLayer, Sight, see

__all__ = [
    "HeardChannel",
    "HeardTag",
    "Hearing",
    "SeenChannel",
    "SeenLabel",
    "SeenLayer",
    "Sight",
    "evidence",
    "hear",
    "heatmap",
    "see",
]

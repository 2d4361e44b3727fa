"""Things that a network recognises in a picture or a sound, as targets that can be dreamt, and their places in it."""

from phosphene.attribution.changes import ChangedLabel, label_changes
from phosphene.attribution.hearing import HeardChannel, HeardTag, Hearing, hear
from phosphene.attribution.heat import evidence, heatmap
from phosphene.attribution.patching import Patch, PatchedLabel, patched_labels
from phosphene.attribution.sight import SeenChannel, SeenLabel, SeenLayer, Sight, labels_of, see

__all__ = [
    "ChangedLabel",
    "HeardChannel",
    "HeardTag",
    "Hearing",
    "Patch",
    "PatchedLabel",
    "SeenChannel",
    "SeenLabel",
    "SeenLayer",
    "Sight",
    "evidence",
    "hear",
    "heatmap",
    "label_changes",
    "labels_of",
    "patched_labels",
    "see",
]

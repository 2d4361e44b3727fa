"""Pictures in and out. `docs/formats.md` has the table of what is read and written."""

from phosphene.media.image.decode import MAX_PIXELS
from phosphene.media.image.encode import PROFILES, Storage
from phosphene.media.image.files import (
    as_photograph,
    check_writable,
    read_image,
    read_recipe_text,
    write_image,
    write_planes,
    writing_planes,
)
from phosphene.media.image.formats import check_large, holds_depth
from phosphene.media.image.photograph import Photograph, from_array, from_pil, from_tensor
from phosphene.media.image.pixels import to_array, to_pil

__all__ = [
    "MAX_PIXELS",
    "PROFILES",
    "Photograph",
    "Storage",
    "as_photograph",
    "check_large",
    "check_writable",
    "from_array",
    "from_pil",
    "from_tensor",
    "holds_depth",
    "read_image",
    "read_recipe_text",
    "to_array",
    "to_pil",
    "write_image",
    "write_planes",
    "writing_planes",
]

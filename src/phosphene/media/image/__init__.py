"""Pictures in and out. `docs/formats.md` has the table of what is read and written."""

from phosphene.media.image.files import (
    MAX_PIXELS,
    as_photograph,
    check_writable,
    read_image,
    read_recipe_text,
    write_image,
)
from phosphene.media.image.photograph import Photograph, from_array, from_pil, from_tensor
from phosphene.media.image.pixels import to_array, to_pil

__all__ = [
    "MAX_PIXELS",
    "Photograph",
    "as_photograph",
    "check_writable",
    "from_array",
    "from_pil",
    "from_tensor",
    "read_image",
    "read_recipe_text",
    "to_array",
    "to_pil",
    "write_image",
]

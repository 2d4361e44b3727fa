"""A picture that comes from outside, and the ways into one from memory: PIL, NumPy and torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import ImageError, SettingError
from phosphene.media.image.colour import to_srgb
from phosphene.media.image.pixels import out_of_range, planes
from phosphene.media.image.vips import vips
from phosphene.types import Image, Size

if TYPE_CHECKING:
    import PIL.Image

_ARRAYS = "an array of shape h w, h w 1, h w 3 (RGB) or h w 4 (RGBA), of uint8, uint16, or floats in 0..1"
_TENSORS = "a tensor of shape 3 h w or n 3 h w, of uint8 or of floats in 0..1"


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture and where it comes from.

    `image` is 1 3 h w, sRGB in [0, 1] (n 3 h w from a batch of tensors); `alpha` is 1 1 h w, 1 where it
    covers, or None; `depth` is the bits a sample of the source, 8 or 16 (floats count as 16). `sha256` is of
    the file's bytes, or of the float pixels of a picture that comes from memory, which has no `path`.
    """

    image: Image = field(repr=False)
    alpha: Tensor | None = field(repr=False)
    depth: int
    sha256: str
    name: str
    path: Path | None = None

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return self.image.shape[-2], self.image.shape[-1]


def from_array(array: np.ndarray, name: str = "array") -> Photograph:
    """Return the picture in an array: h w or h w 1 (grey), h w 3, h w 4 (RGBA); uint8, uint16 or floats in [0, 1].

    >>> from_array(np.zeros((4, 5, 3), np.uint8)).image.shape
    torch.Size([1, 3, 4, 5])

    The pixels are copied. Raises `SettingError` for any other shape, type or range.
    """
    samples = array[..., None] if array.ndim == 2 else array
    right_type = samples.dtype.type in (np.uint8, np.uint16) or samples.dtype.kind == "f"
    if samples.ndim != 3 or samples.shape[2] not in (1, 3, 4) or not samples.size or not right_type:
        shape = " ".join(map(str, array.shape))
        raise SettingError(
            f"expected {_ARRAYS}, not {array.dtype} of shape {shape}", setting="source", value=array.shape
        )
    wrong = out_of_range(samples)
    if wrong:
        raise SettingError(f"{name}: {wrong}", setting="source")
    bands = samples.shape[2]
    image = planes(samples, (0, 0, 0) if bands == 1 else (0, 1, 2))
    alpha = planes(samples, (3,)) if bands == 4 else None
    return Photograph(image, alpha, 8 if samples.dtype == np.uint8 else 16, _sha256(image, alpha), name)


def from_tensor(tensor: Tensor, name: str = "tensor") -> Photograph:
    """Return the picture, or batch of pictures, in a tensor: 3 h w or n 3 h w; uint8, or floats in [0, 1].

    >>> from_tensor(torch.zeros(3, 4, 5)).image.shape
    torch.Size([1, 3, 4, 5])

    The pixels are copied, stay on the tensor's device and lose its gradient. Raises `SettingError` for any
    other shape, type or range.
    """
    image = tensor.detach()
    image = image[None] if image.ndim == 3 else image
    right_type = image.dtype == torch.uint8 or image.is_floating_point()
    if image.ndim != 4 or image.shape[1] != 3 or not image.numel() or not right_type:
        shape = " ".join(map(str, tensor.shape))
        raise SettingError(f"expected {_TENSORS}, not {tensor.dtype} of shape {shape}", setting="source", value=shape)
    whole = image.dtype == torch.uint8
    if not whole:
        extremes = torch.stack(image.aminmax()).float().cpu().numpy()
        wrong = out_of_range(extremes)
        if wrong:
            raise SettingError(f"{name}: {wrong}", setting="source")
    image = image.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    image = image.div_(255) if whole else image.clamp_(0, 1)
    return Photograph(image, None, 8 if whole else 16, _sha256(image, None), name)


def from_pil(picture: PIL.Image.Image) -> Photograph:
    """Return the picture in a PIL image of any mode, as `read_image` would: upright, in sRGB, with its alpha.

    >>> import PIL.Image
    >>> from_pil(PIL.Image.new("CMYK", (5, 4))).image.mean()
    tensor(1.)

    Raises `ImageError` if PIL cannot decode it, and `SettingError` for floats outside [0, 1].
    """
    name = Path(getattr(picture, "filename", "") or "image").name
    try:
        orientation = picture.getexif().get(0x0112, 1)  # before a conversion may lose it
        picture = _plain_mode(picture)
        samples = np.asarray(picture)
    except (OSError, SyntaxError) as problem:
        raise ImageError(f"PIL cannot decode {name} ({problem}): a whole copy of it is needed") from None
    if samples.dtype == np.int32:  # how PIL used to open 16-bit files
        if samples.min() < 0 or samples.max() > 65_535:
            raise SettingError(
                f"{name}: 32-bit whole numbers must lie in 0..65535, but are {samples.min()} to {samples.max()}",
                setting="source",
            )
        samples = samples.astype(np.uint16)
    wrong = out_of_range(samples)
    if wrong:
        raise SettingError(f"{name}: {wrong}", setting="source")
    image, alpha, depth = to_srgb(_in_vips(samples, picture.mode, picture.info.get("icc_profile"), orientation), name)
    return Photograph(image, alpha, depth, _sha256(image, alpha), name)


def _plain_mode(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Convert `picture` to a mode whose samples are grey, RGB or CMYK, with or without alpha."""
    mode = picture.mode
    if mode in ("P", "PA") or (picture.has_transparency_data and mode in ("1", "L", "RGB")):
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if mode in ("RGBa", "La"):  # colours multiplied by alpha
        return picture.convert(mode.upper())
    if mode == "1":
        return picture.convert("L")
    return (
        picture if mode in ("L", "LA", "RGB", "RGBA", "CMYK", "I", "F") or mode[:2] == "I;" else picture.convert("RGB")
    )


def _in_vips(samples: np.ndarray, mode: str, profile: bytes | None, orientation: int) -> Any:
    pyvips = vips()
    samples = np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder("="))
    bands = samples.shape[2] if samples.ndim == 3 else 1
    kind = {np.uint8: "uchar", np.uint16: "ushort", np.float32: "float"}[samples.dtype.type]
    deep = samples.dtype != np.uint8
    interpretation = "cmyk" if mode == "CMYK" else ("grey16" if deep else "b-w") if bands < 3 else "srgb"
    made = pyvips.Image.new_from_memory(samples.data, samples.shape[1], samples.shape[0], bands, kind)
    made = made.copy(interpretation=interpretation)
    if profile:
        made.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    made.set_type(pyvips.GValue.gint_type, "orientation", int(orientation))
    return made


def _sha256(image: Image, alpha: Tensor | None) -> str:
    digest = hashlib.sha256(str(tuple(image.shape)).encode())
    for each in (image,) if alpha is None else (image, alpha):
        digest.update(each.cpu().contiguous().numpy().data)
    return digest.hexdigest()

"""Every format and mode, written by other programs than ours, is read as what it shows."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage import data

from phosphene.errors import ImageError
from phosphene.media import image as media

HEIGHT, WIDTH = 36, 52
LOSSLESS = {"PNG": ".png", "TIFF": ".tif", "GIF": ".gif", "WEBP": ".webp"}
LOSSY = {"JPEG": ".jpg", "WEBP": ".webp", "AVIF": ".avif"}
OPTIONS = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 95}}


def scene(mode: str) -> Image.Image:
    """A photograph, wider than high, in any of PIL's modes; the alpha falls from left to right."""
    rgb = Image.fromarray(data.coffee()).resize((WIDTH, HEIGHT))
    alpha = Image.fromarray(np.tile(np.linspace(255, 0, WIDTH).astype(np.uint8), (HEIGHT, 1)))
    if mode in ("LA", "RGBA"):
        flat = rgb.convert(mode[:-1]).convert(mode)
        flat.putalpha(alpha)
        return flat
    if mode == "P":
        return rgb.quantize(64)
    if mode == "I;16":
        grey = np.asarray(rgb.convert("L")).astype(np.uint16)
        return Image.fromarray(grey * 257 + np.arange(WIDTH, dtype=np.uint16))
    return rgb.convert(mode)


def shown(picture: Image.Image) -> np.ndarray:
    """The pixels of a picture of 8 bits: h w 4 in [0, 1]."""
    return np.asarray(picture.convert("RGBA")) / 255.0


def read(path: Path) -> tuple[np.ndarray, media.Photograph]:
    """The pixels that we read: h w 4 in [0, 1]."""
    photograph = media.read_image(path)
    found = media.to_array(photograph.image, photograph.alpha)
    assert found.shape[:2] == photograph.size
    if photograph.alpha is None:
        found = np.concatenate((found, np.ones((*photograph.size, 1), np.float32)), axis=2)
    return found, photograph


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_lossless_formats_are_read_exactly(tmp_path: Path, format: str, mode: str) -> None:
    path = tmp_path / f"picture{LOSSLESS[format]}"
    scene(mode).save(path, format=format, **OPTIONS.get(format, {}))
    found, photograph = read(path)
    with Image.open(path) as again:  # GIF has few colours and no half transparency: what its decoder shows counts
        expected = shown(again)
    np.testing.assert_allclose(found[..., 3], expected[..., 3], atol=1e-6)
    seen = expected[..., 3] > (0 if format == "GIF" else -1)
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-6)
    assert photograph.depth == 8
    assert (photograph.alpha is not None) == (expected[..., 3].min() < 1)
    assert photograph.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (photograph.name, photograph.path, photograph.size) == (path.name, path, (HEIGHT, WIDTH))


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "RGB"),
        ("WEBP", "RGB"),
        ("WEBP", "RGBA"),
        ("AVIF", "L"),
        ("AVIF", "RGB"),
        ("AVIF", "RGBA"),
    ],
)
def test_lossy_formats_are_read_as_their_own_decoders_do(tmp_path: Path, format: str, mode: str) -> None:
    path = tmp_path / f"picture{LOSSY[format]}"
    scene(mode).save(path, format=format, quality=90)
    found, photograph = read(path)
    with Image.open(path) as again:
        assert np.abs(found - shown(again)).mean() < 0.01
    assert np.abs(found - shown(scene(mode))).mean() < 0.04
    assert (photograph.alpha is not None) == (mode == "RGBA")


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_transparent_palette_colour_is_alpha(tmp_path: Path, suffix: str) -> None:
    picture = scene("P")
    clear = picture.getpixel((0, 0))
    picture.save(tmp_path / f"a{suffix}", transparency=clear)
    found, _ = read(tmp_path / f"a{suffix}")
    expected = np.asarray(picture) == clear
    np.testing.assert_array_equal(found[..., 3] == 0, expected)
    np.testing.assert_allclose(found[~expected], shown(picture.convert("RGB"))[~expected], atol=1e-6)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    # PIL's JPEGs of CMYK are inverted as Adobe's are; read the wrong way round, paper would be black.
    inks = {
        "paper": (0, 0, 0, 0),
        "black": (255, 255, 255, 255),
        "cyan": (255, 0, 0, 0),
        "red": (0, 255, 255, 0),
    }
    looks = {}
    for name, ink in inks.items():
        Image.new("CMYK", (16, 8), ink).save(
            tmp_path / f"{name}{suffix}", **({"quality": 100} if suffix == ".jpg" else {})
        )
        photograph = media.read_image(tmp_path / f"{name}{suffix}")
        assert photograph.size == (8, 16)
        assert photograph.alpha is None
        looks[name] = photograph.image.mean(dim=(0, 2, 3))
    assert looks["paper"].min() > 0.98
    assert looks["black"].max() < 0.02
    assert looks["cyan"][0] < 0.2 < 0.5 < looks["cyan"][2]
    assert looks["red"][2] < 0.3 < 0.7 < looks["red"][0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_keeps_every_level(tmp_path: Path, suffix: str) -> None:
    samples = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    Image.fromarray(samples).save(tmp_path / f"a{suffix}")
    photograph = media.read_image(tmp_path / f"a{suffix}")
    assert photograph.depth == 16
    for plane in photograph.image[0].numpy():
        np.testing.assert_array_equal(plane, samples / np.float32(65535))


@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sixteen_bit_rgb_keeps_every_level(tmp_path: Path, layout: str, byteorder: str) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
    planar = samples.transpose(2, 0, 1) if layout == "separate" else samples
    tifffile.imwrite(tmp_path / "a.tif", planar, photometric="rgb", planarconfig=layout, byteorder=byteorder)
    photograph = media.read_image(tmp_path / "a.tif")
    assert photograph.depth == 16
    np.testing.assert_array_equal(media.to_array(photograph.image), samples / np.float32(65535))


def test_float_tiffs_are_srgb_values_and_must_lie_in_0_to_1(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb")
    np.testing.assert_array_equal(media.to_array(media.read_image(tmp_path / "a.tif").image), samples)
    tifffile.imwrite(tmp_path / "b.tif", samples * 40, photometric="rgb")
    with pytest.raises(
        ImageError, match=r"b\.tif: its floats must lie in 0\.\.1, but are 0\.\d+ to [34]\d(\.\d+)?: scale"
    ):
        media.read_image(tmp_path / "b.tif")
    samples[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "c.tif", samples, photometric="rgb")
    with pytest.raises(ImageError, match="NaN among them"):
        media.read_image(tmp_path / "c.tif")


def test_unusual_tiffs_are_refused_in_words(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 7), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ImageError, match="has 7 channels: save it as grey, RGB or CMYK"):
        media.read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 4), np.int16))
    with pytest.raises(ImageError, match="samples of an unusual kind"):
        media.read_image(tmp_path / "b.tif")


def test_colours_multiplied_by_alpha_are_divided_again(tmp_path: Path) -> None:
    samples = np.full((4, 4, 4), (50, 20, 10, 100), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["assocalpha"])
    found, _ = read(tmp_path / "a.tif")
    np.testing.assert_allclose(found[0, 0], [0.5, 0.2, 0.1, 100 / 255], atol=0.005)


def test_of_several_pictures_the_first_counts(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (9, 5), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.tif", "a.gif", "a.webp", "a.png", "a.avif"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        red = media.read_image(tmp_path / name)
        assert red.size == (5, 9)
        assert red.image[0, 0].min() > 0.9
        assert red.image[0, 1:].max() < 0.1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".avif"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 200), (17, 5)])
def test_odd_sizes(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    height, width = size
    Image.new("RGB", (width, height), (200, 120, 40)).save(tmp_path / f"a{suffix}", quality=95)
    photograph = media.read_image(tmp_path / f"a{suffix}")
    assert photograph.image.shape == (1, 3, height, width)
    np.testing.assert_allclose(photograph.image.mean(dim=(0, 2, 3)) * 255, (200, 120, 40), atol=4)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone(tmp_path: Path, format: str, orientation: int) -> None:
    upright = scene("RGB")
    undoing = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # a camera that lies on its side: its undoing turns clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undoing[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a", format=format, exif=exif, **OPTIONS.get(format, {}))
    found, photograph = read(tmp_path / "a")
    assert photograph.size == (HEIGHT, WIDTH)
    assert np.abs(found - shown(upright)).mean() < 0.03


def test_a_name_says_nothing(tmp_path: Path) -> None:
    scene("RGB").save(tmp_path / "a.jpg", format="PNG")
    scene("RGB").save(tmp_path / "b[page=9].png", format="TIFF")
    scene("RGB").save(tmp_path / "noname", format="GIF")
    for name in ("a.jpg", "b[page=9].png", "noname"):
        assert media.read_image(tmp_path / name).size == (HEIGHT, WIDTH)
    assert media.read_image(str(tmp_path / "a.jpg")).name == "a.jpg"


def swapped_profile() -> bytes:
    """sRGB with the curves' and colours' roles of red and green exchanged, built from PIL's sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profiles_are_applied(tmp_path: Path, format: str, mode: str) -> None:
    if (format, mode) == ("JPEG", "RGBA"):
        pytest.skip("a JPEG has no alpha")
    picture = scene(mode)
    picture.save(tmp_path / "a", format=format, icc_profile=swapped_profile(), **OPTIONS.get(format, {}))
    found, photograph = read(tmp_path / "a")
    expected = shown(picture)[..., [1, 0, 2, 3]]
    assert np.abs(found - expected).mean() < 0.02
    assert photograph.depth == 8


def test_profiles_are_applied_at_full_depth(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", iccprofile=swapped_profile())
    tifffile.imwrite(
        tmp_path / "b.tif",
        (samples / 65535).astype(np.float32),
        photometric="rgb",
        iccprofile=swapped_profile(),
    )
    expected = samples[..., [1, 0, 2]] / 65535
    for name in ("a.tif", "b.tif"):
        photograph = media.read_image(tmp_path / name)
        assert photograph.depth == 16
        assert np.abs(media.to_array(photograph.image) - expected).max() < 0.003


def test_the_usual_profile_changes_next_to_nothing(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("RGB", "RGBA", "L"):  # grey with a profile for RGB is wrong, and common
        scene(mode).save(tmp_path / "a.png", icc_profile=srgb)
        found, _ = read(tmp_path / "a.png")
        assert np.abs(found - shown(scene(mode))).max() < 0.5 / 255


@pytest.mark.parametrize("junk", [b"junk", swapped_profile()[:200], bytes(3000)])
def test_a_damaged_profile_is_passed_over(tmp_path: Path, junk: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    scene("RGB").save(tmp_path / "a.jpg", quality=95, icc_profile=junk)
    found, _ = read(tmp_path / "a.jpg")
    assert np.abs(found - shown(scene("RGB"))).mean() < 0.02
    assert capfd.readouterr() == ("", "")


def bytes_of(format: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    scene(mode).save(buffer, format=format)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def enormous_png() -> bytes:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


WRONG = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "text": (
        "Dear diary, today I dreamt of électric sheep.\n".encode() * 9,
        "is a text file, not a picture; phosphene reads JPEG",
    ),
    "short text": (b"hi\n", "is a text file"),
    "noise": (bytes(range(128, 256)) * 4, "is not a picture of a known format; phosphene reads JPEG, PNG"),
    "bmp": (bytes_of("BMP"), "is a BMP picture; .*export"),
    "pdf": (b"%PDF-1.7\n" + bytes(100), "is a PDF document"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60), "is a HEIC picture"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\0mp41isom" + bytes(60), "is a video"),
    "10^10 pixels": (enormous_png(), r"claims 100000x100000 pixels; at most 268435456 \(268 megapixels\)"),
    "JPEG's end": (bytes_of("JPEG")[:-400], "cut short"),
    "PNG's end": (bytes_of("PNG")[:-400], "cut short"),
    "WebP's end": (bytes_of("WEBP")[:-40], "cut short"),
    "TIFF's end": (bytes_of("TIFF")[:-400], "cut short"),
    "GIF's end": (bytes_of("GIF")[:-400], "cut short"),
    "AVIF's end": (bytes_of("AVIF")[:-40], "cut short"),
    "magic alone": (b"\x89PNG\r\n\x1a\n", "cut short"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_whole_picture_is_an_error(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    contents, said = WRONG[name]
    path = tmp_path / "photo.jpg"
    path.write_bytes(contents)
    with pytest.raises(ImageError, match=said) as caught:
        media.read_image(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.path == path
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_a_file_cut_anywhere_is_an_error(tmp_path: Path, format: str) -> None:
    whole = bytes_of(format)
    trailer = {"PNG": 12, "GIF": 1}.get(format, 0)  # after all pixels: nothing is missing without it
    for at in np.linspace(1, len(whole) - trailer - 1, 40).astype(int):
        (tmp_path / "a").write_bytes(whole[:at])
        with pytest.raises(ImageError):
            media.read_image(tmp_path / "a")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, format: str, capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    whole = np.frombuffer(bytes_of(format), np.uint8)
    for _ in range(60):
        damaged = whole.copy()
        where = random.integers(0, min(len(whole), random.choice([40, 400, len(whole)])), random.integers(1, 6))
        damaged[where] = random.integers(0, 256, len(where))
        (tmp_path / "a").write_bytes(damaged.tobytes())
        with suppress(ImageError):
            found = media.read_image(tmp_path / "a")
            assert 0 <= found.image.min() <= found.image.max() <= 1
    assert capfd.readouterr() == ("", "")


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"there is no file .*nowhere\.jpg"):
        media.read_image(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        media.read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot read"):
        media.read_image(tmp_path / "photo.jpg" / "\0")
    with pytest.raises(ImageError, match="cannot read"):
        media.read_image(tmp_path / ("x" * 300))
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ImageError, match="cannot read"):
        media.read_image(tmp_path / "file" / "photo.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a device or pipe"):
        media.read_image(tmp_path / "pipe.jpg")


def test_an_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(bytes_of("JPEG"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root, whom tests may run as, may read everything
    with pytest.raises(ImageError, match=r"no permission to read .*photo\.jpg"):
        media.read_image(path)


def test_camera_raw_is_no_tiff(tmp_path: Path) -> None:
    (tmp_path / "a.DNG").write_bytes(bytes_of("TIFF"))
    with pytest.raises(ImageError, match="camera raw file"):
        media.read_image(tmp_path / "a.DNG")


@pytest.mark.parametrize("progressive", [False, True])
def test_lost_data_in_a_jpeg_is_an_error_and_a_trifle_is_not(tmp_path: Path, progressive: bool) -> None:
    buffer = io.BytesIO()
    Image.fromarray(data.coffee()).save(buffer, "JPEG", progressive=progressive)
    whole = buffer.getvalue()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")  # cut, and ended as if it were whole
    with pytest.raises(ImageError, match="premature end of data segment"):
        media.read_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(whole.replace(b"\xff\xdb", b"\0\0\xff\xdb", 1) + b"a film of three seconds")
    (tmp_path / "c.jpg").write_bytes(whole)
    assert media.read_image(tmp_path / "b.jpg").image.equal(media.read_image(tmp_path / "c.jpg").image)


def test_a_profile_of_other_colours_is_passed_over(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (4, 3), (0, 200, 255, 0)).save(tmp_path / "a.tif", icc_profile=srgb)
    Image.new("CMYK", (4, 3), (0, 200, 255, 0)).save(tmp_path / "b.tif")
    assert media.read_image(tmp_path / "a.tif").image.equal(media.read_image(tmp_path / "b.tif").image)


def test_sixteen_bit_cmyk(tmp_path: Path) -> None:
    samples = np.full((4, 5, 4), (0, 200, 255, 0), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="separated")
    tifffile.imwrite(tmp_path / "b.tif", samples.astype(np.uint16) * 257, photometric="separated")
    eight, sixteen = media.read_image(tmp_path / "a.tif"), media.read_image(tmp_path / "b.tif")
    assert (eight.depth, sixteen.depth) == (8, 16)
    assert (eight.image - sixteen.image).abs().max() < 0.005

"""A recipe survives inside every format, to the byte, and hostile metadata does no harm."""

from __future__ import annotations

import base64
import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from phosphene.errors import ImageError, SettingError
from phosphene.media import image as media
from phosphene.media.image import metadata

SUFFIXES = [".png", ".jpg", ".webp", ".tif", ".avif"]
TEXTS = {
    "plain": '{"net": "pocket", "target": "mixed4c:13@0.5,0.5 + 0.5*banana"}',
    "markup": '{"a": "<&>]]>\'\\"<!-- --><?x?>{0}{value}"}',
    "unicode": '{"name": "Träume/夢/🌀 \\u0000", "rtl": "\u202e"}',
    "whitespace": ' \r\n\t{"a":\r 1}\n ',
    "not for XML": '{"a": "\ufffe\x01\x00\x7f\ud800"}',
    "empty": "",
    "long": json.dumps({str(i): [i * 0.1] for i in range(4000)}, indent=1),
}
GREY = torch.full((1, 3, 3, 5), 0.5)

json_texts = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", TEXTS)
def test_recipes_survive_every_format(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / f"a{suffix}"
    media.write_image(path, GREY, recipe=TEXTS[name])
    assert media.read_recipe_text(path) == TEXTS[name]
    assert media.read_image(path).size == (3, 5)


@given(st.text(st.characters()) | st.builds(lambda value: json.dumps(value, ensure_ascii=False), json_texts))
@example("\r")
@example("]]>")
def test_every_text_survives_a_packet(text: str) -> None:
    packet = metadata.packet(text)
    assert len(packet) <= metadata.MAX_PACKET
    assert metadata.recipe_in(packet) == text


@settings(max_examples=20, deadline=None)
@given(text=st.text(), suffix=st.sampled_from(SUFFIXES))
def test_every_text_survives_a_file(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"text{suffix}"
    media.write_image(path, GREY, recipe=text)
    assert media.read_recipe_text(path) == text


def test_fifty_kilobytes_fit_and_what_does_not_is_refused_early(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    long = json.dumps({f"setting {i}": float(random.random()) for i in range(1100)})
    assert 35_000 < len(long) < 50_000
    longer = json.dumps({f"setting {i}": float(random.random()) for i in range(2500)})
    assert len(longer) > metadata.MAX_PACKET
    for text in (long, longer):
        media.write_image(tmp_path / "a.jpg", GREY, recipe=text)
        assert media.read_recipe_text(tmp_path / "a.jpg") == text
    hopeless = random.bytes(60_000).hex()
    for call in (
        lambda: media.check_writable(tmp_path / "b.png", recipe=hopeless),
        lambda: media.write_image(tmp_path / "b.png", GREY, recipe=hopeless),
    ):
        with pytest.raises(SettingError, match="a recipe must fit into 60000 bytes"):
            call()
    assert not (tmp_path / "b.png").exists()


def test_other_programs_see_the_recipe(tmp_path: Path) -> None:
    recipe = '{"target": "banana"}'
    for suffix in SUFFIXES:
        media.write_image(tmp_path / f"a{suffix}", GREY, recipe=recipe)
        with Image.open(tmp_path / f"a{suffix}") as others:
            xmp = others.info.get("XML:com.adobe.xmp") or others.info["xmp"].decode()
        assert f"<phosphene:recipe>{recipe}</phosphene:recipe>" in xmp


def test_recipes_written_by_other_programs_are_found(tmp_path: Path) -> None:
    text = '{"a": 1}'
    short = f"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
        <rdf:Description xmlns:p='{metadata.NAMESPACE}' p:recipe='{text}'/></rdf:RDF></x:xmpmeta>"""
    assert metadata.recipe_in(short.encode()) == text
    cdata = f"<r xmlns:q='{metadata.NAMESPACE}'><q:recipe><![CDATA[{text}]]></q:recipe></r>"
    assert metadata.recipe_in(cdata.encode("utf-8-sig") + b"\0") == text
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", xmp=short.encode())
    assert media.read_recipe_text(tmp_path / "a.jpg") == text
    Image.new("RGB", (4, 3)).save(tmp_path / "a.webp", xmp=short.encode())
    assert media.read_recipe_text(tmp_path / "a.webp") == text


def test_pictures_without_a_recipe(tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, ".gif"):
        Image.new("RGB", (4, 3)).save(tmp_path / f"a{suffix}")
        assert media.read_recipe_text(tmp_path / f"a{suffix}") is None
    media.write_image(tmp_path / "b.png", GREY)
    assert media.read_recipe_text(tmp_path / "b.png") is None


def test_json_files_are_the_recipe_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.JSON"
    path.write_bytes(TEXTS["whitespace"].encode())
    assert media.read_recipe_text(path) == TEXTS["whitespace"]
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ImageError, match=r"is not UTF-8 text .* at byte 7"):
        media.read_recipe_text(path)
    path.write_bytes(b" " * (metadata.MAX_TEXT + 1))
    with pytest.raises(ImageError, match="too long for a recipe"):
        media.read_recipe_text(path)


def test_what_is_neither_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"net": "pocket"}')
    for path in (tmp_path / "a.txt", tmp_path, tmp_path / "nowhere.png", tmp_path / "nowhere.json"):
        with pytest.raises(ImageError):
            media.read_recipe_text(path)


def coded(data: bytes) -> bytes:
    value = base64.b64encode(data).decode()
    return f"<r xmlns:p='{metadata.NAMESPACE}'><p:recipeZlib>{value}</p:recipeZlib></r>".encode()


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))
HOSTILE = {
    "nothing": b"",
    "no XML": b"\x00\xff" * 99,
    "cut": metadata.packet("{}")[:-60],
    "entities": (f"<!DOCTYPE r [{LAUGHS}]><r xmlns:p='{metadata.NAMESPACE}'><p:recipe>&l9;</p:recipe></r>").encode(),
    "nested": b"<a>" * 20_000 + b"</a>" * 20_000,
    "not base64": f"<r xmlns:p='{metadata.NAMESPACE}'><p:recipeZlib>\u00e4!</p:recipeZlib></r>".encode(),
    "not zlib": coded(b"abc"),
    "zlib bomb": coded(zlib.compress(bytes(10**8), 1)),
    "cut zlib": coded(zlib.compress(b"abcdefgh" * 9)[:-3]),
    "not UTF-8": coded(zlib.compress(b"\xff\xfe")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_hold_no_recipe(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert metadata.recipe_in(HOSTILE[name]) is None
    if len(HOSTILE[name]) < 60_000:
        Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", xmp=HOSTILE[name])
        assert media.read_recipe_text(tmp_path / "a.jpg") is None
        assert media.read_image(tmp_path / "a.jpg").size == (3, 4)
    assert capfd.readouterr() == ("", "")


@given(data=st.data())
@settings(max_examples=200)
def test_fuzzed_packets_never_crash(data: st.DataObject) -> None:
    packet = bytearray(metadata.packet(data.draw(st.sampled_from(['{"a": 1}', "\x00"]))))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(packet) - 1), st.integers(0, 255)), max_size=8)):
        packet[at] = value
    found = metadata.recipe_in(bytes(packet))
    assert found is None or isinstance(found, str)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fuzzed_files_are_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    media.write_image(path, GREY, recipe='{"a": 1}')
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(2)
    for _ in range(60):
        damaged = whole.copy()
        where = random.integers(0, len(whole), 4)
        damaged[where] = random.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        with suppress(ImageError):
            found = media.read_recipe_text(path)
            assert found is None or isinstance(found, str)

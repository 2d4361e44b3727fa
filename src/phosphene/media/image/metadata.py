"""A recipe inside a picture: one property of an XMP packet, which PNG, JPEG, WebP, TIFF and AVIF all carry.

XMP (ISO 16684-1) is XML. The property `phosphene:recipe` holds the recipe's text as it is, so that any viewer
of XMP (exiftool, ImageMagick, Photoshop) shows it. A text that XML cannot say, or that would be too long, is
compressed and stands as base64 in `phosphene:recipeZlib` instead. What is read back is the text that was
written, to the byte.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from xml.parsers import expat
from xml.sax.saxutils import escape

from phosphene.errors import SettingError

NAMESPACE = "urn:phosphene:ns:1.0/"
MAX_PACKET = 60_000
"""The longest XMP packet in bytes: what libvips puts into a JPEG's one segment of 64 kB."""
MAX_TEXT = 2**20
"""The longest recipe in bytes that is read; a compressed one may claim any length."""

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:phosphene="{namespace}">\n'
    "<xmp:CreatorTool>phosphene</xmp:CreatorTool>\n"
    "<phosphene:{name}>{value}</phosphene:{name}>\n"
    "</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n"
    '<?xpacket end="w"?>'
)
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
_PLAIN = f"{NAMESPACE} recipe"
_CODED = f"{NAMESPACE} recipeZlib"


def packet(recipe: str) -> bytes:
    """Return the XMP packet that carries `recipe`.

    Raises `SettingError` if it does not fit into `MAX_PACKET` bytes even when compressed.
    """
    if not _UNSAYABLE.search(recipe):
        # A bare carriage return would come back as a line feed.
        plain = _fill("recipe", escape(recipe, {"\r": "&#13;"}))
        if len(plain) <= MAX_PACKET:
            return plain
    text = recipe.encode("utf-8", "surrogatepass")
    coded = _fill("recipeZlib", base64.b64encode(zlib.compress(text, 9)).decode("ascii"))
    if len(coded) > MAX_PACKET or len(text) > MAX_TEXT:
        raise SettingError(
            f"a recipe must fit into {MAX_PACKET} bytes when compressed, but this one of {len(text)} bytes "
            f"takes {len(coded)}: save it as a .json file instead",
            setting="recipe",
            value=len(text),
        )
    return coded


def recipe_in(packet: bytes) -> str | None:
    """Return the recipe in an XMP packet, in any of the forms that writers use; None if none is intact."""
    found: dict[str, list[str]] = {}
    open_names: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        open_names.append(name)
        for key, value in attributes.items():  # the short form: a property as an attribute
            if key in (_PLAIN, _CODED):
                found.setdefault(key, [value])
        if name in (_PLAIN, _CODED):
            found.setdefault(name, [])

    def text(data: str) -> None:
        if open_names and open_names[-1] in found:
            found[open_names[-1]].append(data)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: open_names.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(packet.strip(b"\0 \t\r\n"), True)
        if _CODED in found:
            inflate = zlib.decompressobj()
            data = inflate.decompress(base64.b64decode("".join(found[_CODED]), validate=False), MAX_TEXT)
            return data.decode("utf-8", "surrogatepass") if inflate.eof else None
    except (expat.ExpatError, binascii.Error, zlib.error, ValueError):
        return None
    return "".join(found[_PLAIN]) if _PLAIN in found else None


def _fill(name: str, value: str) -> bytes:
    return _PACKET.format(namespace=NAMESPACE, name=name, value=value).encode("utf-8")


def _refuse(*_: object) -> None:
    raise ValueError("XMP has no document type; entities could expand without end")

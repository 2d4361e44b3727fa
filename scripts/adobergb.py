"""Writes src/phosphene/media/image/adobergb.icc: a profile of the colour space of Adobe RGB (1998), version 2.1.

Made from the published primaries, white and gamma (Adobe RGB (1998) Color Image Encoding, 2005-05), so that none of
Adobe's own files is included.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

PLACE = Path(__file__).parent.parent / "src" / "phosphene" / "media" / "image" / "adobergb.icc"
PRIMARIES = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
WHITE = (0.3127, 0.3290)  # D65
D50 = (0.9642, 1.0, 0.8249)  # the white of profiles
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
GAMMA = 0x0233  # 2.19921875 as u8Fixed8


def xyz(x: float, y: float) -> np.ndarray:
    """The XYZ of a chromaticity, of Y = 1."""
    return np.array([x / y, 1.0, (1 - x - y) / y])


def colorants() -> np.ndarray:
    """The XYZ of red, green and blue, adapted to D50, as columns."""
    white = xyz(*WHITE)
    primaries = np.stack([xyz(*each) for each in PRIMARIES], axis=1)
    native = primaries * np.linalg.solve(primaries, white)
    gains = (BRADFORD @ np.array(D50)) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ native


def fixed(values: object) -> bytes:
    """Numbers as s15Fixed16."""
    return b"".join(struct.pack(">i", round(float(each) * 65_536)) for each in values)  # type: ignore[attr-defined]


def text(words: str) -> bytes:
    """A textDescriptionType."""
    raw = words.encode("ascii") + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(raw)) + raw + bytes(4 + 4 + 2 + 1 + 67)


def profile() -> bytes:
    """The profile's bytes."""
    columns = colorants()
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, GAMMA)
    tags = {
        b"desc": text("Adobe RGB (1998) compatible"),
        b"cprt": b"text" + bytes(4) + b"No copyright, use freely\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(xyz(*WHITE)),
        **{name: b"XYZ " + bytes(4) + fixed(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    head = 128 + 4 + 12 * len(tags)
    table, data, places = b"", b"", {}
    for name, content in tags.items():
        if content not in places:
            places[content] = head + len(data)
            data += content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", places[content], len(content))
    size = head + len(data)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(4 + 4 + 4 + 4 + 8 + 4) + fixed(D50)
    header += bytes(128 - len(header))
    return header + struct.pack(">I", len(tags)) + table + data


if __name__ == "__main__":
    PLACE.write_bytes(profile())

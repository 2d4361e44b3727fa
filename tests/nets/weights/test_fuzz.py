"""Thousands of damaged model files of every format: each is read or refused in one line, quickly and in little
memory.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from phosphene.errors import PhospheneError, WeightsError
from phosphene.nets.foreign import exported
from phosphene.nets.weights import wire
from phosphene.nets.weights.read import read
from tests.nets.modelfiles import caffemodel, constant, node, number, piece, varint

ROUNDS = int(os.environ.get("PHOSPHENE_FUZZ", "600"))
MOST_MEMORY = 300 << 20
MOST_SECONDS = 2.0

STATE = {"a.weight": torch.rand(3, 4), "b": torch.rand(5), "n": torch.tensor(2)}
ARRAYS = {"a/b.weight": np.ones((2, 3, 2, 2), np.float32), "a/b.bias": np.ones(2, np.float32)}
HUGE = [varint(2**63), varint(2**31), b"\xff" * 10, b"\xff\xff\xff\xff\x7f", (2**40).to_bytes(8, "little"), b"\0" * 8]


def caffe_old(path: Path) -> None:
    caffemodel(path, ARRAYS)


def caffe_new(path: Path) -> None:
    caffemodel(path, ARRAYS, old=False)


def frozen_graph(path: Path) -> None:
    norm = node("norm", "LRN", ["w"], piece(5, piece(1, "depth_radius") + piece(2, number(3, 4))))
    path.write_bytes(constant("w", np.ones((2, 3), np.float32)) + norm)


def state_dict(path: Path) -> None:
    torch.save(STATE, path)


def old_state_dict(path: Path) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


def safe_tensors(path: Path) -> None:
    safetensors.torch.save_file(STATE, path)


def program(path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU()).eval()
    torch.export.save(torch.export.export(module, (torch.rand(1, 3, 16, 24),)), path)


FORMATS = [caffe_old, caffe_new, frozen_graph, state_dict, old_state_dict, safe_tensors]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to four small damages."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out)) if out else 0
        match rng.randrange(7):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                out[at : at + 1] = bytes([out[at] ^ 1 << rng.randrange(8)]) if out else b""
            case 2:
                del out[at:]
            case 3:
                del out[at : at + rng.randint(1, 30)]
            case 4:
                out[at:at] = out[at : at + rng.randint(1, 60)]
            case 5:
                out[at : at + rng.randint(0, 8)] = rng.choice(HUGE)
            case 6:
                other = rng.randrange(len(out) + 1)
                out[at : at + 20] = out[other : other + 20]
    return bytes(out)


def survive(path: Path, files: list[bytes], load: Callable[[Path], object], *, rounds: int) -> None:
    """Nothing but `PhospheneError` of one line comes out, in little time and memory."""
    rng = random.Random(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for turn in range(rounds):
        data = mutated(files[turn % len(files)], rng)
        path.write_bytes(data)
        began = time.process_time()
        try:
            load(path)
        except PhospheneError as problem:
            said = str(problem)
            refused += 1
        else:
            said = ""
        assert "\n" not in said, data
        assert len(said) < 2000
        assert time.process_time() - began < MOST_SECONDS, data
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MOST_MEMORY
    assert refused > rounds / 4


@pytest.mark.parametrize("write", FORMATS)
def test_damaged_files(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "good")
    survive(tmp_path / "bad", [(tmp_path / "good").read_bytes()], read, rounds=ROUNDS)


def test_damaged_insides_of_a_state_dict(tmp_path: Path) -> None:
    """The pickle alone is damaged, in an archive that is whole, so that the damage gets past the checksums."""
    state_dict(tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    name = next(each for each in entries if each.endswith("data.pkl"))

    def repacked(path: Path) -> object:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for each, data in entries.items():
                archive.writestr(each, path.read_bytes() if each == name else data)
        path.write_bytes(out.getvalue())
        return read(path)

    survive(tmp_path / "bad", [entries[name]], repacked, rounds=ROUNDS // 2)


def test_damaged_insides_of_a_program(tmp_path: Path) -> None:
    """The graph's text is damaged, by letters and by meaning, in an archive that is whole."""
    program(tmp_path / "good.pt2")
    with zipfile.ZipFile(tmp_path / "good.pt2") as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    texts = [each for each in entries if each.endswith(".json")]
    rng = random.Random(1)

    def repacked(path: Path) -> object:
        hurt = rng.choice(texts)
        new = path.read_bytes() if rng.random() < 0.3 and hurt.endswith("model.json") else None
        if new is None:
            tree = json.loads(entries[hurt])
            for _ in range(rng.randint(1, 3)):
                disturb(tree, rng)
            new = json.dumps(tree).encode()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for each, data in entries.items():
                archive.writestr(each, new if each == hurt else data)
        path.write_bytes(out.getvalue())
        return exported.load(path)

    text = next(entries[each] for each in texts if each.endswith("model.json"))
    survive(tmp_path / "bad.pt2", [text], repacked, rounds=ROUNDS // 5)


def disturb(tree: Any, rng: random.Random) -> None:
    """Change one value somewhere in a tree of JSON."""
    while isinstance(tree, dict | list) and tree:
        key = rng.choice(list(tree)) if isinstance(tree, dict) else rng.randrange(len(tree))
        if not isinstance(tree[key], dict | list) or not tree[key] or rng.random() < 0.1:
            odd: list[Any] = [None, -1, 0, 2**40, 10**30, 1e300, "", "x", [], {}, True, tree[key]]
            tree[key] = rng.choice(odd)
            return
        tree = tree[key]


# By design rather than by chance.


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('this was run')",))


class Grows:
    def __reduce__(self) -> tuple[Any, ...]:
        return (bytearray, (10**11,))


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("bad", [Runs(), Grows()])
def test_state_dicts_run_nothing(tmp_path: Path, bad: object, legacy: bool) -> None:
    path = tmp_path / "x.pth"
    torch.save({"a": bad}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="which no state dict needs: it is not opened"):
        read(path)


@pytest.mark.parametrize("write", [state_dict, old_state_dict])
def test_state_dicts_claim_no_more_than_they_have(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "x.pth"
    write(path)
    assert b"K\x0c" in path.read_bytes(), "twelve numbers"
    path.write_bytes(path.read_bytes().replace(b"K\x0c", b"J\xff\xff\xff\x7f"))
    with pytest.raises(WeightsError):
        read(path)


def test_packed_archives_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("archive/data/0", bytes(10**8))
    with pytest.raises(WeightsError, match="packed entry"):
        read(path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x12\x00" * 3_000_000,
        piece(1, "Net") + piece(100, b"\x0a\x00" * 3_000_000),
        piece(1, piece(1, "w") + b"\x1a\x00" * 3_000_000),
        piece(
            1,
            piece(1, "w")
            + piece(2, "Const")
            + piece(5, piece(1, "value") + piece(2, piece(8, piece(2, b"\x12\x00" * 900_000)))),
        ),
        piece(1, "Net") + piece(100, piece(1, "a" * 3_000_000)),
        piece(1, "Net") + piece(100, piece(1, "a") + piece(7, piece(7, piece(1, varint(2**40) * 4)))),
        b"PK\x03\x04" * 500_000,
        b"\x80\x02" + b"(" * 3_000_000,
        (10_000_000).to_bytes(8, "little") + b'{"a":' * 2_000_000,
    ],
    ids=["layers", "names", "inputs", "dimensions", "name", "shape", "zip", "marks", "nesting"],
)
def test_bombs(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of nothing but tiny parts, or with a part that is parsed into much more than it is."""
    monkeypatch.setattr(wire, "MOST_FIELDS", wire.MOST_FIELDS // 5)  # types are checked here, which takes its time
    path = tmp_path / "x"
    path.write_bytes(data)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(WeightsError):
        read(path)
    assert time.process_time() - began < 8
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2 * MOST_MEMORY

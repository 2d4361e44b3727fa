"""Datasets on the disk: a folder with a folder for each class, or a table of paths and labels."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phosphene.errors import ImageError, SettingError
from phosphene.media.dataset.collection import Collection, Skipped
from phosphene.media.dataset.decode import read_square, size_of

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".gif"})

ARRAYS = frozenset({".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".mat", ".h5"})
"""Files that hold arrays, often as pickles, which are programs: they are never opened."""

TRAINING = frozenset({"train", "training"})
TESTING = frozenset({"test", "testing", "val", "valid", "validation"})

PATHS = ("path", "file", "filename", "image", "picture")
LABELS = ("label", "class", "category", "target")
MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class FileCollection(Collection):
    """Picture files beneath a folder; `files` are their paths relative to it."""

    root: Path = field(kw_only=True)
    files: tuple[str, ...] = field(kw_only=True, repr=False)

    def name(self, index: int) -> str:
        return self.files[index]

    def size(self, index: int) -> tuple[int, int]:
        return size_of(self.root / self.files[index])

    def read(self, index: int, side: int) -> tuple[np.ndarray, bytes]:
        return read_square(self.root / self.files[index], side)


def open_dataset(path: Path) -> Collection:
    """Return the dataset at `path`: a folder of class folders, or a CSV file. No picture is opened.

    A folder with folders `train` and `test` (or `val`) keeps that split. Links that lead out of the folder are
    skipped and named. Raises `SettingError` or `ImageError` for other folders.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file() and path.suffix.lower() in (".csv", ".tsv"):
            return _table(path)
    except PermissionError as problem:
        raise ImageError(f"no permission to read {problem.filename}", path=path) from None
    if path.suffix.lower() in ARRAYS:
        raise SettingError(
            f"{path} may be a pickle, which is a program, and is not opened: give a folder of class folders, or a CSV",
            setting="source",
        )
    if not path.exists():
        raise ImageError(f"there is no folder {path}", path=path)
    raise SettingError(f"{path} must be a folder of class folders or a CSV file, but is neither", setting="source")


def _folder(root: Path) -> FileCollection:
    skipped: list[Skipped] = []
    top = _entries(root, root, skipped)
    folders = [each.name for each in top if each.is_dir(follow_symlinks=False)]
    parts: list[tuple[str, bool]] = [("", False)]
    names = {each.casefold() for each in folders}
    if folders and names & TRAINING and names <= TRAINING | TESTING:
        parts = [(each, each.casefold() in TESTING) for each in folders]
    found: list[tuple[str, str, bool]] = []
    for part, held in parts:
        for path in _pictures(root, root / part, skipped):
            inside = Path(path).relative_to(part).parts if part else Path(path).parts
            found.append((path, inside[0] if len(inside) > 1 else "", held))
    loose = [path for path, label, _ in found if not label]
    if loose and len(loose) < len(found):
        skipped += [Skipped(path, "is in no class folder") for path in loose]
        found = [each for each in found if each[1]]
    if not found:
        named = f" ({skipped[0].name} {skipped[0].reason})" if skipped else ""
        raise SettingError(f"{root} must have pictures in class folders, but has none{named}", setting="source")
    return _collected(root, found, skipped, str(root), split=len(parts) > 1)


def _collected(
    root: Path, found: Sequence[tuple[str, str, bool]], skipped: Sequence[Skipped], source: str, *, split: bool
) -> FileCollection:
    classes = tuple(sorted({label for _, label, _ in found}, key=_natural))
    index = {label: number for number, label in enumerate(classes)}
    return FileCollection(
        tuple(each or "pictures" for each in classes),
        np.array([index[label] for _, label, _ in found], dtype=np.int64),
        held=np.array([held for _, _, held in found]) if split else None,
        skipped=tuple(skipped),
        source=source,
        root=root,
        files=tuple(path for path, _, _ in found),
    )


def _natural(label: str) -> tuple[int, int, str]:
    """Sort numbers by their value: 2 before 10."""
    return (0, int(label), label) if label.isascii() and label.isdigit() and len(label) < 18 else (1, 0, label)


def _entries(root: Path, folder: Path, skipped: list[Skipped]) -> list[os.DirEntry[str]]:
    """List a folder in order, without what is hidden and links that lead out of `root`, which are noted."""
    kept = []
    with os.scandir(folder) as found:
        for each in sorted(found, key=lambda each: each.name):
            if each.name.startswith("."):
                continue
            if each.is_symlink() and (reason := _leads_out(root, Path(each.path))):
                skipped.append(Skipped(os.path.relpath(each.path, root), reason))
            else:
                kept.append(each)
    return kept


def _leads_out(root: Path, link: Path) -> str:
    """Return why a link is not followed, empty for one to a file inside `root`."""
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(os.path.realpath(root)):
        return "is a link that leads out of the folder"
    return "" if target.is_file() else "is a link to a folder, or to nothing"


def _pictures(root: Path, folder: Path, skipped: list[Skipped]) -> Iterator[str]:
    """Yield the paths, relative to `root`, of the pictures in a folder and its folders."""
    folders = []
    for each in _entries(root, folder, skipped):
        if each.is_dir(follow_symlinks=False):
            folders.append(each.path)
            continue
        suffix, name = Path(each.name).suffix.lower(), os.path.relpath(each.path, root)
        if suffix in ARRAYS:
            skipped.append(Skipped(name, "may be a pickle, which is a program: not opened"))
        elif suffix in PICTURES:
            if stat.S_ISREG(each.stat().st_mode):
                yield name
            else:
                skipped.append(Skipped(name, "is a device or pipe"))
    for inner in folders:
        yield from _pictures(root, Path(inner), skipped)


def _table(path: Path) -> FileCollection:
    """Read a table with a header that has a column of paths, relative to its folder, and one of labels."""
    root, found, skipped = path.parent, [], []
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            header = [each.strip().casefold() for each in next(rows, [])]
            at = _column(header, PATHS, path), _column(header, LABELS, path)
            for number, row in enumerate(rows, start=2):
                if len(row) <= max(at) or not row[at[1]].strip():
                    skipped.append(Skipped(f"{path.name}, line {number}", "has no path or no label"))
                elif reason := _outside(root, row[at[0]]):
                    skipped.append(Skipped(row[at[0]][:200], reason))
                else:
                    found.append((row[at[0]], row[at[1]].strip(), False))
                if number > MOST_ROWS:
                    raise SettingError(f"{path} has more than {MOST_ROWS} rows", setting="source")
        except csv.Error as problem:
            raise SettingError(f"{path} is not a table: {problem}", setting="source") from None
    if not found:
        named = f" ({skipped[0].name} {skipped[0].reason})" if skipped else ""
        raise SettingError(f"{path} must list pictures, but has none{named}", setting="source")
    return _collected(root, found, skipped, str(path), split=False)


def _column(header: Sequence[str], names: Sequence[str], path: Path) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise SettingError(
        f"{path} must have a column {' or '.join(names)}, but its first line has {', '.join(header)[:120] or 'none'}",
        setting="source",
    )


def _outside(root: Path, name: str) -> str:
    """Return why a path of a table is not used, empty for a file inside `root`."""
    if "\0" in name or Path(name).is_absolute():
        return "is not a path relative to the table's folder"
    if not Path(os.path.realpath(root / name)).is_relative_to(os.path.realpath(root)):
        return "leads out of the table's folder"
    return ""

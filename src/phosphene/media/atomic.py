"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from phosphene.errors import OutputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file, to write and read, that becomes `path` when the block ends, or is removed if it fails.

        with replacing("dream.json") as file:
            file.write(text)

    It is written under a temporary name in the same folder and renamed: a reader sees the old file or the new one, and
    a failed run leaves the old one unchanged. If `path` is a symbolic link, the file that it points to is replaced.
    The new file's mode follows the umask. Raises `OutputError` if the operating system refuses.
    """
    final = _final(path)
    # Short, so that a long final name does not become one too long; hidden, so that no gallery shows it.
    part = final.with_name(f".{final.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with open(part, "xb+") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # or a power cut could leave the new name without its contents
            os.replace(part, final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise OutputError(_reason(path, final, problem), path=path) from None


@contextmanager
def replacing_folder(path: str | os.PathLike[str], check_old: Callable[[Path], None]) -> Iterator[Path]:
    """Make a folder that takes its name when the block ends, in place of an older one.

    Args:
        path: where the folder will be.
        check_old: raises for something at `path` that must not be replaced.

    Yields:
        The empty folder to fill. If the block raises, it is removed, and what was at `path` stays.

    Raises:
        OutputError: if the operating system refuses.
    """
    final = Path(os.path.realpath(path))
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{final.name[:40]}.", suffix=".part", dir=final.parent))
    except OSError as problem:
        raise refusal(path, problem) from None
    try:
        yield made
        made.chmod(0o777 & ~_umask())
        if final.exists():
            check_old(final)
            old = final.with_name(f".{final.name[:40]}.{secrets.token_hex(4)}.part")
            os.replace(final, old)
            os.replace(made, final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(made, final)
    except OSError as problem:
        raise refusal(path, problem) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check(path: str | os.PathLike[str]) -> None:
    """Raise the `OutputError` that `replacing(path)` would raise.

    Creates a file and removes it at once: only that is reliable on network drives, on read-only mounts and for root.
    """
    final = _final(path)
    with suppress(OSError, AttributeError):  # no such folder, or a system or a file system that knows no nameless files
        os.close(os.open(final.parent, os.O_WRONLY | os.O_TMPFILE))  # nothing of it can be left, whenever we are killed
        return
    trial = final.with_name(f".{final.name[:40]}.{secrets.token_hex(4)}.trial")  # a known name could be a planted link
    try:
        with open(trial, "xb"):
            pass
    except OSError as problem:
        raise OutputError(_reason(path, final, problem), path=path) from None
    finally:
        with suppress(OSError):  # the folder is missing or not ours: said above
            trial.unlink(missing_ok=True)


def settle(made: Path, path: str | os.PathLike[str]) -> None:
    """Move the finished file `made`, on the same disk, to `path`: like `replacing`, for writers that need a name.

    Raises `OutputError` if the operating system refuses.
    """
    final = _final(path)
    try:
        with open(made, "rb") as file:
            os.fsync(file.fileno())
        os.replace(made, final)
    except OSError as problem:
        raise OutputError(_reason(path, final, problem), path=path) from None


def refusal(path: str | os.PathLike[str], problem: OSError) -> OutputError:
    """Return the error that says why the operating system refused to write `path`."""
    return OutputError(_reason(path, Path(path), problem), path=path)


def _final(path: str | os.PathLike[str]) -> Path:
    name = Path(path).name
    if len(os.fsencode(name)) > 255:
        raise OutputError(f"cannot write {name[:40]}...: the name is longer than 255 bytes", path=path)
    try:
        final = Path(os.path.realpath(path))
        there = final.exists()
    except (OSError, ValueError) as problem:  # a NUL in the name
        raise OutputError(f"cannot write {os.fspath(path)!r}: {problem}", path=path) from None
    if final.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file in it", path=path)
    if there and not final.is_file():
        raise OutputError(f"cannot write {path}: it is a device or pipe, not a file", path=path)
    return final


def _reason(path: str | os.PathLike[str], final: Path, problem: OSError) -> str:
    folder = final.parent
    if problem.errno == errno.ENOENT:
        return f"cannot write {path}: there is no folder {folder}; make it first"
    if problem.errno == errno.ENOTDIR:
        return f"cannot write {path}: {folder} is not a folder"
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {path}: no permission to write in {folder}; choose another folder"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: the disk is full; make room or choose another folder"
    return f"cannot write {path}: {problem.strerror or problem}"

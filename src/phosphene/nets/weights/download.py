"""Fetching one file: mirrors in their order, resumed where a connection was cut, verified before use.

Standard library only: what is needed beyond a plain request (ranges, a limit on size, mirrors that are
archives) is not what download libraries take from one's hands.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import WeightsError
from phosphene.nets.weights import archives, store
from phosphene.nets.weights.store import Digest

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and those there will be, which a server need not tell."""

TIMEOUT = 30.0
"""Seconds in which something must come; a slow server may take as long as it likes in all."""

ATTEMPTS = 5
"""How often a connection may be cut without a byte having come."""

MOST_REQUESTS = 100
"""How often it may be cut at all."""

CHUNK = 1 << 18


@dataclass(frozen=True)
class Mirror:
    """Where a file can be had; `member` is its name in the archive there, None if it is not an archive."""

    url: str
    member: str | None = None


class _Failed(Exception):
    """One mirror does not give the file; the text says why."""


def fetch(
    name: str,
    file: str,
    mirrors: Sequence[Mirror],
    digest: Digest,
    *,
    most: int,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> Path:
    """Fetch the network `name` from the first mirror that gives it, and keep it as `file`; gives its path.

    If it is here already, nothing is fetched. `most` is the largest size in bytes that is believed. Raises
    `WeightsError` that says how to install the file by hand.
    """
    with store.lock(name):
        if found := store.find(name):
            return found[0]
        failures = []
        for mirror in mirrors:
            try:
                return _from(mirror, name, file, digest, most, progress or _silent, timeout)
            except _Failed as problem:
                log.info("%s: %s", mirror.url, problem)
                failures.append(f"{mirror.url} ({problem})")
    raise WeightsError(
        f"{name} could not be fetched from {' or '.join(failures)}. To install it by hand, get that file "
        f"elsewhere ({digest}) and run: phosphene nets add {name} FILE"
    )


def _silent(done: int, total: int | None) -> None:
    pass


def _from(mirror: Mirror, name: str, file: str, digest: Digest, most: int, progress: Progress, timeout: float) -> Path:
    place = store.folder() / name
    place.mkdir(parents=True, exist_ok=True)
    part = place / f".{Path(mirror.url).name}.part"
    for each in (part, _note(part)):
        if each.is_symlink():
            each.unlink()
    _download(mirror.url, part, most, progress, timeout, resumable=bool(digest.value))
    ready = part
    try:
        if mirror.member is not None:
            ready = place / f".{file}.part"
            archives.extract(part, mirror.member, ready, most)
        return store.keep(name, ready, file, digest, origin=mirror.url)
    except WeightsError as problem:
        raise _Failed(str(problem)) from None
    finally:
        for each in (part, ready, _note(part)):
            each.unlink(missing_ok=True)


def _download(url: str, part: Path, most: int, progress: Progress, timeout: float, *, resumable: bool) -> None:
    """Download `url` into `part`, resuming from its end; raise `_Failed`."""
    failures, problem = 0, object()
    for _ in range(MOST_REQUESTS):
        before = _size(part)
        try:
            if _request(url, part, most, progress, timeout, resumable):
                return
            problem = "the connection was cut"
        except urllib.error.HTTPError as answer:
            if answer.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                part.unlink()
                continue
            raise _Failed(f"the server answers {answer.code} {answer.reason}") from None
        except (OSError, http.client.HTTPException) as trouble:
            problem = getattr(trouble, "reason", None) or trouble
        failures = 0 if _size(part) > before else failures + 1
        if failures >= ATTEMPTS or before == _size(part) == 0:
            break
    raise _Failed(str(problem) or type(problem).__name__)


def _request(url: str, part: Path, most: int, progress: Progress, timeout: float, resumable: bool) -> bool:
    """Make one request; return whether the file is complete now."""
    if not url.startswith(("http://", "https://")):
        raise _Failed("it is not a web address")
    done = _size(part)
    headers = {"User-Agent": "phosphene", "Accept-Encoding": "identity"}
    mark = _mark(part)
    if done and (mark or resumable):
        headers["Range"] = f"bytes={done}-"
        if mark:
            headers["If-Range"] = mark  # another file by now is sent from its beginning
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length and length.isdigit() else None
        if (total or 0) > most:
            part.unlink(missing_ok=True)
            raise _Failed(f"it has {total} bytes, more than {most}")
        _note(part).write_text(json.dumps(answer.headers.get("ETag") or ""), encoding="utf-8")
        with part.open("ab" if done else "wb") as out:
            progress(done, total)
            while data := answer.read1(CHUNK):
                out.write(data)
                done += len(data)
                if done > most:
                    part.unlink()
                    _note(part).unlink()
                    raise _Failed(f"it has more than {most} bytes")
                progress(done, total)
            out.flush()
            os.fsync(out.fileno())
    return total is None or done >= total


def _note(part: Path) -> Path:
    return part.with_suffix(".etag")


def _mark(part: Path) -> str:
    try:
        return str(json.loads(_note(part).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

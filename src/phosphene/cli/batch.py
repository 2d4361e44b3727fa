"""The same work on many files: one that fails does not stop the rest, and what is done is skipped next time."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phosphene.cli import options
from phosphene.cli.output import check_apart
from phosphene.cli.root import describe_error, keep_on_interrupt, printable, says_json
from phosphene.errors import ImageError, OutputError, PhospheneError, VideoError

if TYPE_CHECKING:
    from phosphene.cli.output import Destination
    from phosphene.render.job import Job

SOUND = ".flac"


@dataclass(frozen=True)
class Files:
    """Several files of a kind of work: what they are called, and the suffixes of those that a folder stands for."""

    kind: str
    name: str
    one: str
    suffixes: frozenset[str]
    error: type[ImageError] | type[VideoError]


PHOTOS = Files(
    "dream",
    "photos",
    "picture",
    frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".gif"}),
    ImageError,
)

CLIPS = Files(
    "video", "clips", "video", frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"}), VideoError
)

MANY = 8
"""Photos from which on workers, which take some seconds to start, are worth it."""

SMALL = 512
"""Longest side in pixels of pictures that are too small to keep several cores busy."""

FREE = 1 << 30
"""Bytes of free memory for each worker without which there are none."""


def expand(given: Iterable[Path], files: Files = PHOTOS) -> list[Path]:
    """Return the files that the arguments stand for: a folder for those of a kind, a pattern for all that match it.

    Raises the kind's error for a folder that has none and for a pattern without files.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in files.suffixes and each.is_file())
            if not inside:
                raise files.error(
                    f"the folder {path} has no {files.one}s; name a {files.one}, or a folder that has some"
                )
            found += inside
        elif any(mark in str(path) for mark in "*?[") and not path.exists():
            matching = sorted(map(Path, glob.glob(str(path), recursive=True)))
            if not matching:
                raise files.error(f"no file matches {path}")
            found += matching
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def is_batch(given: tuple[Path, ...], photos: list[Path]) -> bool:
    """Return whether the arguments ask for several results: more than one file, or a folder or pattern."""
    return len(photos) > 1 or any(each not in photos for each in given)


def place(photos: list[Path], folder: Path, name: str, suffix: str, files: Files = PHOTOS) -> dict[Path, Path]:
    """Return where each photo's result goes: PHOTO-NAME with `suffix`, in `folder`, which is made.

    Photos that differ only in folder or suffix keep what tells them apart.

    Raises:
        OutputError: if it is a file, or cannot be made.
    """
    if (folder.suffix and not folder.is_dir()) or folder.is_file():
        raise OutputError(f"the output for several {files.name} must be a folder, but is {folder}", path=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"cannot make the folder {folder}: {problem.strerror}", path=folder) from None
    places: dict[Path, Path] = {}
    stems = Counter(photo.stem for photo in photos)
    names = Counter(photo.name for photo in photos)
    from phosphene.media.sound.read import is_sound

    for photo in photos:
        own = photo.stem if stems[photo.stem] == 1 else photo.name
        if names[photo.name] > 1:
            own = f"{photo.parent.name}-{own}"
        places[photo] = folder / f"{own}-{name}{SOUND if is_sound(photo) and name == 'dream' else suffix}"
    return places


def run(
    files: Files, photos: list[Path], output: Destination, suffix: str, *, workers: str | None = None, **settings: Any
) -> None:
    """Do the work of their kind on each photo, loading the network once, and print each result and a summary.

    Exits 1 if a photo failed. Results that are there already are skipped, unless --force replaces them. Workers do a
    photo each, or the parts of one photo after another where its work has parts. Many small pictures have a worker for
    each core, unless something else is asked for.
    """
    from phosphene.cli.follow import follow
    from phosphene.gradients.allocator import keep_memory
    from phosphene.render.request import open_job
    from phosphene.render.several import done_as_a_whole

    keep_memory()
    given = options.chosen(files.kind, settings)
    if output.also:
        raise click.UsageError(f"Several {files.name} have one output, a folder.")
    places = place(photos, output.path or Path(), "dream", suffix, files)
    wanted = {photo: path for photo, path in places.items() if output.force or not path.exists()}
    skipped, done = len(places) - len(wanted), 0
    failed: list[Path] = []
    if wanted and (workers is not None or len(places) >= MANY):
        first = _first(files.kind, wanted, given)
        if workers is None and first is not None and output.preview is None:
            workers = _usual_workers(first)
        if workers is not None and first is not None and done_as_a_whole(first.work, len(wanted), workers):
            done, failed = _shared(files, wanted, output, given, first, workers)
            summarise(done, skipped, failed)
            return
        given["workers"] = workers
        if first is not None:
            given["net"] = first.net
    for index, (photo, path) in enumerate(wanted.items()):
        try:
            job = open_job(files.kind, photo, **given)
            follow(job, replace(output, path=path), "", photo, 0 if done else len(wanted) - index)
            given["net"] = job.net
            done += 1
        except PhospheneError as problem:
            failed.append(photo)
            describe_error(problem, photo)
    summarise(done, skipped, failed)


def _usual_workers(first: Job) -> str | None:
    """Return how many workers do pictures like the first one faster than this process; None if none do."""
    import torch

    from phosphene.media import memory
    from phosphene.render.stills import StillWork

    work, threads, free = first.work, torch.get_num_threads(), memory.available()
    if threads < 2 or not isinstance(work, StillWork) or work.device.type != "cpu" or max(work.size) > SMALL:
        return None
    return str(threads) if free is None or free >= threads * FREE else None


def _first(kind: str, wanted: dict[Path, Path], given: dict[str, Any]) -> Job | None:
    """Return the job of the first photo that one can be prepared for; None if there is none."""
    from phosphene.cli.follow import prepare
    from phosphene.render.request import open_job

    for photo in wanted:
        try:
            job = open_job(kind, photo, **given)
            prepare(job)
        except PhospheneError:  # which is told when its turn has come
            continue
        return job
    return None


def _shared(
    files: Files, wanted: dict[Path, Path], output: Destination, given: dict[str, Any], first: Job, workers: str
) -> tuple[int, list[Path]]:
    """Let workers do a photo each, and print results in the order of the photos; return how many, and which failed."""
    from phosphene.cli import follow
    from phosphene.media.unfinished import progress_of
    from phosphene.render.job import Event, Format
    from phosphene.render.several import JobTask, several

    if output.preview is not None:
        raise click.UsageError("--preview is of one photo at a time: leave out --workers.")
    assert first.net is not None, "it is prepared"
    format, photos = Format(**output.format), list(wanted)
    for photo, path in wanted.items():
        check_apart(path, photo)
    tasks = [
        JobTask(Path.cwd(), files.kind, photo, given, path, format, output.fresh) for photo, path in wanted.items()
    ]
    follow.expect(first, len(wanted), yes=output.yes)
    failed: list[Path] = []
    keep_on_interrupt()
    try:
        with follow.progress() as show:

            def waiting(done: int) -> None:
                """Show how far all are, those that are begun included."""
                begun = sum(map(progress_of, wanted.values()))
                show(Event(files.name, done + 1, len(photos), (done + begun) / len(photos)))

            timed = files is PHOTOS  # how long films take differs too much to tell that one hangs
            results = several(tasks, first.net, workers, timed=timed, waiting=waiting)
            for photo, made in zip(photos, results, strict=True):
                if isinstance(made, PhospheneError):
                    failed.append(photo)
                    describe_error(made, photo)
                    continue
                made.check()
                for text in made.notes:
                    follow.note(Event("continuing", note=text))
                follow.tell(made.paths, made.recipe, made.seconds)
    except KeyboardInterrupt:
        follow.stopped()
    return len(photos) - len(failed), failed


def summarise(done: int, skipped: int, failed: list[Path]) -> None:
    """Say how many photos were done, were there already and failed; exit 1 if any failed."""
    parts = [f"{done} done", *([f"{skipped} there already"] if skipped else [])]
    if failed:
        parts.append(f"{len(failed)} failed: {', '.join(printable(str(each)) for each in failed)}")
    if not says_json():
        click.echo("; ".join(parts), err=True)
    if failed:
        click.get_current_context().exit(1)

"""`phosphene camera`."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli import options
from phosphene.cli.root import Command, printable

if TYPE_CHECKING:
    from torch import Tensor

    from phosphene.camera.things import Things

SEE_EVERY = 0.2
"""Seconds between two looks at what is there, while it also dreams."""


@click.command(cls=Command)
@click.argument("source", default="0")
@click.option("--net", default="pocket", show_default=True, help="The network, by name.")
@click.option("-t", "--target", metavar="TEXT", help="Dream, and bring this out; by default it only sees.")
@click.option("--diary", type=options.PATH, metavar="FOLDER", help="Keep what was seen, with times and pictures.")
@click.option("--known", type=options.PATH, metavar="FILE", help="A file of words that it was taught (.safetensors).")
@click.option("--learn", metavar="WORD", help="Teach it this word for what the source shows, into --known.")
@click.option("--views", type=click.IntRange(1, 100), default=5, show_default=True, help="Views for --learn.")
@click.option("--forget", metavar="WORD", help="Forget a word of --known, and end.")
@click.option("--frames", type=click.IntRange(min=1), help="End after this many frames.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Use every Nth frame.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def camera(
    source: str,
    net: str,
    target: str | None,
    diary: Path | None,
    known: Path | None,
    learn: str | None,
    views: int,
    forget: str | None,
    frames: int | None,
    every: int,
    as_json: bool,
) -> None:
    """Tell what a camera sees, and dream on it, live.

    \b
      phosphene camera
      phosphene camera rtsp://garden.local/stream --target mixed4c --diary seen/
      phosphene camera cup.mp4 --learn "my cup" --known things.safetensors
      phosphene camera --known things.safetensors

    SOURCE is a device's number, the address of a stream, or a film; a camera that is missing or dies is tried again
    every 5 s. A line is printed whenever what is seen changes. The studio has a camera page, for the browser's own.
    """
    from phosphene import nets
    from phosphene.camera.capture import views as views_of

    words = _words(known, learn, forget)
    if forget is not None:
        words.forget(forget)
        _keep(words, known)
        return
    watcher = _Watcher(nets.load(net), target, words, diary, as_json=as_json)
    learnt = 0
    for view in views_of(source):
        if view.image is None:
            click.echo(printable(view.problem), err=True)
            continue
        if view.index % every:
            continue
        if learn is not None:
            watcher.learn(learn, view.image)
            learnt += 1
            if learnt == views:
                break
            continue
        watcher(view.image)
        if frames is not None and view.index // every + 1 >= frames:
            break
    if learn is not None:
        _keep(words, known)
        click.echo(printable(f"{learn}: {learnt} views"))
    watcher.told()


class _Watcher:
    """Looks at one picture after the other."""

    def __init__(self, net: object, target: str | None, words: Things, diary: Path | None, *, as_json: bool) -> None:
        from phosphene.camera.live import LiveDream
        from phosphene.nets.base import Net

        assert isinstance(net, Net)
        self._net, self._words, self._diary, self._as_json = net, words, diary, as_json
        self._dream = None if target is None else LiveDream(net, target)
        self._seen, self._looked = "", 0.0
        self._began, self._count = time.monotonic(), 0

    def __call__(self, image: Tensor) -> None:
        dream = None if self._dream is None else self._dream(image)
        self._count += 1
        now = time.monotonic()
        if self._dream is None or now - self._looked >= SEE_EVERY:
            self._looked = now
            self._look(image, dream)

    def learn(self, word: str, image: Tensor) -> None:
        from phosphene.camera.things import features_of

        self._words.learn(word, [features_of(image, self._net)])

    def told(self) -> None:
        """Say how fast it was."""
        if self._count > 1:
            rate = self._count / max(1e-9, time.monotonic() - self._began)
            click.echo(f"{self._count} frames, {rate:.1f} a second", err=True)

    def _look(self, image: Tensor, dream: Tensor | None) -> None:
        from phosphene.attribution.sight import labels_of
        from phosphene.camera.things import LIKE, features_of

        found = self._words.recognise(features_of(image, self._net)) if self._words.sums else None
        if found is not None and found.likeness >= LIKE:
            word, share = found.word, found.likeness
        else:
            (seen,) = labels_of(image, self._net, 1)
            word, share = seen.label, seen.probability
        if word == self._seen:
            return
        self._seen = word
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        picture = self._write(at, word, image if dream is None else dream)
        entry = {"time": at, "seen": word, "confidence": round(share, 3), **({"picture": picture} if picture else {})}
        click.echo(json.dumps(entry, ensure_ascii=False) if self._as_json else printable(f"{at}  {word}  {share:.0%}"))

    def _write(self, at: str, word: str, image: Tensor) -> str | None:
        if self._diary is None:
            return None
        from phosphene.media.image import write_image

        self._diary.mkdir(parents=True, exist_ok=True)
        stem = at.replace(":", "").replace("+", "p") + "-" + "".join(c if c.isalnum() else "-" for c in word)[:40]
        write_image(self._diary / f"{stem}.jpg", image.cpu())
        return f"{stem}.jpg"


def _words(known: Path | None, learn: str | None, forget: str | None) -> Things:
    from phosphene.camera.things import Things
    from phosphene.nets.weights.words import read_words

    if (learn is not None or forget is not None) and known is None:
        raise click.UsageError("--learn and --forget need --known FILE, where words are kept.")
    return Things(read_words(known) if known is not None and (known.exists() or learn is None) else {})


def _keep(words: Things, known: Path | None) -> None:
    from phosphene.nets.weights.words import write_words

    assert known is not None, "asked for before"
    write_words(known, words.sums)

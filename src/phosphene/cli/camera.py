"""`phosphene camera`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene import nets
from phosphene.camera import choice
from phosphene.cli import options
from phosphene.cli.output import write_direction
from phosphene.cli.root import Command, printable
from phosphene.errors import OutputError

if TYPE_CHECKING:
    from torch import Tensor

    from phosphene.camera.capture import View
    from phosphene.camera.things import Things
    from phosphene.nets.base import Net


@click.command(cls=Command)
@click.argument("source", default="0")
@click.option("--net", default=choice.NET, show_default=True, help="The network that dreams, by name.")
@click.option("--see-net", default=nets.RECOGNISES, show_default=True, help="The network that tells what is there.")
@click.option("-t", "--target", metavar="TEXT", help="Dream, and bring this out; by default it only sees.")
@click.option("--diary", type=options.PATH, metavar="FOLDER", help="Keep what was seen, with times and pictures.")
@click.option("--known", type=options.PATH, metavar="FILE", help="A file of words that it was taught (.safetensors).")
@click.option("--learn", metavar="WORD", help="Teach it this word for what the source shows, into --known.")
@click.option("--views", type=click.IntRange(1, 100), default=5, show_default=True, help="Views for --learn.")
@click.option("--forget", metavar="WORD", help="Forget a word of --known, and end.")
@click.option("--direction", metavar="WORD", help="Write a word of --known as a target to dream, into -o, and end.")
@click.option("-o", "--output", type=options.PATH, metavar="FILE", help="Where --direction writes (.safetensors).")
@click.option("--frames", type=click.IntRange(min=1), help="End after this many frames.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Use every Nth frame.")
@click.option("--live", is_flag=True, help="Play a film at its own speed, as a camera does: late frames are skipped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def camera(
    source: str,
    net: str,
    see_net: str,
    target: str | None,
    diary: Path | None,
    known: Path | None,
    learn: str | None,
    views: int,
    forget: str | None,
    direction: str | None,
    output: Path | None,
    frames: int | None,
    every: int,
    live: bool,
    as_json: bool,
) -> None:
    """Tell what a camera sees, and dream on it, live.

    \b
      phosphene camera
      phosphene camera rtsp://garden.local/stream --target block12 --diary seen/
      phosphene camera cup.mp4 --learn "my cup" --known things.safetensors
      phosphene camera --known things.safetensors
      phosphene camera --known things.safetensors --direction "my cup" -o cup.safetensors

    SOURCE is a device's number, the address of a stream, or a film; a camera that is missing or dies is tried again
    every 5 s. A line is printed whenever what is seen changes. The studio has a camera page, for the browser's own.
    """
    from phosphene.camera.capture import has_end
    from phosphene.camera.capture import views as views_of

    if (output is None) is not (direction is None):
        raise click.UsageError("--direction WORD and -o FILE belong together.")
    words = _words(known, learn, forget, direction)
    if forget is not None:
        words.forget(forget)
        _keep(words, known)
        return
    if direction is not None and output is not None:
        click.echo(printable(_write_direction(words, direction, output, nets.load(see_net))))
        return
    seen = (each for each in views_of(source, paced=live) if each.image is None or each.index % every == 0)
    if learn is not None:
        learnt = _learn(words, learn, islice(_without_problems(seen), views), nets.load(see_net))
        _keep(words, known)
        click.echo(printable(f"{learn}: {learnt} views"))
        return
    watcher = _Watcher(nets.load(see_net), None if target is None else (net, target), words, diary, as_json=as_json)
    watcher.follow(seen, in_turn=has_end(source) and not live, frames=frames)


def _without_problems(views: Iterable[View]) -> Iterator[Tensor]:
    for view in views:
        if view.image is None:
            click.echo(printable(view.problem), err=True)
        else:
            yield view.image


def _learn(words: Things, word: str, images: Iterable[Tensor], net: Net) -> int:
    from phosphene.camera.things import features_of

    features = [features_of(image, net) for image in images]
    words.learn(word, features)
    return len(features)


class _Watcher:
    """Tells what is seen whenever that changes, and keeps the diary."""

    def __init__(
        self, net: Net, dreams: tuple[str, str] | None, words: Things, diary: Path | None, *, as_json: bool
    ) -> None:
        from phosphene.camera.live import LiveDream

        self._net, self._words, self._diary, self._as_json = net, words, diary, as_json
        self._dream = None if dreams is None else LiveDream(nets.load(dreams[0]), dreams[1])
        self._seen = ""
        self._due: Path | None = None
        """A page of the diary that waits for the next dream."""

    def follow(self, views: Iterable[View], *, in_turn: bool, frames: int | None) -> None:
        """Watch until the end, or until `frames` were dreamt on, or seen without a dream; then say how fast it was."""
        from phosphene.camera.eye import watch

        rates = {"seen": _Rate(), "dreamt": _Rate()}
        leads = rates["seen" if self._dream is None else "dreamt"]
        with closing(watch(views, self._look, self._dream, in_turn=in_turn)) as sights:
            for sight in sights:
                if sight.view.image is None:
                    click.echo(printable(sight.problem), err=True)
                elif sight.dream is not None:
                    rates["dreamt"].count()
                    self._write(sight.dream)
                else:
                    rates["seen"].count()
                    word, share = sight.seen
                    self._tell(word, share, sight.view.image)
                if leads.number == frames:
                    break
        told = [f"{rate.number} frames {name}{rate}" for name, rate in rates.items() if rate.number]
        click.echo(", ".join(told), err=True)

    def _look(self, image: Tensor) -> tuple[str, float]:
        from phosphene.attribution.sight import labels_of
        from phosphene.camera.things import LIKE, features_of

        found = self._words.recognise(features_of(image, self._net)) if self._words.sums else None
        if found is not None and found.likeness >= LIKE:
            return found.word, found.likeness
        (seen,) = labels_of(image, self._net, 1)
        return seen.label, seen.probability

    def _tell(self, word: str, share: float, image: Tensor) -> None:
        if word == self._seen:
            return
        self._seen = word
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        entry = {"time": at, "seen": word, "confidence": round(share, 3)}
        if self._diary is not None:
            stem = at.replace(":", "").replace("+", "p") + "-" + "".join(c if c.isalnum() else "-" for c in word)[:40]
            self._due = self._diary / f"{stem}.jpg"
            entry["picture"] = self._due.name
            if self._dream is None:
                self._write(image)
        click.echo(json.dumps(entry, ensure_ascii=False) if self._as_json else printable(f"{at}  {word}  {share:.0%}"))

    def _write(self, image: Tensor) -> None:
        if self._due is None:
            return
        from phosphene.media.image import write_image

        self._due.parent.mkdir(parents=True, exist_ok=True)
        write_image(self._due, image.cpu())
        self._due = None


class _Rate:
    """How many there were, and how many a second from the first on."""

    def __init__(self) -> None:
        self.number, self._first, self._last = 0, 0.0, 0.0

    def count(self) -> None:
        self._last = time.monotonic()
        self._first = self._first or self._last
        self.number += 1

    def __str__(self) -> str:
        return "" if self.number < 2 else f" ({(self.number - 1) / max(1e-9, self._last - self._first):.1f} a second)"


def _words(known: Path | None, learn: str | None, forget: str | None, direction: str | None) -> Things:
    from phosphene.camera.things import Things
    from phosphene.nets.weights.words import read_words

    if known is None and not (learn is forget is direction is None):
        raise click.UsageError("--learn, --forget and --direction need --known FILE, where words are kept.")
    return Things(read_words(known) if known is not None and (known.exists() or learn is None) else {})


def _write_direction(words: Things, word: str, path: Path, net: Net) -> str:
    """Write the direction of a word to `path`; return the target that dreams it."""
    from phosphene.camera.things import direction_of
    from phosphene.objectives.name import write_path

    if path.exists():
        raise OutputError(f"{path} is there already: choose another name", path=path)
    vector, layer = direction_of(words, word, net)
    write_direction(path, vector, layer)
    return f"direction({write_path(path.as_posix())}, {layer})"


def _keep(words: Things, known: Path | None) -> None:
    from phosphene.media import atomic
    from phosphene.nets.weights.words import pack_words

    assert known is not None, "asked for before"
    with atomic.replacing(known) as file:
        file.write(pack_words(words.sums))

"""`phosphene hear`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phosphene.cli import options
from phosphene.cli.root import Command, printable
from phosphene.cli.table import json_option, show

if TYPE_CHECKING:
    from phosphene.attribution.hearing import Hearing


@click.command(cls=Command)
@click.argument("sound", type=options.PATH)
@click.option("--net", default="ear", show_default=True, help="The network, by name; one that takes sound.")
@options.count("tags and channels")
@click.option("--plot", type=options.PATH, metavar="OUT", help="Write a picture: spectrogram, and tags over time.")
@json_option
def hear(sound: Path, net: str, count: int, plot: Path | None, as_json: bool) -> None:
    """Tell what a network believes it hears in SOUND.

    \b
      phosphene hear song.flac
      phosphene hear song.flac --plot heard.png
      phosphene hear song.flac --json

    The tags with their mean probability, the highest and when that was; and the channels with the highest
    z-scores. All are targets: paste one after `phosphene dream SOUND --target`. --json also has the tags'
    probabilities over time. SOUND is any file with sound, of any length.
    """
    from phosphene.attribution.hearing import hear as listen
    from phosphene.media.image import check_writable, write_image

    if plot is not None:
        check_writable(plot)
    hearing = listen(sound, net=net, count=count)
    if plot is not None:
        write_image(plot, hearing.plot(sound.name))
    if as_json:
        click.echo(json.dumps(_record(hearing), indent=2, ensure_ascii=False))
    else:
        _print(hearing)
    if plot is not None:
        click.echo(printable(str(plot)), err=as_json)


def _record(hearing: Hearing) -> dict[str, object]:
    over_time = zip(hearing.tags, hearing.probabilities.T.tolist(), strict=True)
    return {
        "net": hearing.net,
        "seconds": round(hearing.seconds, 3),
        "tags": [each._asdict() for each in hearing.tags],
        "channels": [each._asdict() for each in hearing.channels],
        "times": list(hearing.times),
        "probabilities": {tag.label: [round(each, 5) for each in values] for tag, values in over_time},
    }


def _print(hearing: Hearing) -> None:
    show(
        [
            {
                "tag": each.label,
                "probability": f"{each.probability:.1%}",
                "highest": f"{each.highest:.1%} at {each.seconds:.1f} s",
                "target": each.target,
            }
            for each in hearing.tags
        ],
        as_json=False,
    )
    if hearing.channels:
        click.echo()
        rows = [
            {"channel": each.target, "z-score": f"{each.z_score:.1f}", "strongest": f"at {each.seconds:.1f} s"}
            for each in hearing.channels
        ]
        show(rows, as_json=False)

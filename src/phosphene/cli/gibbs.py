"""`phosphene gibbs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from phosphene.cli import options, output
from phosphene.cli.root import Command


@click.command(cls=Command)
@click.argument("machine", type=options.PATH)
@options.settings("gibbs", without=("net",))
@output.options(still=True, film=True)
def gibbs(machine: Path, output: output.Destination, **settings: Any) -> None:
    """Let a Boltzmann machine dream: MACHINE is a .rbm file that learn --model rbm has written.

    \b
      phosphene gibbs digits.rbm
      phosphene gibbs digits.rbm --seconds 10 -o wander.mp4
      phosphene gibbs digits.rbm --known seven.png --half top

    Many chains wander side by side. Without -o the result is MACHINE.png in the current folder, or a film with
    --seconds. If it is stopped, the same command continues.
    """
    options.run("gibbs", None, output, options.stem_of(machine.stem), None, net=str(machine), **settings)

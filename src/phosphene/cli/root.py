"""The command `phosphene`: finds the command asked for, imports what that needs, and answers every error.

A mistake of the user's is one line on stderr and exit code 1, wrong usage exit code 2, Ctrl-C exit code 130.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from phosphene import __version__
from phosphene.errors import PhospheneError, nearest

COMMANDS = {
    "dream": ("phosphene.cli.dream", "Dream upon a photograph, or upon noise."),
    "imagine": ("phosphene.cli.imagine", "Make a picture of what a word, a layer or a channel stands for."),
    "sheet": ("phosphene.cli.sheet", "Make a picture of each of many things, side by side."),
    "zoom": ("phosphene.cli.zoom", "Travel into a photograph, or into noise, without end: a film."),
    "morph": ("phosphene.cli.morph", "Turn one idea into the next: a film."),
    "video": ("phosphene.cli.video", "Dream on a video clip, without flicker."),
    "see": ("phosphene.cli.see", "Tell what a network believes it sees in a picture."),
    "again": ("phosphene.cli.again", "Render anew from the recipe inside a file."),
    "show": ("phosphene.cli.again", "Print the recipe inside a file."),
    "nets": ("phosphene.cli.nets", "List the networks."),
    "layers": ("phosphene.cli.nets", "List a network's layers."),
    "labels": ("phosphene.cli.nets", "List the labels that a network knows."),
}
"""Each command's module, which is imported when it is asked for, and its line in `phosphene --help`."""

INTERRUPTED = 130

LIBRARIES = {
    # Threads that wait for one another keep their cores busy for a while first. When two programs share the cores,
    # each then waits for what the other keeps from running: together half as fast as one alone. Waiting a hundredth
    # as long costs one alone nothing. (GNU's OpenMP, which PyTorch comes with on Linux.)
    "GOMP_SPINCOUNT": "1000",
    # PyTorch's large tensors in pages of 2 MiB: fewer to be fetched and cleared, and less lost between them.
    "THP_MEM_ALLOC_ENABLE": "1",
}
"""Settings of libraries that they read when they load, if they are not in the environment already."""


class Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = nearest(name, COMMANDS)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as problem:
            debug = ctx.meta.get("phosphene.debug", False)
            if debug or (isinstance(problem, OSError) and problem.errno == errno.EPIPE):
                raise
            raise click.ClickException(_sentence(problem)) from None


def _sentence(problem: Exception) -> str:
    if isinstance(problem, PhospheneError):
        return str(problem)
    what = " ".join(str(problem).split())[:200]
    return f"phosphene failed unexpectedly ({type(problem).__name__}: {what}); --debug shows where"


def debug_option() -> click.Option:
    """`--debug`, which is understood before and behind the command's name."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta["phosphene.debug"] = True

    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=remember, help="Show tracebacks of errors."
    )


def threads_option() -> click.Option:
    """`--threads`, which takes effect before anything computes."""

    def limit(ctx: click.Context, parameter: click.Parameter, value: int | None) -> None:
        if value is not None:
            if value > cores():
                raise click.BadParameter(f"{value} is more than the {cores()} of this machine.", ctx, parameter)
            os.environ["OMP_NUM_THREADS"] = str(value)
            if "torch" in sys.modules:  # which has read that already
                sys.modules["torch"].set_num_threads(value)

    return click.Option(
        ["--threads"],
        type=click.IntRange(min=1),
        expose_value=False,
        callback=limit,
        help="How many processor cores to use, by default all.",
    )


def cores() -> int:
    """How many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


class Command(click.Command):
    """A command that understands `--threads` and `--debug` as well as its own options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [threads_option(), debug_option()]


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="phosphene")
def phosphene() -> None:
    """DeepDream done properly: follow the gradients of image networks into pictures."""


phosphene.params.append(debug_option())


def main() -> None:
    """Run the command line."""
    for name, value in LIBRARIES.items():
        os.environ.setdefault(name, value)
    phosphene(prog_name="phosphene")

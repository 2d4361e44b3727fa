"""The command `phosphene`: finds the command asked for, imports what that needs, and answers every error.

A mistake of the user's is one line on stderr and exit code 1, wrong usage exit code 2, Ctrl-C exit code 130.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from phosphene import __version__
from phosphene.errors import PhospheneError, nearest
from phosphene.kinds import HEARD, KINDS, load

COMMANDS = {
    **{kind.name: (kind.command, kind.about) for kind in KINDS.values() if kind.name not in HEARD},
    "see": ("cli.see:see", "Tell what a network believes it sees in a picture."),
    "caricature": ("cli.caricature:caricature", "Draw what a layer takes a photo to be, exaggerated."),
    "concept": ("cli.concept:concept", "Learn a direction in a layer from two folders of pictures, and test it."),
    "camera": ("cli.camera:camera", "Tell what a camera sees, and dream on it, live."),
    "hear": ("cli.hear:hear", "Tell what a network believes it hears in a sound."),
    "measure": ("cli.measure:measure", "Measure pictures and films: dimensions, spectra, fringes, symmetry."),
    "again": ("cli.again:again", "Render again from the recipe inside a file."),
    "show": ("cli.again:show", "Print the recipe inside a file."),
    "studio": ("cli.studio:studio", "Work in the browser."),
    "work": ("cli.work:work", "List or remove unfinished work."),
    "nets": ("cli.nets:nets", "List the networks; fetch, add or remove them."),
    "layers": ("cli.nets:layers", "List a network's layers."),
    "labels": ("cli.nets:labels", "List the labels that a network knows."),
    "config": ("cli.config:config", "Show your own defaults and presets."),
    "doctor": ("cli.doctor:doctor", "Tell what is installed, and check that it works."),
}
"""Where each command is, from where it is imported when it is asked for, and its line in `phosphene --help`."""

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
        command = load(COMMANDS[cmd_name][0])
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = nearest(name, COMMANDS)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            if not close and Path(name).exists():
                hint = f" To dream on it: phosphene dream {name}"
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            from phosphene.cli import config

            ctx.default_map = {**config.read().defaults}
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(INTERRUPTED)
        except click.ClickException as problem:
            if says_json():
                click.echo(json.dumps({"error": problem.message, "type": type(problem).__name__}))
                ctx.exit(problem.exit_code)
            problem.message = printable(problem.message)  # type: ignore[misc]  # final only by annotation
            raise
        except (click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader of our output, `head` for example, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again on exit
            ctx.exit(0)
        except Exception as problem:
            if ctx.meta.get("phosphene.debug", False):
                raise
            describe_error(problem)
            ctx.exit(1)


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped: those in a file's name or label could operate the terminal.

    >>> printable("a\x1b]0;title\x07.png")
    'a\\x1b]0;title\\x07.png'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def _sentence(problem: Exception) -> str:
    if isinstance(problem, PhospheneError):
        return printable(str(problem))
    what = " ".join(str(problem).split())[:200]
    if isinstance(problem, MemoryError) or "can't allocate memory" in what or "out of memory" in what:
        return "there is not enough memory for this: choose a smaller --size or --count, or close other programs"
    return f"phosphene failed unexpectedly ({type(problem).__name__}: {what}); --debug shows where"


def describe_error(problem: Exception, source: Path | None = None) -> None:
    """Print an error: one line on stderr, or with --json an object on stdout."""
    text = _sentence(problem)
    if says_json():
        record = {"error": text, "type": type(problem).__name__}
        click.echo(json.dumps(record if source is None else {"source": str(source), **record}, ensure_ascii=False))
    else:
        click.echo(f"Error: {text}", err=True)


def says_json() -> bool:
    """Return whether the command prints JSON."""
    return bool(click.get_current_context().meta.get("phosphene.json", False))


def is_quiet() -> bool:
    """Return whether the command shows neither progress nor notes."""
    return bool(click.get_current_context().meta.get("phosphene.quiet", False))


def quiet_option() -> click.Option:
    """Add `-q`."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta["phosphene.quiet"] = True

    names = ["-q", "--quiet"]
    return click.Option(names, is_flag=True, expose_value=False, callback=remember, help="Show errors only.")


def verbose_option() -> click.Option:
    """Add `-v`: the log of the library on stderr."""

    def log(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            shown = logging.StreamHandler()
            shown.setFormatter(logging.Formatter("%(name)s: %(message)s"))
            logging.getLogger("phosphene").addHandler(shown)
            logging.getLogger("phosphene").setLevel(logging.DEBUG)

    names = ["-v", "--verbose"]
    return click.Option(names, is_flag=True, expose_value=False, callback=log, help="Tell in detail what is done.")


def debug_option() -> click.Option:
    """Add `--debug`, which is accepted before and after the command's name."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta["phosphene.debug"] = True

    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=remember, help="Show tracebacks of errors."
    )


def threads_option() -> click.Option:
    """Add `--threads`, which takes effect before anything computes."""

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
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


COMMON = frozenset(
    """
    path preset target net size steps octaves step_size seed noise symmetry count seconds fps speed loop columns start
    end source force heatmap
    """.split()  # noqa: SIM905
)
"""The options that most people need; the others have a heading of their own in the help."""

FEW = 14
"""The most options that are listed under one heading."""


class Command(click.Command):
    """A command that understands `--threads`, `--quiet`, `--verbose` and `--debug` as well as its own options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [threads_option(), quiet_option(), verbose_option(), debug_option()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        common: list[tuple[str, str]] = []
        rest: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                (common if parameter.name in COMMON else rest).append(record)
        if len(common) + len(rest) <= FEW or not common:
            common, rest = common + rest, []
        for heading, records in (("Options", common), ("Expert options", rest)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="phosphene")
def phosphene() -> None:
    """DeepDream done properly: follow the gradients of image networks into pictures."""


phosphene.params.append(debug_option())


def leave(_: int, __: FrameType | None) -> None:
    """Answer Ctrl-C before the work begins: there is nothing to keep, and libraries that load could swallow it."""
    os.write(2, b"stopped\n")
    os._exit(INTERRUPTED)


def keep_on_interrupt() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt` from here on, so that what is done is kept."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not with nohup
        signal.signal(signal.SIGINT, leave)
    for name, value in LIBRARIES.items():
        os.environ.setdefault(name, value)
    phosphene(prog_name="phosphene")

"""Starting up: what the command line answers before any work is done, and how fast."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from phosphene import __version__
from phosphene.cli.root import COMMANDS, cores, phosphene
from phosphene.kinds import KINDS
from tests import forked

PROGRAM = [sys.executable, "-c", "from phosphene.cli import main; main()"]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *args], capture_output=True, text=True, timeout=60)


def test_help_is_light_and_fast() -> None:
    spent = []
    for _ in range(3):  # the quickest of three: other tests may run beside this one
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom phosphene.cli.root import phosphene\n"
        "try: phosphene(['--help'])\n"
        "except SystemExit: print([m for m in ('torch', 'numpy', 'rich', 'pyvips') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(phosphene, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: phosphene {name}" in result.stdout
    assert "--debug" in result.stdout


def test_pages_are_written_to_folders() -> None:
    text = CliRunner().invoke(phosphene, ["report", "--help"]).stdout
    assert ".pt2" not in text
    assert "The folder to write" in text


def test_help_begins_with_the_options_that_matter() -> None:
    text = CliRunner().invoke(phosphene, ["dream", "--help"]).stdout
    first, _, rest = text.partition("Expert options:")
    assert "--target" in first
    assert "--size" in first
    assert sum(line.startswith("  -") for line in first.splitlines()) <= 14
    assert "--headroom" in rest


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_makes_something_shows_examples(name: str) -> None:
    text = CliRunner().invoke(phosphene, [name, "--help"]).stdout
    if name in KINDS or name in ("see", "again"):
        assert text.count(f"    phosphene {name} ") >= 3


@pytest.mark.parametrize(
    ("words", "found"),
    [("dream --net po", "pocket"), ("dream --target block1", "block11"), ("dream --target hunting", "hunting dog")],
)
def test_the_shell_completes_names(words: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = f"phosphene {words}"
    monkeypatch.setenv("_PHOSPHENE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    result = forked.run(forked.MAIN)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"plain,{found}" in result.stdout.decode().splitlines()


def test_version() -> None:
    assert __version__ in CliRunner().invoke(phosphene, ["--version"]).stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["drem"], "No such command 'drem'. Did you mean 'dream'?"),
        (["dream", "--octave-scal", "2", "a.jpg"], "--octave-scale"),
        (["dream"], "Give either PHOTO or --noise"),
        (["dream", "a.jpg", "--noise", "9x9"], "Give either PHOTO or --noise"),
        (["dream", "a.jpg", "--steps", "many"], "must be a whole number from 0 to 10000, but is 'many'"),
        (["dream", "a.jpg", "--octave-scale", "1"], "must be a number above 1 and up to 4, but is '1'"),
        (["dream", "a.jpg", "--size", "0"], "WIDTHxHEIGHT"),
        (["dream", "--noise", "10"], "WIDTHxHEIGHT"),
        (["dream", "a.jpg", "--depth", "12"], "'12' is not one of '8', '16'"),
        (["dream", "a.jpg", "--precision", "half"], "must be auto, bfloat16, float16, or float32, but is 'half'"),
        (["dream", "a.jpg", "--preset", "loud"], "'loud' is not one of"),
        (["imagine"], "Missing argument 'TEXT...'"),
        (["layers"], "Missing argument 'NET'"),
        (["again"], "Missing argument 'FILE'"),
    ],
)
def test_wrong_usage_exits_with_2(args: list[str], said: str) -> None:
    result = CliRunner().invoke(phosphene, args)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_photo_without_a_command_is_answered_with_one(photo: Path) -> None:
    result = CliRunner().invoke(phosphene, [str(photo)])
    assert result.exit_code == 2
    assert f"phosphene dream {photo}" in result.stderr


def test_what_goes_wrong_inside_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("phosphene.nets.names", broken)
    result = CliRunner().invoke(phosphene, ["nets"])
    assert result.exit_code == 1
    assert result.stderr == "Error: phosphene failed unexpectedly (ZeroDivisionError: a b); --debug shows where\n"
    for args in (["--debug", "nets"], ["nets", "--debug"]):
        assert isinstance(CliRunner().invoke(phosphene, args).exception, ZeroDivisionError)


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("phosphene.nets.names", interrupted)
    result = CliRunner().invoke(phosphene, ["nets"])
    assert result.exit_code == 130
    assert result.stderr == "stopped\n"


def test_threads_are_limited_and_no_compiler_is_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom phosphene.cli import main\n"
        "sys.argv = ['phosphene', *'imagine mixed3a:3 --net pocket --size 32 --steps 1 --threads 1 -o a.png'.split()]\n"
        "try: main()\n"
        "except SystemExit: import torch; print(torch.get_num_threads(), os.environ['GOMP_SPINCOUNT'])\n"
        "print(*{'torch._dynamo', 'sympy'} & {*sys.modules})"  # they take seconds
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT")}
    program = [sys.executable, "-c", code]
    result = subprocess.run(program, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    assert result.stdout.splitlines() == ["a.png", "1 1000", ""]


def test_more_threads_than_cores_are_refused() -> None:
    result = CliRunner().invoke(phosphene, ["nets", "--threads", "100000", "list"])
    assert result.exit_code == 2
    assert f"100000 is more than the {cores()} of this machine" in result.stderr


def test_the_package_is_a_program_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "phosphene", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in result.stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    program = forked.Program(forked.MAIN, "layers", "pocket")
    program.stdout.close()  # as `head -n 0` does
    assert (program.wait(), program.stderr.read()) == (0, b"")
    program.close()


def test_old_option_names_are_accepted() -> None:
    result = CliRunner().invoke(phosphene, ["imagine", "block1:1", "--thin", "2"])
    assert result.exit_code == 2
    assert "must be a number from 0 and below 1" in " ".join(result.stderr.split())

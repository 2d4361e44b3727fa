"""What can be asked for: nets, layers and labels, for people and for programs."""

from __future__ import annotations

import json

from click.testing import CliRunner

from phosphene.cli.root import phosphene


def output(*args: str) -> str:
    result = CliRunner().invoke(phosphene, args)
    assert result.exit_code == 0, result.output
    return result.stdout


def error(*args: str) -> str:
    result = CliRunner().invoke(phosphene, args)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    return result.stderr


def test_nets() -> None:
    assert "pocket" in output("nets")
    nets = {each["net"]: each for each in json.loads(output("nets", "--json"))}
    assert nets["pocket"]["labels"] == 200


def test_layers() -> None:
    lines = output("layers", "pocket").splitlines()
    assert lines[0].split() == ["layer", "channels", "sees", "stride"]
    assert lines[7].split() == ["mixed4c", "512", "144", "8"]
    assert lines[-1].split() == ["logits", "200", "-", "-"]
    assert json.loads(output("layers", "pocket", "--json"))[-1]["stride"] is None


def test_labels() -> None:
    assert len(json.loads(output("labels", "pocket", "--json"))) == 200
    assert "golden retriever" in output("labels", "pocket", "Retriever")


def test_misspelt_names_are_answered_with_the_nearest() -> None:
    assert error("layers", "poket") == "Error: no net named 'poket'; did you mean 'pocket'?\n"
    assert "did you mean 'golden retriever'" in error("labels", "pocket", "golden retreiver")

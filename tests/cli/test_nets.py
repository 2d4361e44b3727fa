"""Lists of nets, layers and labels, for people and for programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
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


def test_famous_nets_are_listed_and_described_without_being_fetched() -> None:
    nets = {each["net"]: each for each in json.loads(output("nets", "list", "--json"))}
    assert (nets["vgg16"]["here"], nets["vgg16"]["MB"], nets["vgg16"]["licence"]) == ("no", 553, "BSD-3-Clause")
    assert (nets["inception5h"]["labels"], nets["inception5h"]["target"]) == (1008, "mixed4c")
    layers = {each["layer"]: each for each in json.loads(output("layers", "googlenet", "--json"))}
    assert layers["inception_3b/5x5_reduce"]["stride"] == 8
    assert "banana" in output("labels", "resnet50", "banana")


def test_files_are_added_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.pth"
    file.write_bytes(b"no network")
    assert "must be SHA-256 beginning with 397923af" in error("nets", "add", "vgg16", str(file))
    assert "neither a state dict" in error("nets", "add", "vgg16", str(file), "--own")
    assert error("nets", "add", "vgg16", "nowhere.pth") == "Error: there is no file nowhere.pth\n"
    os.mkfifo(tmp_path / "pipe.pth")
    assert "pipe.pth is a device or pipe" in error("nets", "add", "vgg16", str(tmp_path / "pipe.pth"))
    assert "is a folder: give the model file" in error("nets", "add", "vgg16", str(tmp_path))
    assert output("nets", "remove", "vgg16") == "vgg16 is not here\n"
    assert "did you mean 'vgg16'" in error("nets", "fetch", "vgg6")


def test_layers() -> None:
    lines = output("layers", "pocket").splitlines()
    assert lines[0].split() == ["layer", "channels", "sees", "stride", "cost"]
    assert lines[7].split() == ["mixed4c", "512", "144", "8", "81448"]
    assert lines[-1].split() == ["logits", "200", "-", "-", "116012"]
    assert json.loads(output("layers", "pocket", "--json"))[-1]["stride"] is None


def test_labels() -> None:
    assert len(json.loads(output("labels", "pocket", "--json"))) == 200
    assert "golden retriever" in output("labels", "pocket", "Retriever")
    assert len(json.loads(output("labels", "lite", "dog", "--json", "-q"))) == 118
    assert output("labels", "lite", "--words", "dog").splitlines()[1].split(maxsplit=2) == [
        "118",
        "dog,",
        "domestic dog, Canis familiaris",
    ]
    assert "of that kind" in error("labels", "pocket", "zebra")


def test_misspelt_names_are_answered_with_the_nearest() -> None:
    assert error("layers", "poket") == "Error: no net named 'poket'; did you mean 'pocket'?\n"
    assert "did you mean 'golden retriever'" in error("labels", "pocket", "golden retreiver")

"""Every objective is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phosphene import objectives
from phosphene.objectives import Leaf, parse
from phosphene.objectives.function import Function, functions

DOCS = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", objectives.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    assert getattr(objectives, name).__doc__
    assert f"`{name}" in DOCS


LEAVES = [leaf for leaf in Leaf.__subclasses__() if leaf is not Function] + list(
    map(functions().__getitem__, functions())
)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_leaf_is_public_and_documented(leaf: type[Leaf]) -> None:
    assert leaf.__name__ in objectives.__all__
    assert f"`{leaf.__name__}" in DOCS


@pytest.mark.parametrize("text", re.findall(r"^\| `([^`]+)` \|", DOCS, flags=re.MULTILINE))
def test_every_example_in_the_tables_is_read_back(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


def test_there_are_examples() -> None:
    assert len(re.findall(r"^\| `[^`]+` \|", DOCS, flags=re.MULTILINE)) >= 10

"""`phosphene imagine`: names of files, counts, and pictures that can be rendered again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.media.image import read_image
from tests.cli.program import run

pytestmark = pytest.mark.usefixtures("folder")

FEW = ["--size", "40", "--steps", "2", "--sketches", "1", "--sketch-steps", "1", "--views", "1"]
QUICK = [*FEW, "--ensemble", "none", "--focus", "0", "--calm", "0"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("banana", "banana.png"),
        ("goldfish + chihuahua", "goldfish-chihuahua.png"),
        ("block3:13", "block3-13.png"),
        ("class:12", "class-12.png"),
    ],
)
def test_the_result_is_named_after_the_text(text: str, name: str) -> None:
    result = run("imagine", text, *QUICK)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{name}\n", "")
    assert read_image(name).size == (40, 40)
    assert json.loads(run("show", name).stdout)["target"] == text


def test_words_need_no_quotes() -> None:
    assert run("imagine", "golden", "retriever", *QUICK, "-o", "a.png").exit_code == 0
    assert json.loads(run("show", "a.png").stdout)["target"] == "golden retriever"


def test_several_are_numbered_differ_and_can_be_rendered_again() -> None:
    result = run("imagine", "banana", *QUICK, "--count", "2", "--size", "40x32", "-o", "b.png")
    assert result.stdout == "b-1.png\nb-2.png\n"
    first, second = read_image("b-1.png"), read_image("b-2.png")
    assert first.size == second.size == (32, 40)
    assert not first.image.equal(second.image)
    assert run("again", "b-2.png").stdout == "b-2-again.png\n"
    assert read_image("b-2-again.png").image.equal(second.image)


def test_the_same_seed_is_the_same_picture() -> None:
    for name, seed in (("a.png", "1"), ("b.png", "1"), ("c.png", "2")):
        run("imagine", "banana", *QUICK, "--seed", seed, "-o", name)
    a, b, c = (read_image(name).image for name in ("a.png", "b.png", "c.png"))
    assert a.equal(b)
    assert not a.equal(c)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["bananna"], 1, "did you mean 'banana'"),
        (["banana +"], 1, "Error"),
        ([""], 1, "target must be text that is not empty"),
        (["banana", "--net", "poket"], 1, "did you mean 'pocket'"),
        (["banana", *QUICK, "-o", "no/such.png"], 1, "there is no folder"),
        (["banana", "--count", "0"], 2, "from 1 to 64"),
        (["banana", "--zoom", "wide"], 2, "LEAST-GREATEST"),
    ],
)
def test_mistakes(args: list[str], code: int, said: str, folder: Path) -> None:
    result = run("imagine", *args)
    assert result.exit_code == code
    if code == 1:
        assert result.stderr.count("\n") == 1
    assert said in " ".join(result.stderr.split())
    assert list(folder.iterdir()) == []


def test_labels_are_imagined_by_an_ensemble_that_the_recipe_names() -> None:
    run("imagine", "banana", *FEW, "-o", "two.png")
    run("imagine", "banana", *FEW, "--ensemble", "none", "-o", "one.png")
    run("imagine", "block3:13", *FEW, "-o", "channel.png")
    recipe = json.loads(run("show", "two.png").stdout)
    assert [each["name"] for each in recipe["ensemble"]] == ["lite-clean"]
    assert json.loads(run("show", "one.png").stdout)["ensemble"] == []
    assert json.loads(run("show", "channel.png").stdout)["ensemble"] == []  # another network has other channels
    two, one = (read_image(name).image for name in ("two.png", "one.png"))
    assert not two.equal(one)
    assert run("again", "two.png", "-o", "again.png").exit_code == 0
    assert read_image("again.png").image.equal(two)


def test_every_network_has_the_defaults_that_suit_it() -> None:
    run("imagine", "banana", "--net", "pocket", "--size", "40", "--steps", "1", "--sketches", "1", "-o", "pocket.png")
    recipe = json.loads(run("show", "pocket.png").stdout)
    assert (recipe["views"], recipe["channel_dropout"], recipe["focus"], recipe["ensemble"]) == (8, 0.1, 0.0, [])

"""Recipes: what they may say, how a broken one is answered, and that text gives back the same recipe."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene import recipe as recipes
from phosphene.errors import RecipeError, SettingError, UnknownNameError
from phosphene.kinds import KINDS
from phosphene.recipe import DreamRecipe, ImagineRecipe, Noise, Photo
from phosphene.recipe.films import ZoomRecipe
from phosphene.recipe.presets import PRESETS as ALL_PRESETS

DREAM: dict[str, Any] = {"kind": "dream", "version": 1, "source": {"path": "sky.jpg"}}

sides = st.integers(1, 100_000)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
hashes = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)
sources = st.builds(Photo, path=st.none() | texts, sha256=hashes, size=st.none() | st.tuples(sides, sides)) | st.builds(
    Noise, noise=st.tuples(sides, sides)
)
dreams = st.builds(
    DreamRecipe,
    automatic=st.lists(st.sampled_from(recipes.settings_of(DreamRecipe))).map(tuple),
    source=sources,
    target=st.none() | texts,
    size=st.none() | sides | st.tuples(sides, sides),
    octaves=st.integers(1, 30) | st.just("auto"),
    octave_scale=st.floats(1.001, 4),
    steps=st.integers(0, 10_000),
    step_size=st.floats(1e-9, 1),
    seed=st.integers(0, 2**32 - 1),
)
imagined = st.builds(ImagineRecipe, target=texts, size=sides | st.tuples(sides, sides), seed=st.integers(0, 2**32 - 1))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(dreams | imagined)
def test_text_gives_the_same_recipe_back(recipe: recipes.Recipe) -> None:
    assert recipes.loads(recipes.dumps(recipe)) == recipe


@given(dreams | imagined)
def test_every_setting_is_written_out(recipe: recipes.Recipe) -> None:
    assert set(json.loads(recipes.dumps(recipe))) == set(type(recipe).model_fields)


@given(st.text() | st.binary())
def test_any_text_is_answered_with_one_line(text: str | bytes) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.loads(text)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(list(KINDS)), st.data())
def test_any_values_are_answered_with_one_line(kind: str, data: st.DataObject) -> None:
    fields = list(KINDS[kind].recipe.model_fields)
    names = st.sampled_from(fields) | st.text(max_size=8)
    values = data.draw(st.dictionaries(names, json_values, max_size=5))
    message = ""
    try:
        recipes.loads(json.dumps({"target": "eye", **DREAM, **values, "kind": kind}))
    except RecipeError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 300


@given(dreams, st.data())
def test_a_truncated_recipe_is_answered(recipe: DreamRecipe, data: st.DataObject) -> None:
    text = recipes.dumps(recipe)
    with pytest.raises(RecipeError, match="not JSON"):
        recipes.loads(text[: data.draw(st.integers(0, len(text) - 1))])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"octaves": "many"}, "octaves must be a whole number from 1 to 1000, or auto, but is 'many'"),
        ({"steps": 2.5}, "steps must be a whole number from 0 to 10000, but is 2.5"),
        ({"steps": True}, "steps must be a whole number from 0 to 10000, but is True"),
        ({"octave": 4}, "no field named 'octave'; did you mean 'octaves' or 'octave_scale'?"),
        ({"source": {"path": 3}}, "source.path must be text, but is 3"),
        ({"source": {"noise": [0, 9]}}, r"source.noise must be .*\[height, width\] in pixels, but is"),
        (
            {"source": {"path": "a", "sha265": "b"}},
            "no field named 'sha265' in source; did you mean 'sha256'?",
        ),
        (
            {"net": {"name": "pocket", "sha256": "12"}},
            "net.sha256 must be 64 hexadecimal digits, but is '12'",
        ),
        (
            {"kind": "draem"},
            "kind in the recipe must be 'dream' or .*, but is 'draem'",
        ),
        ({"version": 4}, r"of version 4, but this phosphene \(.*\) reads up to version 3: install a newer"),
        ({"automatic": ["colour"]}, "automatic must be a list of settings"),
    ],
)
def test_errors_name_the_field_what_it_is_and_what_it_must_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("?", r"\?")):
        recipes.loads(json.dumps({**DREAM, **change}))


def test_the_file_is_named_where_it_is_known() -> None:
    with pytest.raises(RecipeError, match=r"the recipe in dream\.png is not JSON") as caught:
        recipes.loads("{", path="dream.png")
    assert caught.value.path == "dream.png"


def test_depth_and_length_do_not_crash_the_reader() -> None:
    for text in (
        "[" * 100_000,
        '{"kind":' * 10_000,
        json.dumps({**DREAM, "seed": 0})[:-2] + "9" * 5000 + "}",
    ):
        with pytest.raises(RecipeError):
            recipes.loads(text)


def test_a_pick_is_one_of_the_pictures() -> None:
    with pytest.raises(RecipeError, match="pick must be at most count, 2, but is 3"):
        recipes.loads('{"kind": "imagine", "target": "eye", "count": 2, "pick": 3}')
    two = ImagineRecipe(target="eye", count=2)
    assert [each.pick for each in two.pictures()] == [1, 2]  # type: ignore[union-attr]
    (second,) = two.pictures()[1].pictures()
    assert recipes.override(second, {"seed": 1}).pick == 2  # type: ignore[union-attr]
    assert recipes.override(second, {"count": 1}).pick is None  # type: ignore[union-attr]


def test_a_recipe_by_hand_may_leave_out_what_has_a_default() -> None:
    recipe = recipes.loads('{"kind": "dream", "source": {"noise": [48, 64]}, "net": "lite", "size": "80x60"}')
    assert recipe == DreamRecipe(source=Noise(noise=(48, 64)), size=(60, 80))


def test_dreams_before_version_3_have_no_margin() -> None:
    text = '{"kind": "dream", "version": %d, "source": {"path": "sky.jpg"}}'
    margins = [recipes.loads(text % version).margin for version in (1, 2, 3)]  # type: ignore[union-attr]
    assert margins == [0, 0, 16]


def test_recipes_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        recipes.loads(json.dumps(DREAM)).seed = 3


def test_settings_are_asked_for_by_name() -> None:
    photo = Photo(path="sky.jpg")
    assert recipes.validate(DreamRecipe, {"size": "640x480", "steps": 3}, source=photo).size == (480, 640)
    with pytest.raises(UnknownNameError, match="no setting named 'jiter' in dream recipes; did you mean 'jitter'"):
        recipes.validate(DreamRecipe, {"jiter": 3}, source=photo)
    with pytest.raises(SettingError, match="jitter must be a whole number from 0 to 512, but is -1") as caught:
        recipes.validate(DreamRecipe, {"jitter": -1}, source=photo)
    assert (caught.value.setting, caught.value.value) == ("jitter", -1)


def test_an_override_makes_automatic_choices_again() -> None:
    recipe = DreamRecipe(source=Photo(path="a.jpg"), size=(30, 40), octaves=3, steps=7, automatic=("size", "octaves"))
    assert recipes.override(recipe, {}) is recipe
    changed = recipes.override(recipe, {"seed": 5})
    assert (changed.seed, changed.steps, changed.size, changed.octaves) == (5, 7, None, "auto")
    assert changed.automatic == ()


@pytest.mark.parametrize(
    ("folder", "path"),
    [("/photos", "2015/sky.jpg"), ("/photos/2015", "sky.jpg"), ("/photos/dreams", "sky.jpg"), ("/home/me", "sky.jpg")],
)
def test_a_source_outside_the_results_folder_is_named_without_its_folders(folder: str, path: str) -> None:
    recipe = DreamRecipe(source=Photo(path="/photos/2015/sky.jpg"))
    source = recipes.relative_to(recipe, folder).source
    assert isinstance(source, Photo)
    assert source.path == path


def test_old_names_of_settings_are_accepted() -> None:
    text = '{"kind": "imagine", "version": 1, "target": "eye", "thin": 0.3, "automatic": ["thin"]}'
    recipe = recipes.loads(text)
    assert isinstance(recipe, ImagineRecipe)
    assert (recipe.channel_dropout, recipe.automatic) == (0.3, ("channel_dropout",))
    assert recipes.loads(recipes.dumps(recipe)) == recipe
    assert recipes.override(recipe, {"thin": 0.1}) == recipes.override(recipe, {"channel_dropout": 0.1})


@pytest.mark.parametrize("fps", ["1e99999999", "30/0", "-3", "1/9999999999", "nan"])
def test_frame_rates_that_are_none_are_answered_at_once(fps: str) -> None:
    text = json.dumps({"kind": "zoom", "source": {"noise": [8, 8]}, "fps": fps})
    with pytest.raises(RecipeError, match="fps must be"):
        recipes.loads(text)


@pytest.mark.parametrize("name", ALL_PRESETS["dream"])
def test_presets_are_settings(name: str) -> None:
    recipes.validate(DreamRecipe, ALL_PRESETS["dream"][name].settings, source=Photo(path="a.jpg"))
    assert ALL_PRESETS["dream"][name].about.endswith(".")


def test_presets_of_the_other_kinds_fit_their_recipes() -> None:
    for preset in ALL_PRESETS["imagine"].values():
        recipes.validate(ImagineRecipe, preset.settings, target="banana")
    for preset in ALL_PRESETS["zoom"].values():
        recipes.validate(ZoomRecipe, preset.settings, source=Photo(path="a.jpg"))


@pytest.mark.parametrize("kind", [kind.recipe for kind in KINDS.values()])
def test_every_setting_has_a_description(kind: type[recipes.Recipe]) -> None:
    for name in recipes.settings_of(kind):
        description = kind.model_fields[name].description
        assert description, name
        assert re.fullmatch(r"[A-Z].*\.", description), name

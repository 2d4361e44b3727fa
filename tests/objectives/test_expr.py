"""The text of an objective is complete, and text that cannot be parsed is answered in one line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phosphene.errors import ExpressionError
from phosphene.objectives.base import Objective, Scaled, Sum
from phosphene.objectives.expr import parse
from phosphene.objectives.features import Channel, Class, Layer, Neuron, Word
from phosphene.objectives.functions.guide import Guide
from tests.objectives.expressions import objectives

a, b, c = Word("a"), Word("b"), Word("c")


@given(objectives())
@example(Scaled(-0.0, Sum((a, Scaled(-0.0, b)))))
@example(Sum((Sum((a, b)), Scaled(-2.0, Sum((b, c))), Scaled(-1.0, Scaled(-1.0, a)))))
@example(Sum((Word("guide"), Channel("class", 1), Word("2"), Class("2"), Word("1e-3 dogs"))))
def test_every_expression_is_read_back_from_its_text(objective: Objective) -> None:
    assert parse(str(objective)) == objective


@given(st.text("ab2.-+*() \"\\:@,/'", max_size=20) | st.text(max_size=20))
def test_any_text_is_an_expression_with_one_spelling_or_a_one_line_error(text: str) -> None:
    with suppress(ExpressionError):
        spelling = str(parse(text))
        assert str(parse(spelling)) == spelling
        return
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.text == text
    assert 0 <= caught.value.position <= len(text)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("mixed4c", Word("mixed4c")),
        ("inception_4c/output", Word("inception_4c/output")),
        ("layer1.0.conv2", Word("layer1.0.conv2")),
        ("3x3", Word("3x3")),
        ("golden \n retriever", Word("golden retriever")),
        ("mixed4c.3x3_reduce:013", Channel("mixed4c.3x3_reduce", 13)),
        ("mixed4c : 13 @ .5 , 1", Neuron("mixed4c", 13, 0.5, 1.0)),
        ("class:golden retriever", Class("golden retriever")),
        ("class:7", Class("7")),
        ("class", Word("class")),
        ('"class":7', Channel("class", 7)),
        (r'class:"a \"b\" \\ c"', Class(r'a "b" \ c')),
        ("guide(photo.jpg, mixed3b)", Guide("photo.jpg", "mixed3b")),
        ("guide(my photo (1).jpg ,mixed3b)", Guide("my photo (1).jpg", "mixed3b")),
        (r"guide(C:\photos\a-b.jpg, mixed3b)", Guide(r"C:\photos\a-b.jpg", "mixed3b")),
        ('guide("a,b.jpg", "odd + name")', Guide("a,b.jpg", "odd + name")),
        ("go-kart", Word("go-kart")),
        ("jack-o'-lantern", Word("jack-o'-lantern")),
        ("a - b", Sum((a, Scaled(-1.0, b)))),
        ("a -b", Sum((a, Scaled(-1.0, b)))),
        ("a- b", Sum((a, Scaled(-1.0, b)))),
        ("(a)-b", Sum((a, Scaled(-1.0, b)))),
        ("a - 2*b", Sum((a, Scaled(-2.0, b)))),
        ("a - (2*b)", Sum((a, Scaled(-1.0, Scaled(2.0, b))))),
        ("a + b + c", Sum((a, b, c))),
        ("a + (b + c)", Sum((a, Sum((b, c))))),
        ("1e-3*a", Scaled(0.001, a)),
        ("2e+3 * a", Scaled(2000.0, a)),
        ("a*2", Scaled(2.0, a)),
        ("a * -2", Scaled(-2.0, a)),
        ("2*a*3", Scaled(2.0, Scaled(3.0, a))),
        ("-a*2", Scaled(-1.0, Scaled(2.0, a))),
        ("- - a", Scaled(-1.0, Scaled(-1.0, a))),
        ("((a))", a),
    ],
)
def test_reads(text: str, objective: Objective) -> None:
    assert parse(text) == objective


def test_python_and_text_say_the_same() -> None:
    mixed, neuron = Channel("mixed4c", 13), Neuron("mixed4c", 13, 0.5, 0.25)
    assert parse("mixed4c:13 + 0.5*mixed4c:13@0.5,0.25 - class:banana") == mixed + 0.5 * neuron - Class("banana")
    assert parse("a - 2*b + c") == a - 2 * b + c
    assert parse("2*(a + b)") == (a + b) * 2
    assert str(Layer("mixed4c") - 3 * Layer("2")) == 'mixed4c - 3*"2"'


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "empty: expected a target"),
        (" \n", 0, "empty: expected a target"),
        ("2", 1, "a number alone"),
        ("a - 2", 5, "a number alone"),
        ("2 dogs", 2, "a number alone"),
        ("a +", 3, "expected a target"),
        ("a + * b", 4, "expected a target"),
        ("a * b", 4, "expected a number"),
        ("a / b", 2, "expected '+'"),
        ("a × b", 2, "expected '+'"),
        ("'a'", 0, "expected a target"),
        ("(a", 2, "')'"),
        ("a)", 1, "the end"),
        ("a:", 2, "expected a channel's number"),
        ("a:x", 2, "expected a channel's number"),
        ("a:13-b", 2, "expected a channel's number"),
        ("a:" + "9" * 5000, 2, "expected a channel's number"),
        ("a@0.5,0.5", 1, "mixed4c:13@0.5,0.5"),
        ("a:1@0.5", 7, "','"),
        ("a:1@-1,0", 4, "from 0 (left) to 1 (right)"),
        ("b + a:1@2,0", 4, "x must be from 0 to 1, 2.0 given"),
        ("class:", 6, "label"),
        ("guide(a.jpg)", 11, "','"),
        ("guide(, b)", 6, "path"),
        ("guide(a.jpg, b", 14, "')'"),
        ('a + "abc', 4, "not closed"),
        (r'"a\n"', 2, "backslash"),
        ('""', 0, "not empty"),
        ("a + 1e999*b", 4, "finite"),
        ("(" * 10_000, 64, "64 deep"),
        ("-" * 10_000 + "a", 0, "64 deep"),
        ("2*(b + " * 40 + "a" + ")" * 40, 52, "64 deep"),
        ("a" * 100_001, 100_000, "at most 100000"),
    ],
)
def test_says_what_was_expected_and_where(text: str, position: int, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert caught.value.position == position
    assert len(str(caught.value)) < 300


def test_a_sum_of_many_terms_is_not_deep() -> None:
    text = " + ".join(["a"] * 5000)
    assert len(parse(text).terms()) == 5000
    assert str(parse(text)) == text


def test_as_deep_as_is_allowed_is_read_back() -> None:
    objective = parse("-(" * 62 + "a" + ")" * 62)
    assert parse(str(objective)) == objective

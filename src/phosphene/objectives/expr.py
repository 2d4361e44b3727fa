"""The text of an objective: read here, and never evaluated. `docs/objectives.md` has the grammar."""

from __future__ import annotations

import re

from phosphene.errors import UnknownNameError
from phosphene.objectives.base import DEEPEST, Leaf, Objective, Scaled, Sum
from phosphene.objectives.features import ANY, Channel, Class, Layer, Neuron, Word
from phosphene.objectives.function import functions
from phosphene.objectives.masked import Masked
from phosphene.objectives.name import INDEX, LETTER, NAME, NUMBER, QUOTED, end_of_path, unquote
from phosphene.scanner import Scanner

__all__ = ["Channel", "Class", "Layer", "Neuron", "Scaled", "Sum", "Word", "parse"]

LONGEST = 100_000
"""Characters of a text: far beyond use, and read in a tenth of a second."""

_TARGET = "a target (a layer, a channel such as mixed4c:13, a class)"

_ANY = re.compile(rf"{ANY}(?!-?{LETTER})")

_ARGUMENTS = {"path": "a picture's path", "layer": "a layer", "number": "a number"}


def parse(text: str) -> Objective:
    """Parse the text of an objective; `str` gives the text back.

    >>> print(parse("mixed4c + 0.5*class:banana - mixed4c:13"))
    mixed4c + 0.5*class:banana - mixed4c:13

    Only the form is read: whether a net has such names is found by `resolve`. Raises `ExpressionError`, with
    the position and what was expected there.
    """
    return _Parser(text).whole()


class _Parser(Scanner):
    """Recursive descent; `opened` is how many parentheses are open."""

    number_form = NUMBER

    def __init__(self, text: str) -> None:
        super().__init__(text, LONGEST, "target", _TARGET)
        self.opened = 0

    def whole(self) -> Objective:
        objective = self.sum()
        if self.peek() == "@":
            self.expected("':' and a channel before '@', as in mixed4c:13@0.5,0.5")
        if self.peek():
            self.expected("'+', '-', '*' or the end")
        return objective

    def sum(self) -> Objective:
        start = self.at
        parts = [self.term()]
        while (sign := self.peek()) in ("+", "-"):
            self.at += sign == "+"  # a minus is left for the term: `a - 2*b` is `a` and `-2*b`
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else self.build(start, lambda: Sum(tuple(parts)))

    def term(self) -> Objective:
        """{'-' | number '*'} factor {'*' number}"""
        self.peek()
        start = self.at
        before: list[float] = []
        while True:
            minus = self.accept("-")
            number = self.number()
            if number is None and not minus:
                break
            if number is not None and not self.accept("*"):
                self.expected("'*' and a target, as a number alone is none")
            before.append((-1.0 if minus else 1.0) * (1.0 if number is None else number))
        objective = self.factor()
        after: list[float] = []
        while self.accept("*"):
            minus = self.accept("-")
            number = self.number()
            if number is None:
                self.expected("a number (a target is multiplied by numbers only)")
            after.append(-number if minus else number)
        for coefficient in (*after, *reversed(before)):
            objective = self.scaled(start, coefficient, objective)
        return objective

    def scaled(self, start: int, coefficient: float, objective: Objective) -> Objective:
        return self.build(start, lambda: Scaled(coefficient, objective))

    def factor(self) -> Objective:
        if not self.accept("("):
            return self.leaf()
        if self.opened == DEEPEST:
            self.fail(f"parentheses stand more than {DEEPEST} deep in one another", self.at - 1)
        self.opened += 1
        objective = self.sum()
        if not self.accept(")"):
            self.expected("'+', '-', '*' or ')'")
        self.opened -= 1
        return objective

    def leaf(self) -> Objective:
        bare = self.peek() != '"'
        start = self.at
        name = self.name(_TARGET)
        if bare and self.peek() == "(":
            if name == "masked":
                return self.masked(start)
            return self.function(name, start)
        if not self.accept(":"):
            return self.build(start, lambda: Word(name))
        if bare and name == "class":
            label = self.name("a class's label or number")
            any = self.accept(":")
            if any and not self.any():
                self.expected(f"'{ANY}', as in class:dog:any")
            return self.build(start, lambda: Class(label, any=any))
        if self.any():
            return self.build(start, lambda: Word(name, any=True))
        index = self.index()
        if not self.accept("@"):
            return self.build(start, lambda: Channel(name, index))
        x = self.place("x, a number from 0 (left) to 1 (right)")
        if not self.accept(","):
            self.expected("',' and y, as in mixed4c:13@0.5,0.5")
        y = self.place("y, a number from 0 (top) to 1 (bottom)")
        return self.build(start, lambda: Neuron(name, index, x, y))

    def masked(self, start: int) -> Objective:
        """'masked' '(' sum ',' path ')'"""
        self.accept("(")
        if self.opened == DEEPEST:
            self.fail(f"parentheses stand more than {DEEPEST} deep in one another", self.at - 1)
        self.opened += 1
        objective = self.sum()
        if not self.accept(","):
            self.expected("',' and the picture that says where, as in masked(mixed4c, mask.png)")
        path = self.path("the picture that says where")
        if not self.accept(")"):
            self.expected("')', as in masked(mixed4c, mask.png)")
        self.opened -= 1
        return self.build(start, lambda: Masked(objective, path))

    def function(self, name: str, start: int) -> Leaf:
        """name '(' argument {',' argument} ')'"""
        try:
            kind = functions()[name]
        except UnknownNameError as problem:
            self.fail(str(problem), start)
        self.accept("(")
        values = []
        for index, (argument, form) in enumerate(kind.arguments.items()):
            what = _ARGUMENTS[form] if form == argument else f"{argument}, {_ARGUMENTS[form]}"
            if index and not self.accept(","):
                self.expected(f"',' and {what}, as in {kind.example}")
            values.append(self.argument(form, what))
        if not self.accept(")"):
            self.expected(f"')', as in {kind.example}")
        return self.build(start, lambda: kind(*values))

    def argument(self, form: str, what: str) -> str | float:
        match form:
            case "path":
                return self.path(what)
            case "layer":
                return self.name(what)
            case _:
                minus = self.accept("-")
                number = self.number()
                if number is None:
                    self.expected(what)
                return -number if minus else number

    def path(self, what: str) -> str:
        if self.peek() == '"':
            return self.quoted()
        end = end_of_path(self.text, self.at)
        path = self.text[self.at : end].rstrip()
        if not path:
            self.expected(what)
        self.at = end
        return path

    def name(self, what: str) -> str:
        if self.peek() == '"':
            return self.quoted()
        found = self.match(NAME)
        if found is None:
            self.expected(what)
        return " ".join(found.group().split())

    def quoted(self) -> str:
        found = self.match(QUOTED)
        if found is None:
            end = re.compile(r'"(?:[^"\\]|\\["\\])*').match(self.text, self.at)
            assert end is not None, "a quote stands here"
            if end.end() < len(self.text) - 1:
                self.fail(r"in quotes a backslash stands only before \ or a quote", end.end())
            self.fail("these quotes are not closed", self.at)
        return unquote(found.group(1))

    def index(self) -> int:
        self.peek()
        found = self.match(INDEX)
        if found is None:
            self.expected("a channel's number, alone (white space sets a minus apart from it)")
        return int(found.group())

    def any(self) -> bool:
        self.peek()
        return self.match(_ANY) is not None

    def place(self, what: str) -> float:
        number = self.number()
        if number is None:
            self.expected(what)
        return number

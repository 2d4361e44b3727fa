"""Text that is read by recursive descent: the position, what stands there, and errors that say where.

The languages of objectives and of formulas are parsers on top of this. Free of torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from phosphene.errors import ExpressionError, SettingError

_EXCERPT = 30

T = TypeVar("T")


class Scanner:
    """A text and a position in it.

    Args:
        text: what is read.
        longest: the most characters of a text; longer ones are answered at once.
        what: what the text is, for errors: "target", "formula".
        example: what is expected where the text is empty.

    Raises:
        ExpressionError: for a text that is too long; later with the position of whatever is wrong.
    """

    number_form: re.Pattern[str]

    def __init__(self, text: str, longest: int, what: str, example: str) -> None:
        self.text = text
        self.at = 0
        self._what = what
        self._example = example
        if len(text) > longest:
            self.fail(f"a {what} has at most {longest} characters, this one has {len(text)}", longest)

    def number(self) -> float | None:
        """Read a number, as `number_form` says; None and no move if there is none."""
        self.peek()
        found = self.match(self.number_form)
        return None if found is None else float(found.group())

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what `pattern` matches; None and no move if it matches nothing here."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def accept(self, sign: str) -> bool:
        """Read one character if it is next."""
        found = self.peek() == sign
        self.at += found
        return found

    def peek(self) -> str:
        """Move to the next character that is not white space and return it; empty at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def build(self, start: int, make: Callable[[], T]) -> T:
        """Build a node with `make`; add the position in the text to its error."""
        try:
            return make()
        except SettingError as problem:
            self.fail(str(problem), start)

    def expected(self, what: str) -> NoReturn:
        """Raise: something else is expected here."""
        sign = self.peek()
        self.fail(f"expected {what}, found {sign!r}" if sign else f"expected {what}, but the text ends", self.at)

    def fail(self, message: str, position: int) -> NoReturn:
        """Raise, with an excerpt of the text around `position`."""
        if not self.text.strip():
            raise ExpressionError(f"the {self._what} is empty: expected {self._example}", text=self.text, position=0)
        start, end = max(0, position - _EXCERPT), position + _EXCERPT
        shown = ("…" if start else "") + self.text[start:end] + ("…" if end < len(self.text) else "")
        raise ExpressionError(f"{message} (character {position + 1} of {shown!r})", text=self.text, position=position)

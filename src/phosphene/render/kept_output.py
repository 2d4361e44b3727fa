"""A place for a result whose state is kept beside it, in a work folder, until the result is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phosphene.loops.step import Step, pack
from phosphene.media.work import WorkFolder
from phosphene.recipe import BaseRecipe, digest
from phosphene.render.environment import about
from phosphene.render.job import Output


class KeptOutput(Output):
    """Where a result will be; the work folder beside it has the newest state.

    Args:
        path: where the result will be.
        recipe: what is made; work that was begun with another recipe is refused.
        environment: what the bytes of the result depend on besides the recipe.
        facts: what else identifies the work.
        fresh: start over instead of continuing.
        eager: make the folder at once, not with the first state.

    Raises:
        OutputError: if the folder is in use, belongs to other work, or cannot be written.
    """

    due = False

    def __init__(
        self,
        path: Path,
        recipe: BaseRecipe,
        environment: Mapping[str, object],
        *,
        facts: Mapping[str, object] | None = None,
        fresh: bool,
        eager: bool = False,
    ) -> None:
        known = {"recipe": digest(recipe), **(facts or {})}
        self._folder = WorkFolder(path, known, environment, about=about(recipe), fresh=fresh, eager=eager)
        self.state, self.note = self._folder.state, self._folder.note

    def add(self, step: Step) -> None:
        """Do nothing: the result is written when it is finished."""

    def checkpoint(self, step: Step) -> None:
        """Keep the state, and how far the work has come."""
        self._folder.keep_state(self._folder.index + 1, pack(step.state), step.progress)

    def close(self) -> None:
        """Let other processes have the place; what was kept stays."""
        self._folder.close()

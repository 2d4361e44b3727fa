"""Short work is begun without telling how long it takes: whether it is worth telling depends on the machine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.cli import follow

    monkeypatch.setattr(follow, "TELL", follow.ASK_OF_FILES)

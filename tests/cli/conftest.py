"""How long work takes is not estimated, except where that is tested: it costs a second, and depends on the machine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _not_estimated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.module.__name__ == "tests.cli.test_strangers":
        return
    from phosphene.render import estimate

    monkeypatch.setattr(estimate, "seconds", lambda net, load: 0.0)

"""Workers that are in the test's own process."""

from __future__ import annotations

import pytest

from phosphene import nets
from phosphene.cluster.crew import Workers
from phosphene.cluster.worker import Setup
from phosphene.render import estimate
from tests.cluster.in_process import Backwards
from tests.tinynet import tiny_net


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> list[Backwards]:
    """Let workers be in this process, and every network the tiny one; return the workers that have begun."""
    begun: list[Backwards] = []

    def pool(_: Workers, setup: Setup) -> Backwards:
        begun.append(Backwards(setup))
        return begun[-1]

    monkeypatch.setattr(Workers, "_pool", pool)
    monkeypatch.setattr(estimate, "seconds", lambda net, load: 0.0)
    monkeypatch.setattr(nets, "load", lambda *_, **__: tiny_net())
    return begun

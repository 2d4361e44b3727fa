"""Facts that the bytes of a result depend on besides its recipe: versions, processor and threads."""

from __future__ import annotations

import torch

from phosphene import __version__
from phosphene.cluster.crew import Workers
from phosphene.recipe import BaseRecipe


def environment(device: torch.device, workers: Workers | None = None) -> dict[str, object]:
    """Return what must be the same for unfinished work to end with the same bytes, whoever does it."""
    return {
        "phosphene": __version__,
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability() + (" AMX" if torch.cpu._is_amx_tile_supported() else ""),
        "device": str(device),
        "threads": torch.get_num_threads() if workers is None else workers.threads,
    }


def about(recipe: BaseRecipe) -> dict[str, object]:
    """Return what a list of unfinished work says of a recipe's work."""
    return {"kind": recipe.kind, "target": recipe.model_dump().get("target")}

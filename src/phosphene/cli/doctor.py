"""`phosphene doctor`: what is installed, what the machine has, and whether a dream works on it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
import time

import click

from phosphene import __version__
from phosphene.cli.root import Command, cores
from phosphene.cli.table import json_option, show

EXTRAS = {"video": ("av", "cv2"), "models": ("google.protobuf", "transformers")}
"""The modules that each extra installs."""

SECONDS = 10
"""About how long the check takes."""

FEWEST = 4
"""Steps of a check, however slow."""


@click.command(cls=Command)
@json_option
def doctor(as_json: bool) -> None:
    """Tell what is installed and which processor and card are used, and run a check of some seconds.

    \b
      phosphene doctor
      phosphene doctor --json
      phosphene doctor --threads 1

    Paste the output into a report of a problem. Exits 1 if the check fails.
    """
    rows = [{"what": name, "found": found} for name, found in _facts().items()]
    passed, check = _check()
    rows += [{"what": name, "found": found} for name, found in check.items()]
    show(rows, as_json)
    if not passed:
        click.get_current_context().exit(1)


def _facts() -> dict[str, str]:
    import torch

    from phosphene.cli import config
    from phosphene.media import memory
    from phosphene.nets.weights import store

    have = memory.available()
    capability = torch.backends.cpu.get_cpu_capability()
    units = [
        *(["AMX"] if torch.cpu._is_amx_tile_supported() else []),
        *(["AVX512-BF16"] if torch.cpu._is_avx512_bf16_supported() else []),
    ]
    if torch.cuda.is_available():
        card = torch.cuda.get_device_name()
    else:
        card = "Apple's (mps)" if torch.backends.mps.is_available() else "none that PyTorch can use"
    return {
        "phosphene": __version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "torch": torch.__version__,
        "libvips": importlib.metadata.version("pyvips"),
        **{f"extra {name}": _extra(name, modules) for name, modules in EXTRAS.items()},
        "system": platform.platform(),
        "processor": f"{cores()} cores, {capability}; 16-bit units: {', '.join(units) or 'none'}",
        "memory": "unknown" if have is None else f"{have / 1e9:.1f} GB available",
        "graphics card": card,
        "networks in": str(store.folder()),
        "settings in": str(config.path()),
    }


def _extra(name: str, modules: tuple[str, ...]) -> str:
    missing = [each for each in modules if not _has(each)]
    return f"not installed: pip install 'phosphene[{name}]'" if missing else "installed"


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _check() -> tuple[bool, dict[str, str]]:
    """Dream a small picture in each number format that is fast here; return whether scores rose, and how fast."""
    import torch

    from phosphene import api
    from phosphene.gradients.precision import choose_dtype
    from phosphene.recipe import Noise

    fast = str(choose_dtype("auto", torch.device("cpu"))).removeprefix("torch.")
    found, passed = {}, True
    for precision in dict.fromkeys(("float32", fast)):
        work = api.job("dream", Noise(noise=(256, 256)), octaves=1, steps=1000, precision=precision, device="cpu")
        began, scores = 0.0, []
        for event in work:
            scores.append(event.score or 0.0)
            began = began or time.monotonic()  # the first step prepares what the others use
            if len(scores) > FEWEST and time.monotonic() - began > SECONDS / 4:
                break
        rate = (len(scores) - 1) / (time.monotonic() - began)
        rises = scores[-1] > scores[0]
        passed &= rises
        found[f"check in {precision}"] = f"{rate:.1f} steps/s at 256 pixels; {'passed' if rises else 'FAILED: no rise'}"
    return passed, found

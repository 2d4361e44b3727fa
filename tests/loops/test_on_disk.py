"""A dream on a canvas on the disk is the dream on one in memory, whatever happens meanwhile."""

from __future__ import annotations

import os
import pickle
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.errors import OutputError, SettingError
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import canvas_for, jitter_of
from phosphene.loops.octaves import Bases, InMemory, octave_steps
from phosphene.loops.on_disk import OnDisk
from phosphene.loops.parts import Asked, Task
from phosphene.media.planes import Planes
from phosphene.nets.base import Net
from phosphene.nets.zoo.small import residual
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse
from phosphene.recipe.stills import DreamSettings
from phosphene.resampling import resize
from tests.tinynet import tiny_net

SIZES = [(32, 40), (45, 56), (63, 79)]
SETTINGS = DreamSettings(steps=2, jitter=9, step_size=0.03)


SPLIT = {"budget": 20_000}
"""What has `deep_net` gone through in two halves."""


def sizes_for(target: str) -> list[tuple[int, int]]:
    return [(60, 70), (110, 130), (150, 183)] if "block" in target else SIZES


@cache
def deep_net() -> Net:
    """A network whose deepest layer sees 68 pixels, and whose stride grows to 8 halfway."""
    structure = residual(2, channels=3, size=32, width=8)
    card = structure.card("deep", mean=(0.5,) * 3, std=(0.25,) * 3, labels=(("cat",), ("dog",)))
    torch.manual_seed(1)
    return structure.untrained(card).for_dreaming()


@cache
def engine_for(target: str, **options: Any) -> Engine:
    net = deep_net() if "block" in target else tiny_net()
    return Engine(net, resolve(parse(target), net.card), **{"precision": "float32", **options})


def photo() -> Tensor:
    return torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(4)) * 0.6 + 0.2


@pytest.fixture
def ram(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: there, commits wait for no disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


class Whole(Bases):
    def __init__(self, settings: DreamSettings, sizes: Sequence[tuple[int, int]] = SIZES) -> None:
        self._settings, self.sizes = settings, sizes

    def __getitem__(self, octave: int) -> Tensor:
        return resize(photo(), self.sizes[octave], self._settings.resampling)


def in_memory(target: str, settings: DreamSettings, sizes: int = len(SIZES)) -> InMemory:
    surface = InMemory(
        engine_for(target),
        Whole(settings, sizes_for(target)),
        settings,
        Arithmetic(1),
        lambda image: canvas_for(settings, image),
        jitter_of(settings),
    )
    surface.sizes = sizes_for(target)[:sizes]
    for _ in octave_steps(surface, settings.steps):
        pass
    return surface


def on_disk(target: str, settings: DreamSettings, store: Planes, **options: Any) -> OnDisk:
    """A surface for the second and third octave."""
    image = photo()
    return OnDisk(
        engine_for(target, **(SPLIT if "block" in target else {"tile": 24})),
        lambda rows, columns: image[:, :, slice(*rows), slice(*columns)],
        (90, 120),
        None,
        sizes_for(target),
        1,
        settings,
        Arithmetic(1),
        store,
        **{"strip": 1500, **options},
    )


def dreamt(surface: OnDisk, store: Planes, settings: DreamSettings, detail: Tensor | None) -> Tensor:
    """Begin or go on, to the end."""
    if surface.place() is None:
        assert detail is not None
        surface.begin(detail)
    for step in octave_steps(surface, settings.steps, surface.place()):
        assert step.image.shape == (1, 3, *surface.sizes[int(step.state["octave"])])
    height, width = surface.sizes[-1]
    return store.read(f"canvas-{len(surface.sizes) - 1}", (0, height), (0, width))


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        ("high", {}),
        ("dog + 0.5*low", {}),
        ("dog + 0.5*low", {"margin": 0}),
        ("high:3", {"shaping": "normalise", "headroom": 0.0}),
        ("middle", {"shaping": "blur", "resampling": "linear", "natural_colour": 0.0}),
        ("block4a", {}),
        ("dog + 0.5*block4a:3", {"margin": 0}),
    ],
)
def test_on_the_disk_and_in_memory_it_is_the_same_dream(target: str, changes: dict[str, Any], ram: Path) -> None:
    settings = SETTINGS.model_copy(update=changes)
    begun = in_memory(target, settings, 1).detail()
    store = Planes(ram / "canvas")
    found = dreamt(on_disk(target, settings, store), store, settings, begun)
    whole = in_memory(target, settings).image
    assert (whole - Whole(settings, sizes_for(target))[-1]).abs().max() > 0.02
    torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


def test_a_deep_layer_is_done_in_two_halves() -> None:
    for size in sizes_for("block4a")[1:]:
        split = engine_for("block4a", **SPLIT).split_tiling(size)
        assert split is not None
        assert split.middle.layer == "pool3"
        assert len(split.tiles) > 1
        assert len(split.rest.tiles) > 1
    assert engine_for("block3a", **SPLIT).split_tiling((110, 130)) is None


@dataclass(frozen=True)
class Elsewhere:
    """Workers in this process, to which tasks travel as bytes, and back."""

    net: Net
    count: int = 1
    ahead: int = 3

    def begin(self, task: Task, *, timed: bool = True) -> Asked:
        result = pickle.loads(pickle.dumps(task)).run(self.net)
        return Done(pickle.dumps(result))


@dataclass(frozen=True)
class Done:
    result: bytes

    def ready(self) -> bool:
        return True

    def __call__(self) -> Any:
        return pickle.loads(self.result)


def test_workers_do_both_halves_to_the_same_bytes(ram: Path) -> None:
    settings = SETTINGS.model_copy(update={"steps": 1})
    detail = torch.zeros(1, 3, *SIZES[0])
    target = "dog + block4a"
    found = []
    for crew in (None, Elsewhere(engine_for(target, **SPLIT).net)):
        store = Planes(ram / str(len(found)))
        found.append(dreamt(on_disk(target, settings, store, crew=crew), store, settings, detail))
    assert torch.equal(*found)


def test_the_last_look_is_the_canvas(ram: Path) -> None:
    store = Planes(ram / "canvas")
    surface = on_disk("high", SETTINGS, store)
    found = dreamt(surface, store, SETTINGS, torch.zeros(1, 3, *SIZES[0]))
    assert torch.equal(surface.image, found)
    again = on_disk("high", SETTINGS, Planes(ram / "canvas"))
    for _ in octave_steps(again, SETTINGS.steps, again.place()):
        pass
    assert torch.equal(again.image, found)


class Stop(BaseException):
    """A crash."""


class Fragile(Planes):
    """Planes that crash at the n-th write or place, before or after it is done; half of a write may be done.

    Every other crash is a disk that is full.
    """

    def __init__(self, folder: Path, crash_at: int) -> None:
        self.left, self._full = crash_at, crash_at % 2 == 0
        super().__init__(folder)

    def _crashes(self) -> bool:
        self.left -= 1
        return self.left == 0

    def _crash(self) -> None:
        if self._full:
            raise OSError(28, "No space left on device")
        raise Stop

    def _write(self, writes: Sequence[Any]) -> None:
        if self._crashes():
            for write in list(writes)[:1]:
                rows = write.pixels.shape[2] // 2 + 1
                part = self.plane(write.name)[:, write.top : write.top + rows, write.left :]
                part[..., : write.pixels.shape[3]] = write.pixels[0, :, :rows].numpy()
            self._crash()
        super()._write(writes)

    def commit(self, place: Mapping[str, Tensor], writes: Sequence[Any], *, again: bool) -> None:
        if self._crashes():
            self._crash()
        super().commit(place, writes, again=again)
        if self._crashes():
            self._crash()


@pytest.mark.parametrize(("target", "writes", "least"), [("high", 6, 50), ("block4a", 60, 10)])
def test_crashed_anywhere_it_ends_with_the_same_bytes(target: str, writes: int, least: int, ram: Path) -> None:
    settings = SETTINGS.model_copy(update={"steps": 1})
    store = Planes(ram / "whole")
    detail = torch.rand(1, 3, *SIZES[0], generator=torch.Generator().manual_seed(2)) * 0.1
    whole = dreamt(on_disk(target, settings, store, strip=2500), store, settings, detail)
    chance = random.Random(8)
    crashes, finished = 0, False
    while not finished:
        try:
            fragile = Fragile(ram / "broken", chance.randint(1, writes))
            found = dreamt(on_disk(target, settings, fragile, strip=2500), fragile, settings, detail)
            finished = True
        except (Stop, OSError, OutputError):
            crashes += 1
    assert crashes >= least
    assert torch.equal(found, whole)


def test_a_full_disk_is_an_error_after_which_it_goes_on(ram: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.media import planes

    settings = SETTINGS.model_copy(update={"steps": 1})
    detail = torch.zeros(1, 3, *SIZES[0])
    store = Planes(ram / "whole")
    whole = dreamt(on_disk("high", settings, store), store, settings, detail)

    def refuse(what: Callable[..., Any], after: int) -> Callable[..., Any]:
        left = after

        def sometimes(*given: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, "No space left on device")
            return what(*given)

        return sometimes

    def go_on() -> Tensor:
        broken = Planes(ram / "broken")
        return dreamt(on_disk("high", settings, broken), broken, settings, detail)

    for name in ("_take_room", "save"):
        for after in (1, 3):
            with monkeypatch.context() as patch:
                patch.setattr(planes, name, refuse(getattr(planes, name), after))
                with pytest.raises(OutputError, match="the disk is full"):
                    go_on()
    found = go_on()
    assert torch.equal(found, whole)
    assert not list((ram / "broken").glob(".*"))


def test_what_needs_the_whole_canvas_is_refused(ram: Path) -> None:
    store = Planes(ram / "canvas")
    with pytest.raises(SettingError, match="symmetric"):
        on_disk("high", SETTINGS.model_copy(update={"symmetry": "p4m"}), store)

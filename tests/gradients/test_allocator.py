from __future__ import annotations

import gc
import resource
import statistics
import sys
from collections.abc import Iterator

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from phosphene.gradients import allocator
from phosphene.gradients.engine import Engine
from phosphene.nets.zoo import pocket
from phosphene.objectives.base import resolve
from phosphene.objectives.features import Layer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is kept with glibc's help")

LARGE = 20 << 20


@pytest.fixture
def _kept() -> Iterator[None]:
    """Memory is kept, as the command line does."""
    allocator.keep_memory()
    yield
    allocator.keep_memory(False)


@pytest.mark.usefixtures("_kept")
def test_memory_is_used_again_and_given_back() -> None:
    net = pocket.load()
    engine = Engine(net, resolve(Layer("mixed3b"), net.card))
    image = torch.rand(1, 3, 256, 256)
    faults = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        engine(image)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert statistics.median(faults[2:]) < faults[0] / 5  # the first gives back what it frees
    resident = allocator.resident()
    del engine
    gc.collect()
    assert allocator.resident() < resident


@pytest.mark.usefixtures("_kept")
def test_no_more_lies_free_than_there_is_room_for() -> None:
    keeper = allocator.Keeper()
    shape = torch.Size([1])
    with keeper.step(shape, LARGE):
        pass
    for slack, given_back in ((10 * LARGE, False), (LARGE, True)):
        with keeper.step(shape, slack) as watch:
            torch.ones(3 * LARGE, dtype=torch.uint8)
            free = allocator.resident()
            watch()
            assert (allocator.resident() < free - 2 * LARGE) == given_back


@pytest.mark.parametrize("keeps", [False, True])
def test_only_a_program_that_asks_for_it_keeps_memory(keeps: bool) -> None:
    allocator.keep_memory(keeps)
    try:
        net = pocket.load()
        engine = Engine(net, resolve(Layer("mixed3a"), net.card))
        for _ in range(2):  # the first step at a size settles
            engine(torch.rand(1, 3, 64, 64))
        large = torch.ones(3 * LARGE, dtype=torch.uint8)
        before = allocator.resident()
        del large
        assert (allocator.resident() < before - 2 * LARGE) != keeps
        del engine
    finally:
        allocator.keep_memory(False)
        gc.collect()


@pytest.mark.parametrize("keeping", [allocator.watched, allocator.apart])
@pytest.mark.parametrize("count", [10, allocator.LARGE])
def test_an_operation_that_keeps_its_own_result_is_freed(keeping: type, count: int) -> None:
    looks = []
    x = torch.rand(count, requires_grad=True)
    with keeping(lambda: looks.append(1)):
        y = x.exp()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, y)
    assert len(looks) == 2 or count == 10
    storage = StorageWeakRef(y.untyped_storage())
    del y, gradient
    assert storage.expired()

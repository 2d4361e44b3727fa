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
from tests import forked

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
    code = (
        "import sys, torch\n"
        "from phosphene.gradients import allocator\n"
        "from phosphene.gradients.engine import Engine\n"
        "from phosphene.nets.zoo import pocket\n"
        "from phosphene.objectives.base import resolve\n"
        "from phosphene.objectives.features import Layer\n"
        "if sys.argv[1] == 'True': allocator.keep_memory()\n"
        "net = pocket.load()\n"
        "engine = Engine(net, resolve(Layer('mixed3a'), net.card))\n"
        "for _ in range(2): engine(torch.rand(1, 3, 64, 64))  # the first step at a size settles\n"
        "large = torch.ones(60 << 20, dtype=torch.uint8)\n"
        "before = allocator.resident()\n"
        "del large\n"
        "print(allocator.resident() < before - (40 << 20))\n"
    )
    result = forked.run(code, str(keeps))
    assert result.stdout.decode().strip() == str(not keeps), result.stderr


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

"""Anyone's own network: a module as it is, watched from outside.

Layers are the modules that `named_modules` has and whose output shows positions, found by one run on an
empty picture. Hooks stand only while a picture goes through, and the run stops behind the last of the
layers asked for.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import SettingError
from phosphene.nets.base import Net
from phosphene.nets.card import Card, InputSpec, LayerCard
from phosphene.nets.foreign.hooked import OUTPUT, Call, Tap, WatchedNet, at_rest, tensor_of
from phosphene.nets.foreign.layout import recognise
from phosphene.nets.ops.flops import CostCounter
from phosphene.types import Size

log = logging.getLogger(__name__)

Colour = tuple[float, float, float]


def wrap(
    module: nn.Module,
    *,
    mean: Colour = (0.0, 0.0, 0.0),
    std: Colour = (1.0, 1.0, 1.0),
    labels: Sequence[str | Sequence[str]] = (),
    name: str = "wrapped",
    input_size: int = 224,
) -> Net:
    """Any module that takes pictures `n 3 h w` as a network that can be dreamt with.

    >>> module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> net = wrap(module, input_size=64)
    >>> list(net.card.layers), net.card.layer("2").receptive
    (['0', '1', '2'], Field(start=-1, size=4, stride=2))
    >>> net(torch.rand(1, 3, 32, 48), ["2"])["2"].shape
    torch.Size([1, 8, 16, 24])

    Args:
        module: the network. It is neither copied nor changed: while it runs it is in evaluation mode and its
            weights get no gradients, afterwards it is as it was.
        mean: what it expects to be subtracted from pictures in [0, 1], for red, green and blue.
        std: what it expects them to be divided by.
        labels: the classes' names in their order, each one name or several.
        name: what the network is called in messages and recipes.
        native: the side in pixels of the pictures that it was trained on.

    Returns:
        A `Net` whose `card.layers` are the layers that can be dreamt.

    Raises:
        SettingError: if the module cannot run on pictures, has no layer with positions, or has another
        number of
            classes than there are labels.
    """
    return watch(module, mean=mean, std=std, labels=labels, name=name, input_size=input_size)


def watch(
    module: nn.Module,
    *,
    mean: Colour,
    std: Colour,
    labels: Sequence[str | Sequence[str]] = (),
    name: str,
    input_size: int,
    title: str = "",
    source: str = "",
    sha256: str = "",
    licence: str = "",
    call: Call | None = None,
    patch: int | None = None,
) -> WatchedNet:
    """What `wrap` does, for callers that know more: how to `call` the module, and the side of its patches."""
    if next(module.parameters(), None) is None:
        raise SettingError(f"{name} has no weights, so it is no network", setting="module")
    call = call or _plain
    try:
        taps, layers, scores = _look(module, call, _oblong(input_size, patch), patch, name)
    except SettingError:  # some networks take squares only
        taps, layers, scores = _look(module, call, (input_size, input_size), patch, name)
    spatial = [each for each in layers if taps[each].layout.kind != "vector"]
    if not spatial:
        raise SettingError(f"{name} has no layer whose output has positions (n c h w)", setting="module")
    classes = None
    if scores is not None:
        classes = OUTPUT if OUTPUT not in layers else f"{OUTPUT} of {name}"
        layers[classes] = LayerCard(classes, scores.shape[1], None, cost=layers[spatial[-1]].cost)
        labels = _labels(labels, scores.shape[1], name)
    card = Card(
        name=name,
        title=title or f"{type(module).__name__}, wrapped",
        input=InputSpec(mean=mean, std=std, size=input_size),
        layers=layers,
        labels=tuple((each,) if isinstance(each, str) else tuple(each) for each in labels),
        classes=classes,
        pooled=None,
        default_target=_usual_target(module, spatial),
        source=source or "a module in memory",
        sha256=sha256 or _digest(module),
        licence=licence or "unknown",
    )
    # Where a token stands is part of what it is: a tile's would be others, so tokens have no field of their
    # own.
    regular = [each for each in spatial if taps[each].layout.kind != "tokens"]
    return WatchedNet(card, module, taps, call).measured(regular).pooled(spatial)


def _usual_target(module: nn.Module, layers: Sequence[str]) -> str:
    """A layer two thirds up: the output of a block, if there are blocks."""
    blocks = [name for name in layers if next(module.get_submodule(name).children(), None) is not None]
    some = blocks or layers
    return some[len(some) * 2 // 3]


def _oblong(input_size: int, patch: int | None) -> Size:
    """A size that is no square, so that an output's rows and columns can be told apart."""
    unit = patch or 32
    rows = max(input_size // unit, 5 if patch else 2)
    return rows * unit, max(rows * 5 // 7, 1) * unit


def _digest(module: nn.Module) -> str:
    """The SHA-256 of a module's weights with their names, by which a recipe knows them again."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _plain(module: nn.Module, x: Tensor) -> object:
    return module(x)


def _labels(labels: Sequence[str | Sequence[str]], classes: int, name: str) -> Sequence[str | Sequence[str]]:
    if not labels:
        return [f"class {index}" for index in range(classes)]
    if len(labels) != classes:
        raise SettingError(
            f"{name} has {classes} classes, but there are {len(labels)} labels", setting="labels", value=len(labels)
        )
    return labels


@dataclass(frozen=True)
class _Seen:
    """What a module gave in one run: how often it was called, the last output's shape, the work done until
    then.
    """

    calls: int
    shape: tuple[int, ...]
    work: float


def _look(
    module: nn.Module, call: Call, size: Size, patch: int | None, name: str
) -> tuple[dict[str, Tap], dict[str, LayerCard], Tensor | None]:
    """Every module whose output can be shown, in the order of a run on a picture of `size`, and the class
    scores.
    """
    seen, scores = _watched(module, call, size, name)
    try:  # what differs for a picture of another size are the positions
        others, _ = _watched(module, call, (size[0] * 2, size[1] * 3), name)
    except SettingError:
        others = {}
    taps, layers = {}, {}
    for path, each in seen.items():
        other = others[path].shape if path in others else None
        layout = recognise(each.shape, size, other, patch)
        if layout is not None:
            shown = layout.apply(torch.empty(each.shape, device="meta"), size)
            taps[path] = Tap(path, each.calls, layout)
            layers[path] = LayerCard(path, shown.shape[1], None, cost=each.work / (size[0] * size[1]))
    return taps, layers, scores if scores is not None and scores.dim() == 2 else None


def _watched(module: nn.Module, call: Call, size: Size, name: str) -> tuple[dict[str, _Seen], Tensor | None]:
    """One run on an empty picture: what each module gave, in order, and what the module as a whole did."""
    seen: dict[str, _Seen] = {}
    counter, handles = CostCounter(), []

    def watcher(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            tensor = tensor_of(output)
            before = seen.pop(path, None)  # a module that is called again stands where it was last
            if tensor is not None:
                seen[path] = _Seen(before.calls + 1 if before else 1, tuple(tensor.shape), counter.multiply_adds)

        return hook

    weight = next(module.parameters())
    try:
        for path, each in module.named_modules():
            if path:
                handles.append(each.register_forward_hook(watcher(path)))
        with torch.no_grad(), at_rest(module), counter:
            output = call(module, torch.zeros(1, 3, *size, dtype=weight.dtype, device=weight.device))
    # The module's code is not ours, and may answer a picture with anything.
    except Exception as problem:
        reason = " ".join(str(problem).split())[:200]
        raise SettingError(
            f"{name} cannot run on a picture of {size[1]} x {size[0]} pixels ({type(problem).__name__}: {reason})",
            setting="module",
        ) from problem
    finally:
        for handle in handles:
            handle.remove()
    return seen, tensor_of(output)

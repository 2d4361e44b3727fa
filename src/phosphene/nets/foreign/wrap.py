"""Use any PyTorch module as a network, without changing it.

Layers are the modules in `named_modules` whose output has positions, found by a run on an empty image. Hooks exist only
during a run, which stops after the last layer that is needed.
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
from phosphene.nets.foreign.hooked import OUTPUT, Call, HookPoint, WatchedNet, frozen_eval, tensor_of
from phosphene.nets.foreign.layout import recognise
from phosphene.nets.measured import attach
from phosphene.nets.ops.flops import CostCounter
from phosphene.types import Size

log = logging.getLogger(__name__)

ChannelValues = tuple[float, ...]
"""One number per channel of the input."""


def wrap(
    module: nn.Module,
    *,
    mean: ChannelValues = (0.0, 0.0, 0.0),
    std: ChannelValues = (1.0, 1.0, 1.0),
    labels: Sequence[str | Sequence[str]] = (),
    name: str = "wrapped",
    input_size: int = 224,
    axes: tuple[str, str] = ("height", "width"),
) -> Net:
    """Return a network that runs `module`, which takes inputs `n c h w`, for dreaming.

    >>> module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> net = wrap(module, input_size=64)
    >>> list(net.card.layers), net.card.layer("2").receptive
    (['0', '1', '2'], Field(start=-1, size=4, stride=2))
    >>> net(torch.rand(1, 3, 32, 48), ["2"])["2"].shape
    torch.Size([1, 8, 16, 24])

    Args:
        module: the module. It is neither copied nor changed: during a run it is in evaluation mode and its weights get
            no gradients; afterwards both are as before.
        mean: subtracted from inputs in [0, 1]; one number per channel, so that three mean RGB images.
        std: what they are divided by after that; one number per channel.
        labels: the names of the classes in order, one or several for each.
        name: the network's name in messages and recipes.
        input_size: the side in pixels of the images that it was trained on.
        axes: the names of the input's two axes, ("time", "frequency") for a spectrogram.

    Returns:
        A `Net` whose `card.layers` are the layers that can be dreamt, with the activation statistics that were measured
        for these weights, if there are some (`phosphene.render.measuring.measure_folder`).

    Raises:
        SettingError: if `mean` and `std` differ in length, the module cannot run on such inputs, has no layer with
            positions, or has another number of classes than there are labels.
    """
    net = watch(module, mean=mean, std=std, labels=labels, name=name, input_size=input_size, axes=axes)
    net.card = attach(net.card)
    return net


def watch(
    module: nn.Module,
    *,
    mean: ChannelValues,
    std: ChannelValues,
    labels: Sequence[str | Sequence[str]] = (),
    name: str,
    input_size: int,
    axes: tuple[str, str] = ("height", "width"),
    title: str = "",
    source: str = "",
    sha256: str = "",
    licence: str = "",
    call: Call | None = None,
    patch: int | None = None,
) -> WatchedNet:
    """Do what `wrap` does, given how to `call` the module and the side of its patches in pixels."""
    if next(module.parameters(), None) is None:
        raise SettingError(f"a network must have weights, but {name} has none", setting="module")
    spec = InputSpec(channels=len(mean), mean=tuple(mean), std=tuple(std), axes=axes, size=input_size)
    call = call or _plain
    try:
        points, layers, scores = _examine(module, call, (spec.channels, *_oblong(input_size, patch)), patch, name)
    except SettingError:  # some networks accept only squares
        points, layers, scores = _examine(module, call, (spec.channels, input_size, input_size), patch, name)
    spatial = [each for each in layers if points[each].format.kind != "vector"]
    if not spatial:
        raise SettingError(
            f"{name} must have a layer whose output has positions (n c h w), but has none", setting="module"
        )
    classes = None
    if scores is not None:
        classes = OUTPUT if OUTPUT not in layers else f"{OUTPUT} of {name}"
        layers[classes] = LayerCard(classes, scores.shape[1], None, cost=layers[spatial[-1]].cost)
        labels = _labels(labels, scores.shape[1], name)
    card = Card(
        name=name,
        title=title or f"{type(module).__name__}, wrapped",
        input=spec,
        layers=layers,
        labels=tuple((each,) if isinstance(each, str) else tuple(each) for each in labels),
        classes=classes,
        pooled=None,
        default_target=_default_target(module, spatial),
        source=source or "a module in memory",
        sha256=sha256 or _digest(module),
        licence=licence or "unknown",
    )
    # Tokens depend on their position in the image, which would differ in a tile: they have no receptive field.
    regular = [each for each in spatial if points[each].format.kind != "tokens"]
    return WatchedNet(card, module, points, call).measured(regular).pooled(spatial)


def _default_target(module: nn.Module, layers: Sequence[str]) -> str:
    """Return a layer two thirds of the way up; the output of a block, if there are blocks."""
    blocks = [name for name in layers if next(module.get_submodule(name).children(), None) is not None]
    some = blocks or layers
    return some[len(some) * 2 // 3]


def _oblong(input_size: int, patch: int | None) -> Size:
    """Return a size that is not square, so that an output's rows and columns can be told apart."""
    unit = patch or 32
    rows = max(input_size // unit, 5 if patch else 2)
    return rows * unit, max(rows * 5 // 7, 1) * unit


def _digest(module: nn.Module) -> str:
    """Return the SHA-256 of a module's weights and their names, by which recipes identify them."""
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
    """A module in one run: how often it was called, its last output's shape, and the multiply-adds up to then."""

    calls: int
    shape: tuple[int, ...]
    multiply_adds: float


def _examine(
    module: nn.Module, call: Call, size: tuple[int, int, int], patch: int | None, name: str
) -> tuple[dict[str, HookPoint], dict[str, LayerCard], Tensor | None]:
    """Find the modules whose output is a layer, in the order of a run on an input of `size` (c h w), and the scores."""
    seen, scores = _watched(module, call, size, name)
    try:  # dimensions that differ for another size are positions
        others, _ = _watched(module, call, (size[0], size[1] * 2, size[2] * 3), name)
    except SettingError:
        others = {}
    points, layers = {}, {}
    for path, each in seen.items():
        other = others[path].shape if path in others else None
        format = recognise(each.shape, size[1:], other, patch)
        if format is not None:
            shown = format.apply(torch.empty(each.shape, device="meta"), size[1:])
            points[path] = HookPoint(path, each.calls, format)
            layers[path] = LayerCard(path, shown.shape[1], None, cost=each.multiply_adds / (size[1] * size[2]))
    return points, layers, scores if scores is not None and scores.dim() == 2 else None


def _watched(
    module: nn.Module, call: Call, size: tuple[int, int, int], name: str
) -> tuple[dict[str, _Seen], Tensor | None]:
    """Run on an empty input; return what was seen of each module, in order, and the output of the whole."""
    seen: dict[str, _Seen] = {}
    counter, handles = CostCounter(), []

    def watcher(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            tensor = tensor_of(output)
            before = seen.pop(path, None)  # a module that is called again counts where it ran last
            if tensor is not None:
                seen[path] = _Seen(before.calls + 1 if before else 1, tuple(tensor.shape), counter.multiply_adds)

        return hook

    weight = next(module.parameters())
    try:
        for path, each in module.named_modules():
            if path:
                handles.append(each.register_forward_hook(watcher(path)))
        with torch.no_grad(), frozen_eval(module), counter:
            output = call(module, torch.zeros(1, *size, dtype=weight.dtype, device=weight.device))
    # The module's code is not ours, and may raise anything.
    except Exception as problem:
        reason = " ".join(str(problem).split())[:200]
        channels, height, width = size
        raise SettingError(
            f"{name} cannot run on an image of {width} x {height} pixels and {channels} channels "
            f"({type(problem).__name__}: {reason})",
            setting="module",
        ) from problem
    finally:
        for handle in handles:
            handle.remove()
    return seen, tensor_of(output)

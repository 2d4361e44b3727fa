"""Networks that run a module unchanged: layers are the outputs of its submodules, read by temporary hooks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.nets.base import Net
from phosphene.nets.card import Card, LayerCard
from phosphene.nets.foreign import probe
from phosphene.nets.foreign.layout import ActivationFormat
from phosphene.types import Image

log = logging.getLogger(__name__)

Call = Callable[[nn.Module, Tensor], object]
"""Runs a module on normalised images; returns a tensor, or something else if there are no class scores."""

OUTPUT = "logits"
"""The layer name of the output of the module as a whole."""


class _StopForward(BaseException):
    """Stops a run after the last layer that is needed; not an `Exception`, which the module's own code might catch."""


@dataclass(frozen=True)
class HookPoint:
    """Where a layer is read: its module's name, the number of the module's call in a run, and the output's format."""

    module: str
    call: int
    format: ActivationFormat


class WatchedNet(Net):
    """A module whose layers are read by hooks that exist only while it runs. The module itself is never changed."""

    def __init__(
        self, card: Card, module: nn.Module, points: Mapping[str, HookPoint], call: Call, classifier: str | None = None
    ) -> None:
        super().__init__(card)
        self.module = module
        self._points, self._call, self._classifier = dict(points), call, classifier

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        wanted = {name: self.card.layer(name).name for name in layers}
        weight = next(self.module.parameters())
        x = self.card.normalise(image).to(weight.dtype)
        points = {name: self._points[name] for name in wanted.values() if name in self._points}
        found = _run(self.module, self._call, x, points, to_end=self.card.classes in wanted.values())
        size = (image.shape[-2], image.shape[-1])
        shown = {name: points[name].format.apply(output, size) for name, output in found.items() if name in points}
        if OUTPUT in found and self.card.classes:
            shown[self.card.classes] = found[OUTPUT]
        return {name: shown[layer] for name, layer in wanted.items()}

    def head(self, pooled: Tensor) -> Tensor:
        assert self._classifier is not None, "without `pooled` on its card, classes need the whole image"
        linear = self.module.get_submodule(self._classifier)
        with frozen_eval(linear):
            return linear(pooled.to(next(linear.parameters()).dtype)).to(pooled.dtype)

    def measured(self, names: list[str]) -> WatchedNet:
        """Return the same network with the receptive fields of layers `names` on its card."""
        device = next(self.module.parameters()).device

        def run(strip: Tensor) -> Mapping[str, Tensor]:
            return self(strip.to(device), names)

        try:
            fields = probe.fields(run, self.card.input.channels)
        except probe.RunError as problem:  # receptive fields are optional
            log.info("%s has no receptive fields: %s", self.card.name, problem)
            return self
        layers = dict(self.card.layers)
        for name, field in fields.items():
            layers[name] = LayerCard(name, layers[name].channels, field, cost=layers[name].cost)
        return WatchedNet(replace(self.card, layers=layers), self.module, self._points, self._call)

    def pooled(self, names: list[str]) -> WatchedNet:
        """Return the same network; if its class scores follow from the mean of one of `names`, its card says so."""
        classes = self.card.classes
        weight = next(self.module.parameters())
        side = self.card.input.size
        shape = (1, self.card.input.channels, side, side)
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(weight.device)
        for path, linear in reversed(list(self.module.named_modules())):
            if classes is None or not isinstance(linear, nn.Linear):
                continue
            if linear.out_features != self.card.layer(classes).channels:
                continue
            for name in reversed(names):
                layer = self.card.layer(name)
                if layer.channels != linear.in_features or layer.receptive is None:
                    continue
                with torch.no_grad():
                    found = self(image, [name, classes])
                    guess = linear(found[name].mean(dim=(2, 3)))
                if torch.allclose(guess, found[classes], rtol=1e-3, atol=1e-4 * float(guess.abs().max())):
                    card = replace(self.card, pooled=name)
                    return WatchedNet(card, self.module, self._points, self._call, classifier=path)
        return self


@contextmanager
def frozen_eval(module: nn.Module) -> Iterator[None]:
    """Put the module in evaluation mode, its weights without gradients, and restore both afterwards."""
    training = [each for each in module.modules() if each.training]
    learning = [each for each in module.parameters() if each.requires_grad and each.is_leaf]
    try:
        for each in training:
            each.training = False
        for weight in learning:
            weight.requires_grad_(False)
        yield
    finally:
        for each in training:
            each.training = True
        for weight in learning:
            weight.requires_grad_(True)


def _run(
    module: nn.Module, call: Call, x: Tensor, points: Mapping[str, HookPoint], *, to_end: bool
) -> dict[str, Tensor]:
    """Return the raw outputs at `points`, and with `to_end` the module's own as `OUTPUT`."""
    found: dict[str, Tensor] = {}
    calls = dict.fromkeys((point.module for point in points.values()), 0)
    names = {point.module: name for name, point in points.items()}
    handles = []

    def keep(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            calls[path] += 1
            name = names[path]
            if calls[path] != points[name].call:
                return
            last = len(found) + 1 == len(points) and not to_end
            tensor = tensor_of(output)
            assert tensor is not None, "it was a tensor when the module was examined"
            # Later operations may work in place on this output.
            found[name] = tensor if last else tensor.clone()
            if last:
                raise _StopForward

        return hook

    try:
        for path in calls:
            handles.append(module.get_submodule(path).register_forward_hook(keep(path)))
        with frozen_eval(module):
            output = call(module, x)
        if to_end:
            scores = tensor_of(output)
            assert scores is not None, "it was a tensor when the module was examined"
            found[OUTPUT] = scores
    except _StopForward:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def tensor_of(output: object) -> Tensor | None:
    """Return an output that is a floating-point tensor, or the first of a tuple or list; None if it is not one."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.is_floating_point() else None

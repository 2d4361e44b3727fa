"""A module seen from outside: its layers are what its submodules give, taken by hooks that stand only while
it runs.
"""

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
"""Runs a module on normalised pictures; gives a tensor, or something else if it has no class scores."""

OUTPUT = "logits"
"""The layer name of what the module as a whole gives."""


class _Enough(BaseException):
    """Ends a run behind the last layer asked for; no `Exception`, which the module's own code might catch."""


@dataclass(frozen=True)
class Tap:
    """One layer: its module's name, which of the module's calls in a run it is, and its layout."""

    module: str
    call: int
    layout: ActivationFormat


class WatchedNet(Net):
    """A module seen from outside, through hooks that stand only while it runs."""

    def __init__(
        self, card: Card, module: nn.Module, taps: Mapping[str, Tap], call: Call, classifier: str | None = None
    ) -> None:
        super().__init__(card)
        self.module = module
        self._taps, self._call, self._classifier = dict(taps), call, classifier

    def forward(self, image: Image, layers: Collection[str]) -> dict[str, Tensor]:
        wanted = {name: self.card.layer(name).name for name in layers}
        weight = next(self.module.parameters())
        x = self.card.normalise(image).to(weight.dtype)
        taps = {name: self._taps[name] for name in wanted.values() if name in self._taps}
        found = _run(self.module, self._call, x, taps, to_end=self.card.classes in wanted.values())
        size = (image.shape[-2], image.shape[-1])
        shown = {name: taps[name].layout.apply(output, size) for name, output in found.items() if name in taps}
        if OUTPUT in found and self.card.classes:
            shown[self.card.classes] = found[OUTPUT]
        return {name: shown[layer] for name, layer in wanted.items()}

    def head(self, pooled: Tensor) -> Tensor:
        assert self._classifier is not None, "without `pooled` on its card, classes need the whole picture"
        linear = self.module.get_submodule(self._classifier)
        with at_rest(linear):
            return linear(pooled.to(next(linear.parameters()).dtype)).to(pooled.dtype)

    def measured(self, names: list[str]) -> WatchedNet:
        """The same network with the receptive fields of layers `names` on its card."""
        device = next(self.module.parameters()).device

        def run(strip: Tensor) -> Mapping[str, Tensor]:
            return self(strip.to(device), names)

        try:
            fields = probe.fields(run)
        except probe.RunError as problem:  # it can do without
            log.info("%s has no receptive fields: %s", self.card.name, problem)
            return self
        layers = dict(self.card.layers)
        for name, field in fields.items():
            layers[name] = LayerCard(name, layers[name].channels, field, cost=layers[name].cost)
        return WatchedNet(replace(self.card, layers=layers), self.module, self._taps, self._call)

    def pooled(self, names: list[str]) -> WatchedNet:
        """The same network, knowing that its class scores follow from the mean of one of `names`, if they
        do.
        """
        classes = self.card.classes
        weight = next(self.module.parameters())
        side = self.card.input.size
        image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(weight.device)
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
                    return WatchedNet(card, self.module, self._taps, self._call, classifier=path)
        return self


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """While it lasts, the module is in evaluation mode and its weights get no gradients."""
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


def _run(module: nn.Module, call: Call, x: Tensor, taps: Mapping[str, Tap], *, to_end: bool) -> dict[str, Tensor]:
    """The raw outputs of taps, and with `to_end` of the module itself as `OUTPUT`."""
    found: dict[str, Tensor] = {}
    calls = dict.fromkeys((tap.module for tap in taps.values()), 0)
    names = {tap.module: name for name, tap in taps.items()}
    handles = []

    def keep(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, inputs: Any, output: Any) -> None:
            calls[path] += 1
            name = names[path]
            if calls[path] != taps[name].call:
                return
            last = len(found) + 1 == len(taps) and not to_end
            tensor = tensor_of(output)
            assert tensor is not None, "it was a tensor when the module was looked at"
            # What follows may work in place on what is kept.
            found[name] = tensor if last else tensor.clone()
            if last:
                raise _Enough

        return hook

    try:
        for path in calls:
            handles.append(module.get_submodule(path).register_forward_hook(keep(path)))
        with at_rest(module):
            output = call(module, x)
        if to_end:
            scores = tensor_of(output)
            assert scores is not None, "it was a tensor when the module was looked at"
            found[OUTPUT] = scores
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def tensor_of(output: object) -> Tensor | None:
    """The tensor that an output is, or the first of a tuple or list."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.is_floating_point() else None

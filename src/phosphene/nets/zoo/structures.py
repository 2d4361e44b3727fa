"""Build the networks of the catalogue: each one's structure, the readers of its model files, and its card."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.base import Net
from phosphene.nets.card import ActivationStatistics, Card
from phosphene.nets.weights import fit, package
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.weights.read import Contents, Format, read
from phosphene.nets.zoo import (
    ear,
    efficientnet_lite,
    googlenet,
    googlenet_torchvision,
    inception5h,
    inception_v3,
    pocket,
    resnet,
    vgg,
)
from phosphene.nets.zoo.catalogue import ONE_BYTE, Entry
from phosphene.nets.zoo.graph import Structure

Reader = Callable[[Structure, TensorSource, Contents], Mapping[str, Tensor]]

FORMAT_NAMES: dict[Format, str] = {
    "caffe": "Caffe model",
    "tensorflow": "frozen graph",
    "pytorch": "state dict",
    "safetensors": "safetensors file",
}

VGG_CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)


@dataclass(frozen=True)
class Plan:
    """How to build a structure from the number of classes and the file's format, and the reader of each format."""

    build: Callable[[int, Format | None], Structure]
    readers: Mapping[Format, Reader]


def _either(reader: Reader) -> dict[Format, Reader]:
    """Return one reader for the two formats with the same tensor names."""
    return {"pytorch": reader, "safetensors": reader}


def _vgg(depth: int) -> Plan:
    torchvision = _either(lambda plan, source, _: vgg.torchvision_weights(plan, source))
    caffe: dict[Format, Reader] = {"caffe": lambda plan, source, _: vgg.caffe_weights(plan, source)}
    return Plan(lambda classes, format: vgg.structure(depth, caffe=format == "caffe"), {**torchvision, **caffe})


def _googlenet(structure: Structure, source: TensorSource, contents: Contents) -> Mapping[str, Tensor]:
    return googlenet.caffe_weights(structure, source, googlenet.TRAINING_ONLY)


PLANS = {
    "ear": Plan(
        lambda classes, format: ear.structure(classes),
        _either(lambda plan, source, _: ear.own_weights(plan, source)),
    ),
    "efficientnet-lite0": Plan(
        lambda classes, format: efficientnet_lite.structure(classes),
        _either(lambda plan, source, _: efficientnet_lite.own_weights(plan, source)),
    ),
    "googlenet": Plan(
        lambda classes, format: googlenet.structure(classes), {"caffe": _googlenet, **_either(_googlenet)}
    ),
    "inception5h": Plan(
        lambda classes, format: inception5h.structure(),
        {
            "tensorflow": lambda plan, source, contents: inception5h.tensorflow_weights(
                plan, source, contents.attributes
            )
        },
    ),
    "vgg16": _vgg(16),
    "vgg19": _vgg(19),
    "googlenet-torchvision": Plan(
        lambda classes, format: googlenet_torchvision.structure(),
        _either(lambda plan, source, _: googlenet_torchvision.torchvision_weights(plan, source)),
    ),
    "resnet50": Plan(
        lambda classes, format: resnet.structure(),
        _either(lambda plan, source, _: resnet.torchvision_weights(plan, source)),
    ),
    "inception-v3": Plan(
        lambda classes, format: inception_v3.structure(),
        _either(lambda plan, source, _: inception_v3.torchvision_weights(plan, source)),
    ),
}


CHAIN = "pocket"
"""The one structure that is not a table of steps."""

CHAIN_FORMATS: tuple[Format, ...] = ("pytorch", "safetensors")


def structure(entry: Entry, format: Format | None = None) -> Structure:
    """Return the structure of an entry, as in a file of this format."""
    return PLANS[entry.structure].build(len(_labels(entry)), format)


def card(entry: Entry, structure: Structure, sha256: str = "") -> Card:
    """Return the card of an entry's network; `sha256` is that of its model file, empty if none was read."""
    known = structure.card(entry.name, mean=entry.mean, std=entry.std, **_facts(entry, sha256))
    return known if entry.size is None else replace(known, input=replace(known.input, size=entry.size))


def describe(entry: Entry) -> Card:
    """Return the card of an entry's network without reading its weights."""
    if entry.structure == CHAIN:
        known = _chain_card(entry, pocket.structure().card, _sha256(entry))
    else:
        known = card(entry, structure(entry), _sha256(entry))
    return _with_statistics(entry, known)


def load(entry: Entry, path: Path, sha256: str, *, called: str | None = None) -> Net:
    """Return the network of an entry with the weights of the file at `path`, in any of the formats that it has.

    `called` is the file's name in messages. Raises `WeightsError` for the first layer that does not fit.
    """
    contents = read(path)
    readers: Collection[Format] = CHAIN_FORMATS if entry.structure == CHAIN else PLANS[entry.structure].readers
    if contents.format not in readers:
        wanted = " or a ".join(FORMAT_NAMES[each] for each in readers)
        raise WeightsError(
            f"{path} must be a {wanted} for {entry.name}, but is a {FORMAT_NAMES[contents.format]}", path=path
        )
    return _net(entry, contents, called or path.name, sha256)


def bundled(entry: Entry) -> Net:
    """Return a bundled network. Raises `WeightsError` if a file of it is missing or damaged."""
    tensors = package.tensors(entry.file, entry.digest.value)
    net = _net(entry, Contents("safetensors", tensors), Path(entry.file).name, _sha256(entry))
    net.card = _with_statistics(entry, net.card)
    return net


def _net(entry: Entry, contents: Contents, called: str, sha256: str) -> Net:
    if entry.structure == CHAIN:
        chain = pocket.structure()
        fit.fill(chain.by_layer(), contents.tensors, source=called)
        chain.card = _chain_card(entry, chain.card, sha256)
        return chain.for_dreaming()
    plan = structure(entry, contents.format)
    reader = PLANS[entry.structure].readers[contents.format]
    weights = reader(plan, TensorSource(contents.tensors, called), contents)
    known = card(entry, plan, sha256)
    if entry.structure.startswith("vgg") and contents.format == "caffe":
        known = replace(known, input=replace(known.input, mean=VGG_CAFFE_MEAN, std=ONE_BYTE))
    return plan.net(known, weights)


def _chain_card(entry: Entry, card: Card, sha256: str) -> Card:
    return replace(card, name=entry.name, **_facts(entry, sha256))


def _facts(entry: Entry, sha256: str) -> dict[str, Any]:
    source = entry.mirrors[0].url if entry.mirrors else "comes with phosphene"
    return {
        "title": entry.title,
        "labels": _labels(entry),
        "identifiers": package.synsets(entry.labels),
        "source": source,
        "sha256": sha256,
        "licence": entry.licence,
    }


def _sha256(entry: Entry) -> str:
    """Return the hash of a bundled network's weights, empty for another network."""
    return entry.digest.value if entry.bundled else ""


def _with_statistics(entry: Entry, card: Card) -> Card:
    if entry.statistics is None:
        return card
    measured = package.tensors(entry.statistics.file, entry.statistics.digest.value)
    names = {each.name for each in card.layers.values() if f"{each.name}.mean" in measured}
    return card.with_statistics(
        {name: ActivationStatistics(*(measured[f"{name}.{key}"] for key in ("mean", "std", "max"))) for name in names}
    )


def _labels(entry: Entry) -> tuple[tuple[str, ...], ...]:
    return package.labels(entry.labels)

"""Build the networks of the catalogue: each one's structure, the readers of its model files, and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.card import Card
from phosphene.nets.weights import package
from phosphene.nets.weights.fit import TensorSource
from phosphene.nets.weights.read import Contents, Format, read
from phosphene.nets.zoo import googlenet, googlenet_torchvision, inception5h, inception_v3, resnet, vgg
from phosphene.nets.zoo.catalogue import ONE_BYTE, Entry
from phosphene.nets.zoo.graph import GraphNet, Structure

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


def structure(entry: Entry, format: Format | None = None) -> Structure:
    """Return the structure of an entry, as in a file of this format."""
    return PLANS[entry.structure].build(len(_labels(entry)), format)


def card(entry: Entry, structure: Structure, sha256: str = "") -> Card:
    """Return the card of an entry's network; `sha256` is that of its model file, empty if none was read."""
    return structure.card(
        entry.name,
        mean=entry.mean,
        std=entry.std,
        title=entry.title,
        labels=_labels(entry),
        source=entry.mirrors[0].url,
        sha256=sha256,
        licence=entry.licence,
    )


def load(entry: Entry, path: Path, sha256: str, *, called: str | None = None) -> GraphNet:
    """Return the network of an entry with the weights of the file at `path`, in any of the formats that it has.

    `called` is the file's name in messages. Raises `WeightsError` for the first layer that does not fit.
    """
    contents = read(path)
    readers = PLANS[entry.structure].readers
    if contents.format not in readers:
        wanted = " or a ".join(FORMAT_NAMES[each] for each in readers)
        raise WeightsError(
            f"{path} must be a {wanted} for {entry.name}, but is a {FORMAT_NAMES[contents.format]}", path=path
        )
    plan = structure(entry, contents.format)
    weights = readers[contents.format](plan, TensorSource(contents.tensors, called or path.name), contents)
    known = card(entry, plan, sha256)
    if entry.structure.startswith("vgg") and contents.format == "caffe":
        known = replace(known, input=replace(known.input, mean=VGG_CAFFE_MEAN, std=ONE_BYTE))
    return plan.net(known, weights)


def _labels(entry: Entry) -> tuple[tuple[str, ...], ...]:
    return package.labels(f"labels/{entry.labels}.tsv")

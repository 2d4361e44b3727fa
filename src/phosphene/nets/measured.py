"""Activation statistics that the user has measured: kept beside the fetched networks, by the hash of the weights.

They are in the folder `statistics` of `PHOSPHENE_CACHE`, or of the user's own cache folder, and are used whenever a
network with these weights is loaded, whatever it is called and however it is given.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import safetensors
import safetensors.torch

from phosphene.errors import WeightsError
from phosphene.nets.card import ActivationStatistics, Card
from phosphene.nets.weights import store

KEYS = ("mean", "std", "max")


def path(card: Card) -> Path:
    """Return where the statistics of a network with these weights are kept; there may be none."""
    return store.folder().parent / "statistics" / f"{card.sha256 or 'unknown'}.safetensors"


def attach(card: Card) -> Card:
    """Return the card with the statistics that were measured for its weights, or as it is if there are none.

    Raises `WeightsError` for a file that is damaged or of another network.
    """
    place = path(card)
    if not place.is_file():
        return card
    try:
        data = place.read_bytes()
        tensors = safetensors.torch.load(data)
        names = {layer.name: layer.channels for layer in card.layers.values()}
        found = {
            name: ActivationStatistics(*(tensors[f"{name}.{key}"].float() for key in KEYS))
            for name in names
            if f"{name}.mean" in tensors
        }
        if not found or any(each.std.shape != (names[name],) for name, each in found.items()):
            raise KeyError("other layers")
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        raise WeightsError(
            f"the measured statistics in {place} are damaged: remove them with phosphene nets measure {card.name} "
            "--remove",
            path=place,
        ) from None
    return replace(card.with_statistics(found), measured=hashlib.sha256(data).hexdigest())


def keep(card: Card, statistics: Mapping[str, ActivationStatistics]) -> Path:
    """Keep statistics for the network of this card, in place of what was kept before; return the file.

    Raises `WeightsError` if the folder cannot be written.
    """
    tensors = {
        f"{name}.{key}": tensor.contiguous()
        for name, each in statistics.items()
        for key, tensor in zip(KEYS, (each.mean, each.std, each.maximum), strict=True)
    }
    place = path(card)
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(safetensors.torch.save(tensors))
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        raise WeightsError(
            f"{place.parent} cannot be written ({problem.strerror or problem}): set {store.VARIABLE} to another folder",
            path=place,
        ) from None
    return place


def remove(card: Card) -> bool:
    """Remove the statistics that were measured for these weights; return whether there were any."""
    here = path(card).is_file()
    path(card).unlink(missing_ok=True)
    return here

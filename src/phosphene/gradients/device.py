"""Which processor a network runs on."""

from __future__ import annotations

import torch

from phosphene.errors import SettingError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(device: str) -> torch.device:
    """Return the device called `device`: "auto" is a graphics card if PyTorch can use one.

    >>> choose_device("cpu")
    device(type='cpu')

    Raises `SettingError` for a name that is none of `DEVICES`, and for a device that is not there.
    """
    there = [name for name in DEVICES[1:] if _is_there(name)]
    if device == "auto":
        return torch.device(there[-1])
    if device not in there:
        raise SettingError(
            f"device must be {' or '.join(['auto', *there])} with this machine and its PyTorch, but is {device!r}",
            setting="device",
            value=device,
        )
    return torch.device(device)


def _is_there(name: str) -> bool:
    match name:
        case "cuda":
            return torch.cuda.is_available()
        case "mps":
            return torch.backends.mps.is_available()
        case _:
            return True

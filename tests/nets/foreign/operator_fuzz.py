"""Run every operation that an exported program may use with small arguments that mostly do not fit.

A process of its own, because it may crash. Each call is made twice, the second time with memory that the C library
fills with another byte first: an operation whose results change reads memory outside its arguments. Prints a line for
each call that succeeds or changes: its number, its name, and "same" or "other".
"""

from __future__ import annotations

import ctypes
import hashlib
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from phosphene.nets.foreign.aten import CHECKED, OPERATIONS, RESIZES, operation

SHAPES = [
    (),
    (0,),
    (1,),
    (3,),
    (2, 3),
    (4, 1),
    (1, 3, 4),
    (2, 4, 4, 4),
    (1, 3, 5, 4),
    (1, 1, 1, 1),
    (2, 0, 3, 3),
    (3, 3, 2, 2),
]
NUMBERS = [-7, -1, 0, 1, 2, 3, 4, 16]
FRACTIONS = [-1.0, 0.0, 1e-30, 0.5, 1.0, 2.0, 1e30, float("inf"), float("nan")]
TEXTS = ["none", "tanh", "floor", "trunc", "ij", "same", "valid", "constant", "reflect", "ij,jk->ik", "xyz"]
FORMATS = {
    "dtype": [None, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, 7, 45],
    "layout": [None, torch.strided, 9],
    "device": [None],
    "memory_format": [None, torch.contiguous_format, torch.channels_last, 3, 99],
}
FILL = 90
RANDOM = frozenset({"dropout", "native_dropout", "feature_dropout", "alpha_dropout"})


def tensor(chance: random.Random) -> Tensor:
    shape = chance.choice(SHAPES)
    kind = chance.random()
    if kind < 0.75:
        count = int(torch.Size(shape).numel())
        return (torch.arange(count, dtype=torch.float32).reshape(shape) * 0.37).sin()
    values = torch.full(shape, chance.choice([-9, 0, 1, 7, 1 << 40]))
    return values if kind < 0.95 else values > 0


def argument(kind: str, chance: random.Random) -> Any:
    if kind.startswith("Optional["):
        return None if chance.random() < 0.4 else argument(kind[9:-1], chance)
    if kind.startswith("List["):
        return [argument(kind[5:-1], chance) for _ in range(chance.choice([0, 1, 2, 2, 3, 4]))]
    match kind:
        case "Tensor":
            return tensor(chance)
        case "int" | "SymInt":
            return chance.choice(NUMBERS)
        case "float":
            return chance.choice(FRACTIONS)
        case "bool":
            return chance.random() < 0.5
        case "number" | "Scalar":
            return chance.choice([*NUMBERS, *FRACTIONS])
        case "str":
            return chance.choice(TEXTS)
    return None


def digest(result: Any) -> str:
    found = hashlib.sha256()
    for each in result if isinstance(result, tuple | list) else (result,):
        if isinstance(each, Tensor):
            found.update(repr((each.dtype, tuple(each.shape))).encode())
            found.update(each.contiguous().nan_to_num(7.0).numpy().tobytes())
        else:
            found.update(repr(each).encode())
    return found.hexdigest()[:16]


def moved(given: Any) -> Any:
    if isinstance(given, Tensor):
        return given.to("meta")
    return [moved(each) for each in given] if isinstance(given, list) else given


def copied(given: Any) -> Any:
    if isinstance(given, Tensor):
        return given.clone()
    return [copied(each) for each in given] if isinstance(given, list) else given


M_PERTURB = -6  # from glibc's malloc.h


def outcome(call: Callable[[], Any], fill: int) -> str | None:
    """Return a hash of what a call gives in memory that was filled, or None if it is refused."""
    ctypes.CDLL(None).mallopt(M_PERTURB, fill)
    try:
        return digest(call())
    except Exception:
        return None
    finally:
        ctypes.CDLL(None).mallopt(M_PERTURB, 0)


def main(calls: int) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in sorted({*OPERATIONS, *CHECKED, *RESIZES} - RANDOM):
        packet = getattr(torch.ops.aten, name, None)
        for overload in packet.overloads() if packet is not None else ():
            function = operation(name, overload)
            if function is None:
                continue
            schema = getattr(packet, overload)._schema
            chance = random.Random(f"{name}.{overload}")
            for number in range(calls):
                args: list[Any] = []
                kwargs: dict[str, Any] = {}
                for each in schema.arguments:
                    if each.has_default_value() and chance.random() < 0.3:
                        if each.kwarg_only:
                            continue
                        args.append(each.default_value)
                        continue
                    formats = FORMATS.get(each.name)
                    value = argument(str(each.type), chance) if formats is None else chance.choice(formats)
                    if each.kwarg_only:
                        kwargs[each.name] = value
                    else:
                        args.append(value)
                print(f"try {number} {name}.{overload}", file=sys.stderr, flush=True)
                try:
                    # As programs do: what fails without computing is not computed.
                    shaped = function(*moved(args), **{key: moved(each) for key, each in kwargs.items()})
                    tensors = shaped if isinstance(shaped, tuple | list) else (shaped,)
                except Exception:
                    continue
                if any(isinstance(each, Tensor) and each.numel() > 1 << 20 for each in tensors):
                    continue

                def call(function: Any = function, args: Any = args, kwargs: Any = kwargs) -> Any:
                    return function(*copied(args), **{key: copied(each) for key, each in kwargs.items()})

                plain, filled = outcome(call, 0), outcome(call, FILL)
                if plain is not None or filled is not None:
                    print(number, f"{name}.{overload}", "same" if plain == filled else "other")

"""An exported program as steps that can be run one by one: each a call of one of PyTorch's own operations.

A step can use only the operations of `aten.py`, so a program can compute, and do nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.nets.foreign.aten import CHECKS, SIZES, operation
from phosphene.nets.ops.flops import CostCounter
from phosphene.nets.weights import pt2
from phosphene.nets.weights.pt2 import DTYPES, Json
from phosphene.types import Size

log = logging.getLogger(__name__)

TRAINING = ("training", "train", "use_input_stats")
"""Arguments that are true only in a program of a network that was exported while it learnt."""

LARGEST_SIZE = 1 << 40
MOST_STEPS = 100_000

MOST_NUMBERS = 1 << 31
"""Numbers in any one value, for a picture six times as large as the program was exported for."""

MEMORY_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}


@dataclass(frozen=True)
class Ref:
    """The value of an earlier step, by name."""

    name: str


@dataclass(frozen=True)
class Floating:
    """The network's own number format, where a program says float32."""


@dataclass(frozen=True)
class Where:
    """The device that the picture is on, wherever the program was exported."""


@dataclass(frozen=True)
class Instruction:
    """One call: its arguments, the names of its results, and the modules that it is part of, inner ones first."""

    target: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str, ...]
    several: bool
    modules: tuple[str, ...]

    def takes(self) -> Iterator[str]:
        """Yield the names of its arguments."""
        yield from _refs(self.args)
        yield from _refs(tuple(self.kwargs.values()))

    def run(self, values: Mapping[str, Any], dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
        """Return its results by name."""

        def fill(given: Any) -> Any:
            match given:
                case Ref(name):
                    return values[name]
                case Floating():
                    return dtype
                case Where():
                    return device
                case list():
                    return [fill(each) for each in given]
            return given

        result = self.function(*map(fill, self.args), **{key: fill(each) for key, each in self.kwargs.items()})
        if not self.several:
            result = (result,)
        for each in result:
            if isinstance(each, int | float) and abs(each) > LARGEST_SIZE:
                raise RuntimeError(f"a size of {each}")
        return dict(zip(self.outputs, result, strict=True))


def _refs(given: Iterable[Any]) -> Iterator[str]:
    for each in given:
        if isinstance(each, Ref):
            yield each.name
        elif isinstance(each, list):
            yield from _refs(each)


def steps(graph: Json, fixed: Collection[str], source: str) -> list[Instruction]:
    """Return the steps of a graph; `fixed` names the values that no step may write to.

    Raises `WeightsError` for a step that is none of the operations allowed, or writes where it must not.
    """
    nodes = graph["nodes"]
    if len(nodes) > MOST_STEPS:
        raise WeightsError(f"{source} has {len(nodes)} steps; at most {MOST_STEPS} are believed", path=source)
    found = []
    for node in nodes:
        target = str(node["target"])
        namespace, _, rest = target.partition("torch.ops.aten.")
        name, _, overload = rest.partition(".")
        if rest and name in CHECKS:
            continue
        if target in SIZES:
            function: Callable[..., Any] = _arithmetic(SIZES[target])
        elif rest and not namespace and name == "sym_size":
            function = _size
        elif rest and not namespace and (found_operation := operation(name, overload)) is not None:
            function = found_operation
        else:
            raise WeightsError(
                f"{source} uses {target[:80]!r}, which is not an operation that is run here", path=source
            )
        step = _step(node, target, function, source)
        if name.endswith("_") and next(step.takes(), None) in fixed:
            raise WeightsError(
                f"{source} changes its own weights, as a network does while it learns: call eval() before exporting it",
                path=source,
            )
        found.append(step)
    return found


def _arithmetic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` for ints and floats of ordinary size: texts and lists could grow without limit."""

    def checked(*numbers: Any) -> Any:
        if not all(isinstance(each, int | float) and abs(each) <= LARGEST_SIZE for each in numbers):
            raise RuntimeError("a size that is not a number, or too large")
        return function(*numbers)

    return checked


def _size(tensor: Tensor, axis: int) -> int:
    return tensor.shape[axis]


def _step(node: Json, target: str, function: Callable[..., Any], source: str) -> Instruction:
    args, kwargs = [], {}
    for given in node["inputs"]:
        value = _argument(given["arg"], source)
        if given["name"] in TRAINING and value is True:
            raise WeightsError(
                f"{source} was exported while it learnt ({target}): call eval() on the network first", path=source
            )
        if given.get("kind") == 2:
            kwargs[str(given["name"])] = value
        else:
            args.append(value)
    names = [_argument(each, source) for each in node["outputs"]]
    several = len(names) > 1 or (len(names) == 1 and isinstance(names[0], list))
    flat = names[0] if len(names) == 1 and isinstance(names[0], list) else names
    outputs = tuple(each.name for each in flat)
    modules = []
    for level in str(node.get("metadata", {}).get("nn_module_stack", "")).split(";"):
        parts = level.split(",")
        if len(parts) > 1 and parts[1]:
            modules.append(parts[1])
    return Instruction(target, function, tuple(args), kwargs, outputs, several, tuple(reversed(modules)))


def _argument(argument: Json, source: str) -> Any:
    """Read a value of the graph's text, with references to other steps as `Ref`."""
    ((kind, value),) = argument.items()
    match kind:
        case "as_none":
            return None
        case "as_tensor":
            return Ref(str(value["name"]))
        case "as_tensors":
            return [Ref(str(each["name"])) for each in value]
        case "as_optional_tensors" | "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
            return [_argument(each, source) for each in value]
        case "as_optional_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return _argument(value, source)
        case "as_name":
            return Ref(str(value))
        case "as_int" | "as_ints" | "as_bool" | "as_bools" | "as_string" | "as_int_lists":
            return value
        case "as_float":
            return float(value)
        case "as_floats":
            return [float(each) for each in value]
        case "as_scalar_type":
            dtype = DTYPES[value]
            return Floating() if dtype.is_floating_point else dtype
        case "as_memory_format":
            return MEMORY_FORMATS[value]
        case "as_layout":
            return torch.strided
        case "as_device":
            return Where()
    raise WeightsError(f"{source} has an argument of kind {kind[:40]!r}, which is not understood", path=source)


class Program:
    """The steps of a program that takes one picture, and what sizes each of its values can be had for."""

    def __init__(self, archive: pt2.Archive, source: str) -> None:
        self.source = source
        self.fixed: dict[str, str] = {}
        pictures = []
        for spec in archive.signature["input_specs"]:
            ((kind, given),) = spec.items()
            if kind == "user_input":
                pictures.append(str(given["arg"]["as_tensor"]["name"]))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                self.fixed[str(given["arg"]["name"])] = str(given[f"{kind}_name"])
            else:
                raise WeightsError(f"{source} has an input of kind {kind[:40]!r}, which is not understood", path=source)
        if len(pictures) != 1:
            raise WeightsError(f"{source} must take one picture, but takes {len(pictures)} tensors", path=source)
        self.picture = pictures[0]
        self.steps = steps(archive.graph, self.fixed.keys(), source)
        self.size = self._declared(archive)
        outputs = [spec["user_output"]["arg"] for spec in archive.signature["output_specs"] if "user_output" in spec]
        self.output = str(outputs[0]["as_tensor"]["name"]) if outputs and "as_tensor" in outputs[0] else None
        self.work: dict[str, float] = {}
        tensors = {name: archive.tensors[tensor] for name, tensor in self.fixed.items()}
        self.shapes = self._shapes(tensors, self.size)
        self.others = self._shapes(tensors, (self.size[0] * 2, self.size[1] * 3))
        self.bound = self.shapes.keys() - self.others.keys()
        self.batches = self.shapes.keys() == self._shapes(tensors, self.size, count=2).keys()

    def _declared(self, archive: pt2.Archive) -> Size:
        """Return the size of the program's picture; if it may vary, that of the example."""
        sides = []
        for side in archive.graph["tensor_values"][self.picture]["sizes"]:
            expression = side.get("as_expr") or {}
            sides.append(side.get("as_int") or (expression.get("hint") or {}).get("as_int"))
        if len(sides) != 4 or sides[1] != 3:
            raise WeightsError(f"{self.source} must take pictures n x 3 x h x w, but takes {sides}", path=self.source)
        height, width = (each if isinstance(each, int) and 0 < each < 1 << 14 else 224 for each in sides[2:])
        return height, width

    def needed(self, names: Collection[str]) -> list[int]:
        """Return the steps that these values depend on, in order."""
        wanted, chosen = set(names), []
        for index in range(len(self.steps) - 1, -1, -1):
            if wanted.intersection(self.steps[index].outputs):
                chosen.append(index)
                wanted.update(self.steps[index].takes())
        return chosen[::-1]

    def run(self, x: Tensor, fixed: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
        """The values called `names` for normalised pictures `x`; what nobody needs any more is let go."""
        chosen = self.needed(names)
        last = {name: index for index in chosen for name in self.steps[index].takes()}
        values: dict[str, Any] = {**fixed, self.picture: x}
        found: dict[str, Tensor] = {name: x for name in names if name == self.picture}
        for index in chosen:
            step = self.steps[index]
            made = step.run(values, x.dtype, x.device)
            values |= made
            for name in made.keys() & set(names):
                # Later operations may change the kept tensor in place.
                found[name] = made[name].clone() if index != chosen[-1] else made[name]
            for name in {*step.takes(), *made}:
                if last.get(name, -1) <= index:
                    values.pop(name, None)
        return found

    def _shapes(self, tensors: Mapping[str, Tensor], size: Size, count: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the shape of every value for `count` pictures of `size`, without computing; none after a failure."""
        values: dict[str, Any] = {name: each.to("meta") for name, each in tensors.items()}
        values[self.picture] = torch.empty(count, 3, *size, device="meta")
        shapes: dict[str, tuple[int, ...]] = {}
        with torch.no_grad(), CostCounter() as counter:
            for step in self.steps:
                if not all(name in values for name in step.takes()):
                    continue
                try:
                    made = step.run(values, torch.float32, torch.device("meta"))
                # PyTorch's operations answer arguments that do not fit with nearly every exception there is.
                except Exception as problem:
                    log.debug("%s: %s fails for %s: %s", self.source, step.target, size, problem)
                    continue
                values |= made
                for name, value in made.items():
                    if isinstance(value, Tensor):
                        shapes[name] = tuple(value.shape)
                        self.work.setdefault(name, counter.multiply_adds / (size[0] * size[1]))
                        if value.numel() > MOST_NUMBERS:
                            raise WeightsError(
                                f"{self.source} makes {value.numel()} numbers in {name[:80]!r}", path=self.source
                            )
        return shapes

    def works_for(self, names: Collection[str], size: Size) -> bool:
        """Return whether these values can be computed for pictures of `size`."""
        if size == self.size or not self.bound:
            return True
        return not any(name in self.bound for index in self.needed(names) for name in self.steps[index].outputs)

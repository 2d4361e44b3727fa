"""Exported programs: the same values as the module, any size where that can be, and nothing run but mathematics."""

from __future__ import annotations

import copy
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene import nets
from phosphene.errors import SettingError, UnknownNameError, WeightsError
from phosphene.gradients.engine import Engine
from phosphene.nets.foreign import exported
from phosphene.nets.receptive import Field
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.MaxPool2d(3, 2, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = self.block(torch.cat([x[:, :4], x[:, 4:].sigmoid()], dim=1))
        return self.head(F.interpolate(x, scale_factor=2))


class Patches(nn.Module):
    """A little transformer, whose positions are as many as it was made for."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, stride=8)
        self.places = nn.Parameter(torch.randn(1, 16, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.layer(x).mean(dim=1))


def save(module: nn.Module, path: Path, *sizes: int, **more: Any) -> Path:
    """Export a module for one picture of these sides, by default 48 x 64."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module.eval(), (torch.rand(1, 3, *(sizes or (48, 64))),), **more)
        torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def module() -> Small:
    torch.manual_seed(0)
    module = Small()
    assert isinstance(module.norm.running_mean, Tensor)
    module.norm.running_mean.normal_()
    return module.eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, module: Small) -> Path:
    return save(module, tmp_path_factory.mktemp("exported") / "small.pt2")


def test_values_are_the_modules_at_any_size_and_count(file: Path, module: Small) -> None:
    net = nets.load(str(file))
    image = torch.rand(2, 3, 37, 90)
    found = net(image, ["stem", "norm", "relu", "block", "logits"])
    x = net.card.normalise(image)
    stem = module.stem(x)
    norm = module.norm(stem)
    relu = norm.relu()
    block = module.block(torch.cat([relu[:, :4], relu[:, 4:].sigmoid()], dim=1))
    expected = {"stem": stem, "norm": norm, "relu": relu, "block": block, "logits": module(x)}
    assert set(found) == set(expected)
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each)


def test_layers_have_the_modules_names_and_the_graphs(file: Path) -> None:
    card = nets.load(str(file)).card
    assert card.layer("block").receptive == Field(-5, 11, 4)
    assert card.layer("block").name == "block.1"
    assert card.layer("conv2d") == card.layer("stem")
    assert card.layer("cat").channels == 8
    assert card.layer("sigmoid").receptive == Field(-1, 3, 2)
    assert card.classes == "logits"
    assert card.labels == (("class 0",), ("class 1",), ("class 2",), ("class 3",))
    assert card.layer("stem").cost == pytest.approx(3 * 8 * 9 / 4)
    assert len(card.sha256) == 64
    with pytest.raises(UnknownNameError, match="did you mean 'block'"):
        card.layer("blok")


def test_runs_no_further_than_asked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = nets.load(str(file))
    ran: list[str] = []
    run = exported.Program.run

    def watched(self: exported.Program, x: Tensor, fixed: Any, names: Any) -> dict[str, Tensor]:
        ran.extend(self.steps[index].target for index in self.needed(names))
        return run(self, x, fixed, names)

    monkeypatch.setattr(exported.Program, "run", watched)
    net(torch.rand(1, 3, 32, 32), ["norm"])
    assert ran == ["torch.ops.aten.conv2d.default", "torch.ops.aten.batch_norm.default"]


def test_dreams_in_tiles(file: Path) -> None:
    net = nets.load(str(file))
    objective = resolve(parse("block - 0.5*stem:2"), net.card)
    image = torch.rand(1, 3, 90, 70)
    whole = Engine(net, objective, precision="float32", tile=0)(image)
    tiled = Engine(net, objective, precision="float32", tile=32)(image)
    torch.testing.assert_close(whole[1], tiled[1], rtol=1e-4, atol=1e-4 * float(whole[1].abs().max()))
    rough = Engine(net, objective, precision="bfloat16", tile=0)(image)[1]
    assert torch.cosine_similarity(rough.flatten(), whole[1].flatten(), dim=0) > 0.98


def test_sizes_may_be_symbols(tmp_path: Path, module: Small) -> None:
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            n, c, h, w = y.shape
            return y.reshape(n, c, h * w).softmax(-1).reshape(n, c, h, w) * (h + w)

    dim = torch.export.Dim
    sides = {2: dim("h", min=8, max=512), 3: dim("w", min=8, max=512)}
    sized = Sized()
    path = save(sized, tmp_path / "sized.pt2", 20, 24, dynamic_shapes={"x": sides})
    net = nets.load(str(path))
    image = torch.rand(3, 3, 33, 21)
    torch.testing.assert_close(net(image, ["mul_1"])["mul_1"], sized(net.card.normalise(image)))


def test_a_program_for_one_size_says_so(tmp_path: Path) -> None:
    patches = Patches().eval()
    path = save(patches, tmp_path / "patches.pt2", 32, 32)
    net = nets.load(str(path))
    image = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(net(image, ["logits"])["logits"], patches(net.card.normalise(image)))
    assert net(torch.rand(1, 3, 64, 40), ["patch"])["patch"].shape == (1, 16, 8, 5)
    assert net.card.layer("patch").receptive == Field(0, 8, 8)
    assert net.card.layer("layer").receptive is None
    with pytest.raises(SettingError, match=r"for pictures of 32 x 32 pixels only, but was given one of 40 x 64"):
        net(torch.rand(1, 3, 64, 40), ["layer"])


def test_what_the_author_says_of_pictures_comes_with_it(tmp_path: Path, module: Small) -> None:
    path = tmp_path / "small.pt2"
    said = {"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "labels": ["a", "b", "c", "d"]}
    program = torch.export.export(module, (torch.rand(1, 3, 48, 64),))
    torch.export.save(program, path, extra_files={"phosphene.json": json.dumps(said)})
    card = nets.load(str(path)).card
    assert (card.input.mean, card.input.std) == ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    assert card.find_label("c") == 2
    given = exported.load(path, mean=(0, 0, 0), labels=["w", "x", "y", "z"]).card
    assert (given.input.mean, given.labels[0]) == ((0.0, 0.0, 0.0), ("w",))
    with pytest.raises(WeightsError, match="must have 4 labels"):
        exported.load(path, labels=["w"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: nn.Conv2d(1, 2, 3), None),
        (lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)).train(), "as a network does while it learns"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()), ""),
    ],
)
def test_programs_that_do_not_fit(tmp_path: Path, make: Callable[[], nn.Module], says: str | None) -> None:
    path = tmp_path / "x.pt2"
    module = make()
    channels = 1 if says is None else 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.rand(1, channels, 32, 32),))
        torch.export.save(program, path)
    if says == "":
        assert nets.load(str(path)).card.classes is None
        return
    with pytest.raises(WeightsError, match=says or r"must take pictures n x 3 x h x w, but takes \[1, 1, 32, 32\]"):
        nets.load(str(path))


# Hostile files.


def rewritten(file: Path, path: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """A copy of an archive with some entries changed, left out or added."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        root = old.namelist()[0].split("/")[0]
        for entry in old.infolist():
            data = change(entry.filename.partition("/")[2], old.read(entry))
            if data is not None:
                new.writestr(entry.filename, data)
        for name, data in more.items():
            new.writestr(f"{root}/{name}", data)
    return path


def graph_with(change: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], bytes]:
    def apply(name: str, data: bytes) -> bytes:
        if name != "models/model.json":
            return data
        program = json.loads(data)
        change(program)
        return json.dumps(program).encode()

    return apply


class Evil:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('this was run')",))


def test_pickles_in_the_file_are_not_opened(file: Path, tmp_path: Path) -> None:
    """The example inputs are a pickle in every program: ours is poisoned, and nothing happens."""
    poison = io.BytesIO()
    torch.save(Evil(), poison)

    def change(name: str, data: bytes) -> bytes:
        return poison.getvalue() if name.startswith("data/sample_inputs") else data

    path = rewritten(file, tmp_path / "x.pt2", change)
    with pytest.raises(SystemExit):
        torch.export.load(path)  # which is why it is not used
    assert nets.load(str(path)).card.layer("block").channels == 16


def test_pickled_weights_are_refused(file: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            config = json.loads(data)
            config["config"]["stem.weight"]["use_pickle"] = True
            return json.dumps(config).encode()
        return pickle.dumps(Evil()) if name.endswith("weight_0") else data

    with pytest.raises(WeightsError, match=r"keeps 'stem\.weight' as a pickle"):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", change)))


def _target(target: str) -> Callable[[dict[str, Any]], None]:
    def change(program: dict[str, Any]) -> None:
        program["graph_module"]["graph"]["nodes"][2]["target"] = target

    return change


def _expression(program: dict[str, Any]) -> None:
    value = {"as_expr": {"expr_str": "__import__('os').system('touch /tmp/was-run')", "hint": {"as_int": 48}}}
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][2] = value
    program["guards_code"] = ["__import__('sys').exit(3)"]
    program["range_constraints"] = {"exit()": {"min_val": 1, "max_val": 2}}


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten.resize_.default",
        "torch.ops.aten.as_strided.default",
        "torch.ops.aten.relu.out",
        "torch.ops.aten.relu.nonsense",
        "torch.ops.aten.__class__.__init__",
        "torch.ops.prim.device.default",
        "torch.ops.higher_order.cond",
        "os.system",
        "builtins.eval",
        "_operator.pow",
        "math.factorial",
        "",
    ],
)
def test_what_is_no_mathematics_is_refused(file: Path, tmp_path: Path, target: str) -> None:
    path = rewritten(file, tmp_path / "x.pt2", graph_with(_target(target)))
    with pytest.raises(WeightsError, match=r"not an operation that is run here|does not have"):
        nets.load(str(path))


def test_expressions_are_not_evaluated(file: Path, tmp_path: Path) -> None:
    path = rewritten(file, tmp_path / "x.pt2", graph_with(_expression))
    assert nets.load(str(path)).card.input.size == 64
    assert not Path("/tmp/was-run").exists()


def test_weights_may_not_be_written_to(file: Path, tmp_path: Path) -> None:
    def change(program: dict[str, Any]) -> None:
        node = program["graph_module"]["graph"]["nodes"][2]
        node["inputs"][0]["arg"]["as_tensor"]["name"] = "p_stem_weight"

    with pytest.raises(WeightsError, match="changes its own weights"):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", graph_with(change))))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sizes", [{"as_int": 10**9}, {"as_int": 3}, {"as_int": 3}, {"as_int": 3}]),
        ("sizes", [{"as_int": -8}, {"as_int": 3}, {"as_int": 3}, {"as_int": 3}]),
        ("sizes", [{"as_int": 9}, {"as_int": 3}, {"as_int": 3}, {"as_int": 3}]),
        ("strides", [{"as_int": 1000}, {"as_int": 9}, {"as_int": 3}, {"as_int": 1}]),
        ("strides", [{"as_int": -27}, {"as_int": 9}, {"as_int": 3}, {"as_int": 1}]),
        ("storage_offset", {"as_int": 10**12}),
        ("storage_offset", {"as_int": -1}),
        ("dtype", 99),
        ("sizes", "many"),
    ],
)
def test_weights_may_not_reach_beyond_their_bytes(file: Path, tmp_path: Path, key: str, value: object) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("weights_config.json"):
            return data
        config = json.loads(data)
        config["config"]["stem.weight"]["tensor_meta"][key] = value
        return json.dumps(config).encode()

    with pytest.raises(WeightsError):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", change)))


def test_files_of_unknown_versions_of_pytorch_are_refused(file: Path, tmp_path: Path) -> None:
    def change(program: dict[str, Any]) -> None:
        program["torch_version"] = "2.99.1+cpu"

    with pytest.raises(WeightsError, match=r"written by PyTorch 2\.99, but files of 2\.6 to 2\.13 can be read"):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", graph_with(change))))


def test_one_record_for_many_tensors_is_read_once_and_counted(tmp_path: Path) -> None:
    file = save(nn.Sequential(nn.Conv2d(3, 256, 7, padding=3), nn.ReLU()), tmp_path / "large.pt2")

    def change(name: str, data: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            config = json.loads(data)
            for index in range(200):
                config["config"][f"again{index}"] = config["config"]["0.weight"]
            return json.dumps(config).encode()
        return data

    with pytest.raises(WeightsError, match="tensors of far more bytes than its own"):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", change)))


def test_entries_that_share_their_bytes_are_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pt2"
    path.write_bytes(file.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        first = max(archive.infolist(), key=lambda entry: entry.file_size)
        for index in range(40):
            twin = copy.copy(first)
            twin.filename = f"x/twin{index}"
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(WeightsError, match="entries of more bytes in all"):
        nets.load(str(path))


@pytest.mark.parametrize("argument", [{"as_string": "x" * 1000}, {"as_ints": [1] * 1000}])
def test_sizes_are_numbers(file: Path, tmp_path: Path, argument: dict[str, object]) -> None:
    def change(program: dict[str, Any]) -> None:
        nodes = program["graph_module"]["graph"]["nodes"]
        inputs = [{"name": "a", "arg": argument, "kind": 1}, {"name": "b", "arg": {"as_int": 1 << 30}, "kind": 1}]
        output = {"as_sym_int": {"as_name": "grown"}}
        nodes.insert(0, {"target": "_operator.mul", "inputs": inputs, "outputs": [output], "metadata": {}})

    net = nets.load(str(rewritten(file, tmp_path / "x.pt2", graph_with(change))))
    assert "grown" not in net.card.layers


def test_floods_are_stopped(file: Path, tmp_path: Path) -> None:
    def change(program: dict[str, Any]) -> None:
        node = program["graph_module"]["graph"]["nodes"][2]
        node["target"] = "torch.ops.aten.repeat.default"
        node["inputs"].append({"name": "repeats", "arg": {"as_ints": [1, 1, 10**4, 10**5]}, "kind": 1})

    with pytest.raises(WeightsError, match=r"makes \d+ numbers in 'relu_'"):
        nets.load(str(rewritten(file, tmp_path / "x.pt2", graph_with(change))))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_what_is_no_archive_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.pt2"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="is not an exported program") as caught:
        nets.load(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no file .*nowhere\.pt2"):
        nets.load(str(tmp_path / "nowhere.pt2"))

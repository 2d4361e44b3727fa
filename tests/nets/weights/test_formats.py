"""Model files of every format: written with official names and shapes, read back, held against OpenCV and
others.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from phosphene.errors import WeightsError
from phosphene.nets.weights.read import read, sniff
from phosphene.nets.zoo import catalogue, googlenet, googlenet_torchvision, inception5h, resnet, structures, vgg
from phosphene.nets.zoo.graph import GraphNet
from tests import forked
from tests.nets.modelfiles import (
    Arrays,
    FrozenGraph,
    caffemodel,
    constant,
    googlenet_text,
    node,
    number,
    piece,
    random_weights,
    torchvision_state,
    vgg_text,
)

cv2 = pytest.importorskip("cv2")

CAFFE_MEAN = torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)  # BGR


def opencv(net: cv2.dnn.Net, picture: torch.Tensor, names: list[str]) -> list[torch.Tensor]:
    """What OpenCV makes of a picture that is as the network expects it."""
    net.enableFusion(False)
    net.enableWinograd(False)
    net.setInput(picture.numpy())
    return [torch.from_numpy(each) for each in net.forward(names)]


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.numel() == theirs.numel()
    assert theirs.std() > 0
    error = (ours.reshape(theirs.shape) - theirs).abs().max() / theirs.abs().max()
    assert error < 1e-4


@pytest.fixture(scope="module")
def googlenet_arrays() -> Arrays:
    return random_weights(googlenet.structure(1000).table)


@pytest.fixture(scope="module")
def googlenet_file(tmp_path_factory: pytest.TempPathFactory, googlenet_arrays: Arrays) -> Path:
    """A bvlc_googlenet.caffemodel, with the classifiers that only the training had use for."""
    aside = {"loss1/conv.weight": np.zeros((128, 512, 1, 1), np.float32), "loss1/conv.bias": np.zeros(128, np.float32)}
    return caffemodel(tmp_path_factory.mktemp("googlenet") / "net.caffemodel", {**googlenet_arrays, **aside})


@pytest.fixture(scope="module")
def googlenet_net(googlenet_file: Path) -> GraphNet:
    return structures.load(catalogue.find("googlenet"), googlenet_file, "")


# Held against OpenCV.


@pytest.mark.parametrize(("height", "width"), [(224, 224), (203, 262)])
def test_googlenet_is_opencvs(googlenet_file: Path, googlenet_net: GraphNet, height: int, width: int) -> None:
    """Local normalisation, ceil-mode pooling at odd sizes, BGR, means and all."""
    image = torch.rand(1, 3, height, width)
    text = np.frombuffer(googlenet_text(height, width, 1000).encode(), np.uint8)
    theirs = cv2.dnn.readNetFromCaffe(text, np.fromfile(googlenet_file, np.uint8))
    names = {  # in Caffe a ReLU works in place, under the name of its convolution
        "conv1/7x7_s2": "conv1/relu_7x7",
        "pool1/norm1": "pool1/norm1",
        "conv2/norm2": "conv2/norm2",
        "inception_3b/5x5_reduce": "inception_3b/relu_5_reduce",
        "inception_4c/output": "inception_4c/output",
        "pool4/3x3_s2": "pool4/3x3_s2",
        "inception_5b/output": "inception_5b/output",
        "loss3/classifier": "loss3/classifier",
    }
    expected = opencv(theirs, image.flip(1) * 255 - CAFFE_MEAN, list(names.values()))
    found = googlenet_net(image, list(names))
    for name, each in zip(names, expected, strict=True):
        agree(found[name], each)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (97, 130)])
def test_vgg_is_opencvs(tmp_path: Path, height: int, width: int) -> None:
    """All convolutions of VGG16 in the 2015 format of Caffe; the classifier is not in the file's network."""
    arrays = random_weights(vgg.structure(16).table)
    convolutions = {name: each for name, each in arrays.items() if not name.startswith("fc")}
    file = caffemodel(tmp_path / "vgg.caffemodel", convolutions, old=False)
    text = np.frombuffer(vgg_text(height, width, 16, classifier=False).encode(), np.uint8)
    theirs = cv2.dnn.readNetFromCaffe(text, np.fromfile(file, np.uint8))
    structure = vgg.structure(16, caffe=True)
    tensors = {**dict(read(file).tensors), **{n: torch.from_numpy(a) for n, a in arrays.items() if n[:2] == "fc"}}
    weights = vgg.caffe_weights(structure, structures.TensorSource(tensors, "vgg"))
    net = structure.net(structures.card(catalogue.find("vgg16"), structure), weights)
    image = torch.rand(1, 3, height, width)
    names = {"relu1_1": "relu1_1", "relu3_3": "relu3_3", "conv5_3": "conv5_3", "pool5": "pool5"}
    expected = opencv(theirs, net.card.normalise(image).flip(1), list(names.values()))
    found = net(image, list(names))
    for name, each in zip(names, expected, strict=True):
        agree(found[name], each)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (160, 256)])
def test_inception5h_is_opencvs(tmp_path: Path, height: int, width: int) -> None:
    """TensorFlow's padding, layout and sums, with a normalisation whose constants are the graph's own."""
    square = height == width
    graph = FrozenGraph(random_weights(inception5h.structure().table), alpha=3e-5, classifier=square)
    file = graph.write(tmp_path / "graph.pb")
    net = structures.load(catalogue.find("inception5h"), file, "")
    theirs = cv2.dnn.readNetFromTensorflow(np.fromfile(file, np.uint8))
    names = {
        "conv2d0": "conv2d0",
        "localresponsenorm0": "localresponsenorm0",
        "localresponsenorm1": "localresponsenorm1",
        "mixed3b_5x5_bottleneck_pre_relu": "mixed3b_5x5_bottleneck_pre_relu/conv",
        "mixed4a": "mixed4a",
        "inception_4c/output": "mixed4c",
        "mixed5b": "mixed5b",
    }
    if square:
        names["softmax2_pre_activation"] = "softmax2_pre_activation/matmul"
    image = torch.rand(1, 3, height, width)
    expected = opencv(theirs, image * 255 - 117, list(names.values()))
    found = net(image, list(names))
    for name, each in zip(names, expected, strict=True):
        agree(found[name], each)


# Round trips.


@pytest.mark.parametrize("old", [True, False])
def test_caffe_reads_back(tmp_path: Path, old: bool) -> None:
    arrays = {
        "a/b.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "a/b.bias": np.ones(2, np.float32),
        "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    }
    contents = read(caffemodel(tmp_path / "x.caffemodel", arrays, old=old))
    assert contents.format == "caffe"
    assert list(contents.tensors) == list(arrays)
    for name, array in arrays.items():
        found = contents.tensors[name].squeeze().numpy() if old else contents.tensors[name].numpy()
        np.testing.assert_array_equal(found, array.squeeze() if old else array)


def test_caffe_doubles_and_pieces(tmp_path: Path) -> None:
    """Weights as doubles, and packed numbers in several pieces, which the encoding allows."""
    doubles = piece(7, piece(1, b"\x02")) + piece(8, np.array([1.5, 2.5]).tobytes())
    parts = piece(7, piece(1, b"\x02")) + piece(5, struct.pack("<f", 3)) + piece(5, struct.pack("<f", 4))
    layer = piece(1, "a") + piece(7, doubles) + piece(7, parts)
    path = tmp_path / "x.caffemodel"
    path.write_bytes(piece(1, "Net") + piece(100, layer))
    tensors = read(path).tensors
    assert tensors["a.weight"].tolist() == [1.5, 2.5]
    assert tensors["a.bias"].tolist() == [3, 4]


def test_frozen_graph_reads_back(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    splat = number(1, 1) + piece(2, piece(2, number(1, 4))) + piece(5, struct.pack("<f", 0.5))
    path = tmp_path / "x.pb"
    path.write_bytes(
        constant("w", array)
        + node("splat", "Const", (), piece(5, piece(1, "value") + piece(2, piece(8, splat))))
        + constant("axis", np.array([3], np.int32))
        + node("norm", "LRN", ["w"], piece(5, piece(1, "depth_radius") + piece(2, number(3, 4))))
    )
    contents = read(path)
    assert contents.format == "tensorflow"
    assert set(contents.tensors) == {"w", "splat"}
    np.testing.assert_array_equal(contents.tensors["w"].numpy(), array)
    assert contents.tensors["splat"].tolist() == [0.5] * 4
    assert contents.attributes["norm"] == {"depth_radius": 4}


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_state_dict_reads_back(tmp_path: Path, legacy: bool, nested: bool) -> None:
    shared = torch.rand(4, 4)
    state = {"a.weight": torch.rand(3, 2), "b": shared[1:], "c": shared, "n": torch.tensor(3)}
    path = tmp_path / "x.pth"
    torch.save({"state_dict": state} if nested else state, path, _use_new_zipfile_serialization=not legacy)
    contents = read(path)
    assert contents.format == "pytorch"
    assert all(torch.equal(contents.tensors[name], each) for name, each in state.items())


def test_parameters_and_module_metadata_are_read(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    path = tmp_path / "x.pth"
    torch.save(module.state_dict(keep_vars=True), path)
    tensors = read(path).tensors
    assert set(tensors) == set(module.state_dict())
    assert not any(each.requires_grad for each in tensors.values())


def test_safetensors_read_back(tmp_path: Path) -> None:
    state = {"a.weight": torch.rand(3, 2).half(), "b": torch.rand(4)}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(state, path)
    contents = read(path)
    assert contents.format == "safetensors"
    assert all(torch.equal(contents.tensors[name], each) for name, each in state.items())


def test_a_structure_takes_its_tensors_from_any_format_that_has_them(
    tmp_path: Path, googlenet_arrays: Arrays, googlenet_net: GraphNet
) -> None:
    path = tmp_path / "googlenet.safetensors"
    safetensors.torch.save_file({name: torch.from_numpy(each) for name, each in googlenet_arrays.items()}, path)
    net = structures.load(catalogue.find("googlenet"), path, "")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(*(each(image, ["inception_4a/output"])["inception_4a/output"] for each in (net, googlenet_net)))


def test_torchvision_files_with_their_training_classifiers(tmp_path: Path) -> None:
    state = torchvision_state(googlenet_torchvision.structure().table, "basic")
    state["aux1.conv.conv.weight"] = torch.zeros(128, 512, 1, 1)
    path = tmp_path / "googlenet.pth"
    torch.save(state, path)
    net = structures.load(catalogue.find("googlenet-torchvision"), path, "abc")
    assert (net.card.input.mean, net.card.input.std) == ((0.5,) * 3, (0.5,) * 3)
    assert net.card.sha256 == "abc"
    assert net(torch.rand(1, 3, 64, 64), ["fc"])["fc"].shape == (1, 1000)


def test_resnet_is_transformers(tmp_path: Path) -> None:
    """A whole ResNet-50 with random weights, in torchvision's format, against transformers' own forward."""
    transformers = pytest.importorskip("transformers")
    state = torchvision_state(resnet.structure().table, "resnet")
    path = tmp_path / "resnet50.pth"
    torch.save(state, path)
    net = structures.load(catalogue.find("resnet50"), path, "")
    theirs = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000)).eval()
    theirs.load_state_dict(_transformers_names(state))
    image = torch.rand(1, 3, 97, 130)
    with torch.no_grad():
        expected = theirs(net.card.normalise(image), output_hidden_states=True)
    found = net(image, ["layer1", "layer4", "fc"])
    agree(found["layer1"], expected.hidden_states[1])
    agree(found["layer4"], expected.hidden_states[4])
    agree(found["fc"], expected.logits)


def _transformers_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = {"conv": "convolution", "bn": "normalization"}
    renamed = {}
    for name, tensor in state.items():
        pieces = name.split(".")
        if pieces[0] == "fc":
            renamed[f"classifier.1.{pieces[1]}"] = tensor
        elif pieces[0] in ("conv1", "bn1"):
            renamed[f"resnet.embedder.embedder.{parts[pieces[0][:-1]]}.{pieces[1]}"] = tensor
        else:
            at = f"resnet.encoder.stages.{int(pieces[0][-1]) - 1}.layers.{pieces[1]}"
            if pieces[2] == "downsample":
                inner = f"shortcut.{'convolution' if pieces[3] == '0' else 'normalization'}.{pieces[4]}"
            else:
                inner = f"layer.{int(pieces[2][-1]) - 1}.{parts[pieces[2][:-1]]}.{pieces[3]}"
            renamed[f"{at}.{inner}"] = tensor
    return renamed


@pytest.mark.parametrize("name", ["resnet50", "googlenet-torchvision", "inception-v3"])
def test_structures_are_torchvisions(tmp_path: Path, name: str) -> None:
    """Where torchvision is installed, all of its layers' values are ours."""
    models = pytest.importorskip("torchvision.models")
    make = {"googlenet-torchvision": models.googlenet, "inception-v3": models.inception_v3}.get(name, models.resnet50)
    theirs = make(**({} if name == "resnet50" else {"init_weights": False, "transform_input": True})).eval()
    path = tmp_path / "net.pth"
    torch.save(theirs.state_dict(), path)
    net = structures.load(catalogue.find(name), path, "")
    image = torch.rand(1, 3, 120, 150)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (catalogue.IMAGENET_MEAN, catalogue.IMAGENET_STD))
    with torch.no_grad():
        agree(net(image, [str(net.card.classes)])[str(net.card.classes)], theirs((image - mean) / std))


# Files of another network, and damaged ones.


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"conv2/3x3.weight": None, "conv2/3x3.bias": None},
            r"has no tensor 'conv2/3x3.weight': it belongs to another network",
        ),
        (
            {"inception_3a/1x1.weight": np.zeros((64, 191, 1, 1), np.float32)},
            r"'inception_3a/1x1.weight' must be 64 x 192 x 1 x 1, but is 64 x 191 x 1 x 1",
        ),
        ({"extra/conv.weight": np.zeros(3, np.float32)}, r"unexpected tensor 'extra/conv.weight'"),
    ],
)
def test_another_network_is_told_by_the_first_layer_that_does_not_fit(
    tmp_path: Path, googlenet_arrays: Arrays, changes: dict[str, np.ndarray | None], says: str
) -> None:
    arrays = {name: each for name, each in {**googlenet_arrays, **changes}.items() if each is not None}
    path = caffemodel(tmp_path / "other.caffemodel", arrays)
    with pytest.raises(WeightsError, match=says):
        structures.load(catalogue.find("googlenet"), path, "")


def test_places_weights_are_not_taken_for_imagenets(tmp_path: Path, googlenet_file: Path) -> None:
    with pytest.raises(WeightsError, match=r"'loss3/classifier.weight' must be 205 x 1024, but is 1 x 1 x 1000 x 1024"):
        structures.load(catalogue.find("googlenet-places205"), googlenet_file, "")


def test_a_file_of_another_format_is_told(tmp_path: Path, googlenet_file: Path) -> None:
    with pytest.raises(WeightsError, match=r"must be a frozen graph for inception5h, but is a Caffe model"):
        structures.load(catalogue.find("inception5h"), googlenet_file, "")


def test_a_truncated_caffe_model_names_where_it_ends(tmp_path: Path, googlenet_file: Path) -> None:
    data = googlenet_file.read_bytes()
    at = data.index(b"inception_4a/1x1")
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(data[: at + 1000])
    with pytest.raises(WeightsError, match=r"after layer 'inception_3b/pool_proj': a field claims \d+ bytes"):
        read(path)


def test_a_graph_without_its_normalisation_is_another_network(tmp_path: Path) -> None:
    graph = FrozenGraph(random_weights(inception5h.structure().table))
    path = tmp_path / "x.pb"
    path.write_bytes(b"".join(each for each in graph.nodes() if b"localresponsenorm1\x12\x03LRN" not in each))
    with pytest.raises(WeightsError, match="has no layer 'localresponsenorm1'"):
        structures.load(catalogue.find("inception5h"), path, "")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a model file"),
        (b"<!DOCTYPE html><html>not found</html>", "not a model file"),
        (b"PK\x03\x04 and then nothing", "not a state dict"),
        (b"\x80\x02" + b"junk" * 10, "claims 1785425525 numbers"),
        (struct.pack("<Q", 20) + b'{"a": "not a tensor"}', "not a complete safetensors"),
        (b"\n\x03Net", "no layer with weights"),
        (b"\n\x04\n\x02ab", "no constants"),
        (b"\x12\xff\xff\xff\xff\x0f", "must be a complete Caffe model"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=says) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert caught.value.path == path


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        sniff(tmp_path / "nowhere.pth")


def test_integers_are_no_weights(tmp_path: Path, googlenet_arrays: Arrays) -> None:
    state = {name: torch.from_numpy(each) for name, each in googlenet_arrays.items()}
    state["conv2/3x3.bias"] = torch.zeros(192, dtype=torch.int64)
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(state, path)
    with pytest.raises(WeightsError, match=r"'conv2/3x3.bias' must hold floating-point numbers"):
        structures.load(catalogue.find("googlenet"), path, "")


@pytest.mark.parametrize("module", ["caffe", "tensorflow"])
def test_without_protobuf_the_line_that_installs_it_is_told(module: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["google.protobuf"] = None
from phosphene.errors import MissingExtraError
from phosphene.nets.weights import {module}
try:
    {module}.read({str(tmp_path / "x")!r})
except MissingExtraError as problem:
    print(problem)
"""
    result = forked.run(code)
    assert b"pip install 'phosphene[models]'" in result.stdout, result.stderr


def test_labels_are_those_of_the_networks() -> None:
    cards = {name: catalogue.card(name) for name in catalogue.ENTRIES}
    assert cards["googlenet"].find_label("banana") == 954
    assert cards["inception5h"].find_label("banana") == 323
    assert cards["googlenet-places365"].find_label("zen garden") == 364
    assert cards["googlenet-places205"].find_label("yard") == 204
    for card in cards.values():
        assert card.classes is not None
        assert len(card.labels) == card.layer(card.classes).channels
    assert json.dumps(cards["vgg16"].labels)[:20]

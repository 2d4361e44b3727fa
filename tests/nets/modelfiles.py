"""Model files with random weights, written byte by byte from the formats' descriptions, for tests to read
back.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from phosphene.nets.ops.modules import Convolution
from phosphene.nets.zoo import googlenet, inception5h, vgg
from phosphene.nets.zoo.graph import Table

Arrays = dict[str, np.ndarray]


def random_weights(table: Table, seed: int = 0, caffe: bool = True) -> Arrays:
    """Weights for every step of a table, of a size that keeps activations alike from layer to layer.

    Caffe's first layer looks at BGR: it is the table's turned around.
    """
    generator = torch.Generator().manual_seed(seed)
    arrays: Arrays = {}
    for name, operation in table.steps.items():
        for kind, parameter in operation.named_parameters():
            fan_in = math.prod(parameter.shape[1:]) if kind == "weight" else 100
            values = torch.randn(parameter.shape, generator=generator) * math.sqrt(2 / fan_in)
            arrays[f"{name}.{kind}"] = values.numpy()
    return arrays


# Protocol buffers, by hand.


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def piece(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def fraction(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


# Caffe.


def blob(array: np.ndarray, old: bool = False) -> bytes:
    """A BlobProto, with `shape` or with the four sides of old."""
    data = piece(5, array.astype("<f4").tobytes())
    if old:
        sides = (1,) * (4 - array.ndim) + array.shape
        return b"".join(number(field, side) for field, side in enumerate(sides, start=1)) + data
    return piece(7, piece(1, b"".join(map(varint, array.shape)))) + data


def caffemodel(path: Path, arrays: Mapping[str, np.ndarray], *, old: bool = True, name: str = "Net") -> Path:
    """A .caffemodel of layers with `NAME.weight` and `NAME.bias`; `old` is the format of 2014."""
    layers: dict[str, list[np.ndarray]] = {}
    for key, array in arrays.items():
        layers.setdefault(key.rpartition(".")[0], []).append(array)
    with path.open("wb") as file:
        file.write(piece(1, name))
        for layer, blobs in layers.items():
            if old:  # V1LayerParameter: bottom 2, top 3, name 4, type 5 (4 is a convolution), blobs 6
                body = piece(2, "below") + piece(3, layer) + piece(4, layer) + number(5, 4)
                body += b"".join(piece(6, blob(each, old=True)) for each in blobs)
                file.write(piece(2, body))
            else:  # LayerParameter: name 1, type 2, bottom 3, top 4, blobs 7
                body = piece(1, layer) + piece(2, "Convolution") + piece(3, "below") + piece(4, layer)
                body += b"".join(piece(7, blob(each)) for each in blobs)
                file.write(piece(100, body))
    return path


def layer_text(kind: str, name: str, bottoms: Sequence[str], top: str, settings: str = "") -> str:
    below = " ".join(f'bottom: "{each}"' for each in bottoms)
    return f'layer {{ name: "{name}" type: "{kind}" {below} top: "{top}" {settings} }}\n'


def convolution_text(name: str, bottom: str, channels: int, kernel: int, stride: int, pad: int, relu: str) -> str:
    settings = f"num_output: {channels} kernel_size: {kernel} stride: {stride} pad: {pad}"
    text = layer_text("Convolution", name, [bottom], name, f"convolution_param {{ {settings} }}")
    return text + layer_text("ReLU", relu, [name], name)


def pool_text(name: str, bottom: str, kernel: int, stride: int, pad: int = 0, kind: str = "MAX") -> str:
    settings = f"pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad}"
    return layer_text("Pooling", name, [bottom], name, f"pooling_param {{ {settings} }}")


def header_text(height: int, width: int) -> str:
    return f'name: "Net"\ninput: "data"\ninput_shape {{ dim: 1 dim: 3 dim: {height} dim: {width} }}\n'


LRN = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"


def googlenet_text(height: int, width: int, classes: int) -> str:
    """BVLC GoogLeNet's deploy.prototxt."""
    text = header_text(height, width)
    text += convolution_text("conv1/7x7_s2", "data", 64, 7, 2, 3, "conv1/relu_7x7")
    text += pool_text("pool1/3x3_s2", "conv1/7x7_s2", 3, 2)
    text += layer_text("LRN", "pool1/norm1", ["pool1/3x3_s2"], "pool1/norm1", LRN)
    text += convolution_text("conv2/3x3_reduce", "pool1/norm1", 64, 1, 1, 0, "conv2/relu_3x3_reduce")
    text += convolution_text("conv2/3x3", "conv2/3x3_reduce", 192, 3, 1, 1, "conv2/relu_3x3")
    text += layer_text("LRN", "conv2/norm2", ["conv2/3x3"], "conv2/norm2", LRN)
    text += pool_text("pool2/3x3_s2", "conv2/norm2", 3, 2)
    bottom = "pool2/3x3_s2"
    for block, (one, three, five, projection) in googlenet.BLOCKS.items():
        if block in ("4a", "5a"):
            pool = {"4a": "pool3/3x3_s2", "5a": "pool4/3x3_s2"}[block]
            text += pool_text(pool, bottom, 3, 2)
            bottom = pool
        at = f"inception_{block}"
        text += convolution_text(f"{at}/1x1", bottom, one, 1, 1, 0, f"{at}/relu_1x1")
        for side, (reduce, channels) in ((3, three), (5, five)):
            name = f"{at}/{side}x{side}"
            text += convolution_text(f"{name}_reduce", bottom, reduce, 1, 1, 0, f"{at}/relu_{side}_reduce")
            text += convolution_text(name, f"{name}_reduce", channels, side, 1, side // 2, f"{at}/relu_{side}")
        text += pool_text(f"{at}/pool", bottom, 3, 1, 1)
        text += convolution_text(f"{at}/pool_proj", f"{at}/pool", projection, 1, 1, 0, f"{at}/relu_pool_proj")
        ends = [f"{at}/{each}" for each in ("1x1", "3x3", "5x5", "pool_proj")]
        text += layer_text("Concat", f"{at}/output", ends, f"{at}/output")
        bottom = f"{at}/output"
    text += layer_text("Pooling", "pool5", [bottom], "pool5", "pooling_param { pool: AVE global_pooling: true }")
    settings = f"inner_product_param {{ num_output: {classes} }}"
    return text + layer_text("InnerProduct", "loss3/classifier", ["pool5"], "loss3/classifier", settings)


def vgg_text(height: int, width: int, depth: int, classifier: bool) -> str:
    """The deploy.prototxt of VGG16 or VGG19."""
    text, bottom = header_text(height, width), "data"
    for stage, (count, channels) in enumerate(zip(vgg.CONVOLUTIONS[depth], vgg.CHANNELS, strict=True), start=1):
        for index in range(1, count + 1):
            name = f"conv{stage}_{index}"
            text += convolution_text(name, bottom, channels, 3, 1, 1, f"relu{stage}_{index}")
            bottom = name
        text += pool_text(f"pool{stage}", bottom, 2, 2)
        bottom = f"pool{stage}"
    for name, relu, channels in (("fc6", True, 4096), ("fc7", True, 4096), ("fc8", False, 1000)) * classifier:
        settings = f"inner_product_param {{ num_output: {channels} }}"
        text += layer_text("InnerProduct", name, [bottom], name, settings)
        if relu:
            text += layer_text("ReLU", name.replace("fc", "relu"), [name], name)
        bottom = name
    return text


# TensorFlow.

FLOAT, INT32 = 1, 3


def attribute(key: str, value: bytes) -> bytes:
    return piece(5, piece(1, key) + piece(2, value))


def dtype(key: str, value: int = FLOAT) -> bytes:
    return attribute(key, number(6, value))


def node(name: str, kind: str, inputs: Sequence[str] = (), attributes: bytes = b"") -> bytes:
    body = piece(1, name) + piece(2, kind) + b"".join(piece(3, each) for each in inputs) + attributes
    return piece(1, body)


def shape_bytes(shape: Sequence[int]) -> bytes:
    return b"".join(piece(2, number(1, side)) for side in shape)


def constant(name: str, array: np.ndarray) -> bytes:
    kind = FLOAT if array.dtype == np.float32 else INT32
    tensor = number(1, kind) + piece(2, shape_bytes(array.shape))
    tensor += piece(4, array.tobytes()) if array.ndim else piece(7, varint(int(array)))  # as TensorFlow does
    return node(name, "Const", (), dtype("dtype", kind) + attribute("value", piece(8, tensor)))


def ints(key: str, values: Sequence[int]) -> bytes:
    return attribute(key, piece(1, piece(3, b"".join(map(varint, values)))))


def same(stride: int, kernel: int | None = None) -> bytes:
    sizes = b"" if kernel is None else ints("ksize", [1, kernel, kernel, 1])
    padding = attribute("padding", piece(2, "SAME"))
    layout = attribute("data_format", piece(2, "NHWC"))
    return dtype("T") + ints("strides", [1, stride, stride, 1]) + sizes + padding + layout


class FrozenGraph:
    """Inception 5h as TensorFlow writes it, from weights in PyTorch's order."""

    def __init__(self, arrays: Arrays, alpha: float = 1.1e-5, classifier: bool = True) -> None:
        self.arrays, self.alpha, self.classifier = arrays, alpha, classifier
        self.strides = {"conv2d0": 2}

    def convolution(self, name: str, source: str) -> Iterator[bytes]:
        weight, bias = self.arrays[f"{name}_pre_relu.weight"], self.arrays[f"{name}_pre_relu.bias"]
        yield constant(f"{name}_w", np.ascontiguousarray(weight.transpose(2, 3, 1, 0)))
        yield constant(f"{name}_b", bias)
        yield node(f"{name}_pre_relu/conv", "Conv2D", [source, f"{name}_w"], same(self.strides.get(name, 1)))
        yield node(f"{name}_pre_relu", "BiasAdd", [f"{name}_pre_relu/conv", f"{name}_b"], dtype("T"))
        yield node(name, "Relu", [f"{name}_pre_relu"], dtype("T"))

    def norm(self, name: str, source: str) -> bytes:
        settings = attribute("depth_radius", number(3, 4)) + attribute("bias", fraction(4, 1.0))
        settings += attribute("alpha", fraction(4, self.alpha)) + attribute("beta", fraction(4, 0.5))
        return node(name, "LRN", [source], dtype("T") + settings)

    def mixed(self, block: str, source: str) -> Iterator[bytes]:
        yield from self.convolution(f"{block}_1x1", source)
        for side in ("3x3", "5x5"):
            yield from self.convolution(f"{block}_{side}_bottleneck", source)
            yield from self.convolution(f"{block}_{side}", f"{block}_{side}_bottleneck")
        yield node(f"{block}_pool", "MaxPool", [source], same(1, 3))
        yield from self.convolution(f"{block}_pool_reduce", f"{block}_pool")
        yield constant(f"{block}/concat_dim", np.array(3, np.int32))
        ends = [f"{block}_{each}" for each in ("1x1", "3x3", "5x5", "pool_reduce")]
        yield node(block, "Concat", [f"{block}/concat_dim", *ends], dtype("T") + attribute("N", number(3, 4)))

    def nodes(self) -> Iterator[bytes]:
        yield node("input", "Placeholder", (), dtype("dtype"))
        yield from self.convolution("conv2d0", "input")
        yield node("maxpool0", "MaxPool", ["conv2d0"], same(2, 3))
        yield self.norm("localresponsenorm0", "maxpool0")
        yield from self.convolution("conv2d1", "localresponsenorm0")
        yield from self.convolution("conv2d2", "conv2d1")
        yield self.norm("localresponsenorm1", "conv2d2")
        yield node("maxpool1", "MaxPool", ["localresponsenorm1"], same(2, 3))
        source = "maxpool1"
        for block in inception5h.BLOCKS:
            if block in inception5h.POOLED_BEFORE:
                pool, _ = inception5h.POOLED_BEFORE[block]
                yield node(pool, "MaxPool", [source], same(2, 3))
                source = pool
            yield from self.mixed(f"mixed{block}", source)
            source = f"mixed{block}"
        yield from self.aside()
        weight = np.ascontiguousarray(self.arrays["softmax2_pre_activation.weight"].T)
        yield constant("softmax2_w", weight)
        yield constant("softmax2_b", self.arrays["softmax2_pre_activation.bias"])
        if self.classifier:  # at 7 x 7 positions, as in the official file
            pool = attribute("padding", piece(2, "VALID")) + attribute("data_format", piece(2, "NHWC"))
            pool += dtype("T") + ints("strides", [1, 1, 1, 1]) + ints("ksize", [1, 7, 7, 1])
            yield node("avgpool0", "AvgPool", [source], pool)
            yield constant("avgpool0/reshape/shape", np.array([-1, 1024], np.int32))
            yield node("avgpool0/reshape", "Reshape", ["avgpool0", "avgpool0/reshape/shape"], dtype("T"))
            yield node("softmax2_pre_activation/matmul", "MatMul", ["avgpool0/reshape", "softmax2_w"], dtype("T"))
            yield node(
                "softmax2_pre_activation", "BiasAdd", ["softmax2_pre_activation/matmul", "softmax2_b"], dtype("T")
            )

    def aside(self) -> Iterator[bytes]:
        """Tensors of the classifiers that only the training had use for."""
        yield constant("head0_bottleneck_w", np.zeros((1, 1, 508, 128), np.float32))
        yield constant("nn1_b", np.zeros(1024, np.float32))

    def write(self, path: Path) -> Path:
        path.write_bytes(b"".join(self.nodes()))
        return path


# torchvision.


def torchvision_state(table: Table, kind: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict with torchvision's names: `kind` is "resnet" or "basic" (a `conv` and a `bn` for each)."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for name, operation in table.steps.items():
        if isinstance(operation, Convolution):
            stem, _, last = name.rpartition(".")
            before = last.replace("bn", "conv") if last.startswith("bn") else "0"
            resnet = (f"{stem}.{before}" if stem else before, name)
            convolution, norm = resnet if kind == "resnet" else (f"{name}.conv", f"{name}.bn")
            shape = operation.weight.shape
            scale = math.sqrt(2 / math.prod(shape[1:]))
            state[f"{convolution}.weight"] = torch.randn(shape, generator=generator) * scale
            state[f"{norm}.weight"] = torch.rand(shape[0], generator=generator) * 0.4 + 0.5
            state[f"{norm}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
            state[f"{norm}.running_mean"] = torch.randn(shape[0], generator=generator) * 0.1
            state[f"{norm}.running_var"] = torch.rand(shape[0], generator=generator) + 0.5
            state[f"{norm}.num_batches_tracked"] = torch.tensor(1)
        else:
            for parameter, value in operation.named_parameters():
                scale = 0.02
                state[f"{name}.{parameter}"] = torch.randn(value.shape, generator=generator) * scale
    return state

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from phosphene.errors import UnknownNameError
from phosphene.nets.base import Net
from phosphene.nets.zoo import pocket

VECTORS = Path(__file__).parent / "test_vectors.safetensors"


@pytest.fixture(scope="module")
def net() -> Net:
    return pocket.load()


@pytest.fixture(scope="module")
def vectors() -> dict[str, Tensor]:
    return load_file(VECTORS)


def test_every_layer_agrees_with_the_network_that_was_trained(net: Net, vectors: dict[str, Tensor]) -> None:
    activations = net(vectors["input"], list(net.card.layers))
    assert set(activations) == {name for name in vectors if name != "input" and not name.startswith("gradient")}
    for name, activation in activations.items():
        assert activation.shape[1] == net.card.layer(name).channels
        torch.testing.assert_close(activation, vectors[name], rtol=0, atol=1e-3, msg=name)


def test_gradients_agree_with_the_network_that_was_trained(net: Net, vectors: dict[str, Tensor]) -> None:
    image = vectors["input"].clone().requires_grad_()
    activations = net(image, ["mixed4c", "logits"])
    energy = 0.5 * activations["mixed4c"].square().sum()
    logit = activations["logits"][0, net.card.find_label("banana")]
    for name, score in (("half_sum_of_squares_of_mixed4c", energy), ("logit_banana", logit)):
        (gradient,) = torch.autograd.grad(score, image, retain_graph=True)
        expected = vectors[f"gradient_of_{name}"]
        # By norm: where a response is zero but for rounding, a ReLU may let a gradient through in one of the two.
        assert (gradient - expected).norm() < 1e-3 * expected.norm()


def test_the_head_gives_the_logits(net: Net, vectors: dict[str, Tensor]) -> None:
    pooled = vectors[str(net.card.pooled)].mean(dim=(2, 3))
    torch.testing.assert_close(net.head(pooled), vectors["logits"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("layer", ["conv1", "conv2", "mixed3a", "mixed3b", "mixed4a", "mixed4c", "mixed5a"])
def test_receptive_fields_are_what_gradients_reach(net: Net, layer: str) -> None:
    field = net.card.layer(layer).receptive
    assert field is not None
    position = field.before // field.stride + 1  # far enough from the edge for the whole field
    side = (position + 1) * field.stride + field.after + 40
    side += -side % field.stride
    # With weights and biases above zero nothing cancels: what is reached is a matter of structure alone.
    positive = pocket.load()
    for parameter in positive.parameters():
        parameter.abs_().add_(1e-3)
    image = torch.full((1, 3, side, side), 1.0).requires_grad_()
    response = positive(image, [layer])[layer][0, :, position, position].sum()
    (gradient,) = torch.autograd.grad(response, image)
    reached = gradient[0].abs().sum(dim=(0, 1)).nonzero().flatten()
    start = field.start + position * field.stride
    assert (int(reached[0]), int(reached[-1]) + 1) == (start, start + field.size)


def test_labels_are_found_by_any_of_their_names(net: Net) -> None:
    card = net.card
    assert len(card.labels) == 200
    assert card.find_label("banana") == card.find_label("BANANA") == card.find_label(str(card.find_label("banana")))
    assert card.find_label("puma") == card.find_label("cougar")
    assert card.find_label("golden_retriever") == card.find_label("golden  retriever")
    with pytest.raises(UnknownNameError, match="golden retriever"):
        card.find_label("golden retreiver")
    with pytest.raises(UnknownNameError):
        card.find_label("200")


def test_unknown_layers_are_answered_with_the_nearest(net: Net) -> None:
    with pytest.raises(UnknownNameError, match="mixed4c") as caught:
        net(torch.rand(1, 3, 64, 64), ["mixed4C"])
    assert caught.value.nearest[0] == "mixed4c"


def test_pictures_of_any_shape_run(net: Net) -> None:
    for size in [(16, 16), (64, 97), (33, 200)]:
        activations = net(torch.rand(1, 3, *size), ["conv1", "mixed5b"])
        assert activations["conv1"].shape[-2:] == (size[0] // 2, size[1] // 2)
        assert activations["mixed5b"].shape[-2:] == (size[0] // 16, size[1] // 16)

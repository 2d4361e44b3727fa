"""Networks are trained with batch norm; folding it into the convolutions keeps their outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from phosphene.nets.base import Net
from phosphene.nets.ops.batch_norm import fold_batch_norm
from phosphene.nets.weights import fit
from phosphene.nets.zoo import googlenet, googlenet_torchvision, inception_v3, pocket, resnet
from phosphene.nets.zoo.graph import Structure
from tests.nets.zoo.test_structures import card_of


def built(structure: Structure, *, with_batch_norm: bool = True) -> Net:
    return structure.untrained(card_of(structure), with_batch_norm=with_batch_norm)


NETS: Mapping[str, Callable[[], Net]] = {
    "pocket": lambda: pocket.structure(classes=7, with_batch_norm=True),
    "googlenet": lambda: built(googlenet.structure(7)),
    "googlenet-torchvision": lambda: built(googlenet_torchvision.structure()),
    "resnet50": lambda: built(resnet.structure()),
    "inception-v3": lambda: built(inception_v3.structure()),
}


def trained(net: Net, steps: int = 2) -> list[float]:
    """Train a little towards class 0, so that all statistics and weights move; gives the losses."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
    classes, losses = str(net.card.classes), []
    images = torch.rand(4, 3, 96, 96)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(net(images, [classes])[classes], torch.zeros(4, dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", NETS)
def test_a_network_that_was_trained_with_batch_norm_is_the_same_folded(name: str) -> None:
    torch.manual_seed(0)
    net = NETS[name]()
    losses = trained(net)
    assert losses[-1] < losses[0]
    net.eval()
    image = torch.rand(2, 3, 97, 130)
    layers = [str(net.card.pooled), net.card.default_target, str(net.card.classes)]
    with torch.no_grad():
        expected, found = net(image, layers), fold_batch_norm(net)(image, layers)
    for layer in layers:
        scale = float(expected[layer].abs().max())
        assert scale > 0
        torch.testing.assert_close(found[layer], expected[layer], rtol=1e-5, atol=1e-5 * max(1, scale))


def test_folding_leaves_the_network_itself_in_training() -> None:
    net = pocket.structure(classes=3, with_batch_norm=True)
    before = {name: each.clone() for name, each in net.state_dict().items()}
    frozen = fold_batch_norm(net)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in frozen.modules())
    assert not frozen.training
    assert not any(each.requires_grad for each in frozen.parameters())
    assert net.training
    assert all(each.requires_grad for each in net.parameters())
    assert before.keys() == net.state_dict().keys()
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())


def test_the_folded_network_has_the_tensors_that_the_loader_takes() -> None:
    net = fold_batch_norm(pocket.structure(classes=3, with_batch_norm=True))
    loaded = pocket.structure(classes=3)
    fit.fill(loaded.by_layer(), net.by_layer().state_dict(), source="mine.safetensors")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded(image, ["logits"])["logits"], net(image, ["logits"])["logits"])

    structure = resnet.structure()
    graph = fold_batch_norm(structure.untrained(card_of(structure), with_batch_norm=True))
    again = structure.net(card_of(structure), graph.tensors())
    assert torch.equal(again(image, ["fc"])["fc"], graph(image, ["fc"])["fc"])


def test_an_unfinished_training_is_loaded_with_its_batch_norms() -> None:
    net = pocket.structure(classes=3, with_batch_norm=True)
    trained(net)
    again = pocket.structure(classes=3, with_batch_norm=True)
    fit.fill(again.by_layer(), net.by_layer().state_dict(), source="mine.safetensors")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(again.eval()(image, ["logits"])["logits"], net.eval()(image, ["logits"])["logits"])


@pytest.mark.parametrize("with_batch_norm", [False, True])
def test_weights_are_drawn_as_pytorch_draws_them(with_batch_norm: bool) -> None:
    torch.manual_seed(0)
    graph = built(googlenet.structure(5), with_batch_norm=with_batch_norm)
    for name, weight in graph.named_parameters():
        if weight.dim() > 1:
            bound = 1 / weight[0].numel() ** 0.5
            drawn = weight.detach()
            assert drawn.abs().max() <= bound, name
            assert drawn.std() == pytest.approx(bound / 3**0.5, rel=0.1), name


def test_every_weight_gets_a_gradient() -> None:
    structure = resnet.structure()
    net = structure.untrained(card_of(structure), with_batch_norm=True)
    net(torch.rand(2, 3, 64, 64), ["fc"])["fc"].square().sum().backward()
    gradients: list[Tensor | None] = [each.grad for each in net.parameters()]
    assert all(each is not None and each.abs().sum() > 0 for each in gradients)

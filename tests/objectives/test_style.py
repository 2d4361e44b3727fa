"""The style draws the correlations of channels towards another picture's, exactly in tiles and in little memory."""

from __future__ import annotations

import pytest
import torch

from phosphene.errors import ExpressionError
from phosphene.gradients.engine import Engine
from phosphene.loops.arithmetic import Arithmetic
from phosphene.loops.dream import dreamt
from phosphene.nets.zoo import pocket
from phosphene.objectives import Style, parse, resolve
from phosphene.objectives.functions import style
from phosphene.recipe import DreamSettings
from tests.objectives.expressions import card
from tests.tinynet import tiny_net


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_gram_matrix_and_its_gradient_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_BLOCK", 40)  # several blocks
    activation = random(2, 3, 5, 4, dtype=torch.float64).requires_grad_()
    columns = activation.flatten(2)
    torch.testing.assert_close(style.gram(activation), columns @ columns.transpose(1, 2))
    assert torch.autograd.gradcheck(style.gram, activation)


def test_a_pictures_own_style_scores_highest_wherever_its_parts_stand() -> None:
    features = random(6, 24)
    objective = resolve(parse("style(s.jpg, mixed4c)"), card(), lambda path, layer: features)
    own = features.view(1, 6, 4, 6)
    shuffled = features[:, torch.randperm(24)].view(1, 6, 4, 6)
    other = random(1, 6, 4, 6, seed=1)
    scores = [float(objective({"mixed4c": each})) for each in (own, shuffled, other)]
    assert scores[0] == pytest.approx(0, abs=1e-9)
    assert scores[1] == pytest.approx(0, abs=1e-6)
    assert scores[2] < -1e-3


def test_tiles_add_up_to_the_whole() -> None:
    net = tiny_net()
    features = random(net.card.layer("high").channels, 50)
    objective = resolve(parse("style(s.jpg, high)"), net.card, lambda path, layer: features)
    image = random(1, 3, 70, 90)
    whole_scores, whole = Engine(net, objective, precision="float32", tile=0)(image)
    scores, tiled = Engine(net, objective, precision="float32", tile=24)(image)
    torch.testing.assert_close(scores, whole_scores, rtol=1e-4, atol=1e-6)
    assert (tiled - whole).norm() < 1e-4 * whole.norm()


def test_a_dream_takes_on_the_style() -> None:
    net = pocket.load()
    stripes = (torch.arange(64) % 8 < 4).float().view(1, 1, 1, 64).expand(1, 3, 64, 64)

    def read(path: str, layer: str) -> torch.Tensor:
        return net(stripes, [layer])[layer][0].flatten(1)

    engine = Engine(net, resolve(parse("style(s.jpg, conv2)"), net.card, read), precision="float32")
    photo = random(1, 3, 64, 64) * 0.2 + 0.4
    dream, _ = dreamt(engine, photo, DreamSettings(octaves=1, steps=16), arithmetic=Arithmetic(0))
    assert engine(dream)[0] > 0.9 * engine(photo)[0]  # both are negative
    across, down = (dream.diff(dim=dim).abs().mean() for dim in (3, 2))
    assert across > 1.3 * down


@pytest.mark.parametrize("text", ["style(s.jpg, a)", 'style("a, b.jpg", b)', "0.5*style(x y.png, a) - b"])
def test_it_is_written_as_it_is_read(text: str) -> None:
    assert str(parse(text)) == text
    assert isinstance(parse("style(s.jpg, a)"), Style)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("styel(s.jpg, a)", "no objective named 'styel'.*'style'"),
        ("style(s.jpg)", r"',' and a layer, as in style\(painting.jpg, mixed3b\)"),
        ("style(, a)", "expected a picture's path"),
        ("style(s.jpg, a, b)", "expected '\\)'"),
    ],
)
def test_mistakes_are_answered(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text)

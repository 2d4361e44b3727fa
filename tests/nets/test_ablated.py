"""Networks without some channels: these are 0, all after them sees that, and the network itself stays as it was."""

from __future__ import annotations

import pytest
import torch

import phosphene as ph
from phosphene.errors import SettingError
from phosphene.nets.ablated import Ablated
from phosphene.recipe.text import dumps, loads
from tests.tinynet import tiny_net


def test_channels_are_left_out_and_what_follows_sees_it() -> None:
    net, image = tiny_net(), torch.rand(2, 3, 16, 24)
    before = net(image, ["low", "middle", "high", "logits"])
    found = Ablated(net, {"middle": (3, 5)})(image, ["low", "middle", "high", "logits"])
    assert torch.equal(found["low"], before["low"])
    kept = [i for i in range(12) if i not in (3, 5)]
    assert torch.equal(found["middle"][:, kept], before["middle"][:, kept])
    assert not found["middle"][:, [3, 5]].any()
    # What follows is that of a network whose next layer does not take these channels.
    other = tiny_net()
    for parameter in other.by_layer()["high"].parameters():
        if parameter.dim() == 4:
            parameter.data[:, [3, 5]] = 0
    assert torch.allclose(found["high"], other(image, ["high"])["high"], atol=1e-5)
    assert not torch.equal(found["logits"], before["logits"])
    assert torch.equal(net(image, ["logits"])["logits"], before["logits"])


@pytest.mark.parametrize("kind", ["dream", "imagine", "sheet"])
def test_pictures_are_made_without_channels_by_recipe(kind: str) -> None:
    net = tiny_net()
    named = {"targets": ["high:3"]} if kind == "sheet" else {"target": "high:3"}
    settings = {"net": net, "steps": 2, "size": 32, **named}
    quick = {"octaves": 1} if kind == "dream" else {"sketches": 1, "views": 1}
    source = (torch.rand(3, 32, 32),) if kind == "dream" else ()

    def made(**further: object) -> ph.Picture:
        work = ph.job(kind, *source, **settings, **quick, **further)
        (picture,) = work.run(on_event=lambda _: None)  # type: ignore[misc]
        return picture

    whole, without = made(), made(without="middle:0..10")
    assert not torch.equal(whole.image, without.image)
    recipe = loads(dumps(without.recipe))
    assert recipe.without == "middle:0..10"  # type: ignore[attr-defined]
    again = ph.again(recipe, source=source[0] if source else None, net=net)
    assert torch.equal(again.image, without.image)  # type: ignore[union-attr]
    with pytest.raises(SettingError, match="channels 0 to 11, but 12"):
        made(without="middle:12")
    with pytest.raises(SettingError, match="must be channels"):
        made(without="middle")

"""Responses like those to photographs score 0, all others more; views of one picture are judged together."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.nets.card import ActivationStatistics
from phosphene.objectives.feature_statistics import feature_statistics_loss


def responses(n: int = 6) -> Tensor:
    return (
        torch.rand(n, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 2, 3, 0.5])[:, None, None]
    )


def usual_of(activation: Tensor) -> ActivationStatistics:
    channels = activation.transpose(0, 1).flatten(1)
    return ActivationStatistics(channels.mean(dim=1), channels.std(dim=1, correction=0), channels.amax(dim=1))


def test_responses_as_measured_have_no_loss() -> None:
    activation = responses()
    assert feature_statistics_loss(activation, usual_of(activation), views=6) < 1e-6


def test_louder_quieter_and_shifted_responses_have_a_loss() -> None:
    activation = responses()
    statistics = usual_of(activation)
    for changed in (activation * 2, activation * 0.3, activation + 1, torch.zeros_like(activation)):
        assert feature_statistics_loss(changed, statistics, views=6) > 0.1


def test_the_loss_grows_with_the_distance() -> None:
    activation = responses()
    statistics = usual_of(activation)
    scores = [float(feature_statistics_loss(activation + shift, statistics, views=6)) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert scores == sorted(scores)


def test_views_of_a_picture_are_judged_together_and_pictures_apart() -> None:
    activation = responses(6)
    statistics = usual_of(activation)
    pairs = feature_statistics_loss(activation, statistics, views=2)
    assert pairs.shape == (3,)
    torch.testing.assert_close(pairs[1], feature_statistics_loss(activation[2:4], statistics, views=2)[0])


def test_silent_channels_and_constant_layers_have_finite_gradients() -> None:
    activation = torch.zeros(2, 4, 3, 3, requires_grad=True)
    zeros = torch.zeros(4)
    feature_statistics_loss(
        activation, ActivationStatistics(zeros, torch.tensor([0.0, 1.0, 1.0, 0.0]), zeros)
    ).sum().backward()
    assert activation.grad is not None
    assert activation.grad.isfinite().all()


def test_bfloat16_agrees() -> None:
    activation = responses()
    statistics = usual_of(activation * 1.5)
    exact, coarse = (
        feature_statistics_loss(activation, statistics),
        feature_statistics_loss(activation.bfloat16(), statistics),
    )
    torch.testing.assert_close(exact, coarse, rtol=0.05, atol=0.01)

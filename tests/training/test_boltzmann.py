"""Boltzmann machines: they learn pictures without classes, and dream by Gibbs chains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import phosphene as ph
from phosphene.errors import SettingError, WeightsError
from phosphene.nets.weights import machine as files
from phosphene.training.boltzmann import Learner, Machine, Stack
from tests.cli.program import run
from tests.training.datasets import stripes

RBM = {"model": "rbm", "width": 24, "epochs": 30, "batch": 8, "side": 12}


def small(seed: int = 0, units: int = 9, hidden: int = 5) -> Machine:
    """A machine with some coupling."""
    generator = torch.Generator().manual_seed(seed)
    machine = Machine.untrained(torch.rand(units, generator=generator), hidden, gaussian=True, generator=generator)
    machine.weight = torch.randn(units, hidden, generator=generator)
    machine.hidden_bias = torch.randn(hidden, generator=generator)
    return machine


def energy(machine: Machine, v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    own = (v - machine.visible_bias).square().sum() / 2
    return own - (v - machine.visible_mean) @ machine.weight @ (h - machine.hidden_mean) - machine.hidden_bias @ h


def test_free_energy_sums_over_all_states_of_the_hidden_units() -> None:
    machine, v = small(), torch.randn(9, generator=torch.Generator().manual_seed(1))
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 5)
    every = torch.stack([-energy(machine, v, h) for h in states])
    assert machine.free_energy(v[None])[0] == pytest.approx(float(-every.logsumexp(0)), rel=1e-4)
    probability = (states * every.softmax(0)[:, None]).sum(0)
    assert torch.allclose(machine.hidden(v), probability, atol=1e-5)


def test_centring_changes_nothing_but_the_means() -> None:
    machine, v = small(), torch.randn(4, 9, generator=torch.Generator().manual_seed(1))
    before = machine.free_energy(v)
    Learner(machine, 0.01, 10, 0)._centre(torch.rand(5, generator=torch.Generator().manual_seed(2)))
    change = machine.free_energy(v) - before  # by the same for all states
    assert torch.allclose(change, change[:1].expand(4), atol=1e-4)


def test_what_was_learnt_has_less_energy_than_noise(tmp_path: Path) -> None:
    learnt = ph.learn(stripes(tmp_path / "data"), **RBM)  # type: ignore[arg-type]
    found = learnt.metrics
    assert found["held-out free energy"] < found["noise free energy"]
    assert found["dead units"] <= 0.1
    learnt.save(tmp_path / "machine.rbm")
    parts, card, _ = files.read(tmp_path / "machine.rbm")
    assert parts[0]["weight"].shape == (144, 24)
    assert card["data"]["pictures"] == {"lying": 12, "standing": 12}


def test_a_stack_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.render import job

    data = stripes(tmp_path / "data")
    settings = {**RBM, "model": "stack", "epochs": 10}
    ph.job("learn", data, **settings).save(tmp_path / "whole.rbm")  # type: ignore[arg-type]
    monkeypatch.setattr(job, "CHECKPOINT_SECONDS", 0.0)
    for cut in (3, 5):
        events = ph.job("learn", data, **settings).writing(tmp_path / "broken.rbm")  # type: ignore[arg-type]
        for _ in zip(range(cut), events):  # noqa: B905
            pass
        events.close()  # type: ignore[attr-defined]
    ph.job("learn", data, **settings).save(tmp_path / "broken.rbm")  # type: ignore[arg-type]
    assert (tmp_path / "whole.rbm").read_bytes() == (tmp_path / "broken.rbm").read_bytes()
    ph.gibbs(tmp_path / "whole.rbm", count=2, sweeps=3, size=12).save(tmp_path / "dream.png")


def test_machines_dream_in_pictures_and_films_and_complete_halves(tmp_path: Path) -> None:
    out = tmp_path / "m.rbm"
    ph.learn(stripes(tmp_path / "data"), **{**RBM, "epochs": 3}).save(out)  # type: ignore[arg-type]
    assert run("imagine", "--net", out, "--count", 4, "--size", 12, "-o", tmp_path / "a.png").exit_code == 0
    done = run("gibbs", out, "--seconds", 0.5, "--sweeps", 2, "--size", 12, "-o", tmp_path / "a.mkv")
    assert done.exit_code == 0, done.output
    again = run("again", tmp_path / "a.png", "-o", tmp_path / "b.png")
    assert again.exit_code == 0, again.output
    with PIL.Image.open(tmp_path / "a.png") as one, PIL.Image.open(tmp_path / "b.png") as two:
        assert np.array_equal(np.asarray(one), np.asarray(two))


def test_the_given_half_stays() -> None:
    machine = small(units=36)
    stack = Stack((machine,), 0.25, 6, 1)
    known = torch.rand(1, 36, generator=torch.Generator().manual_seed(3)) * 4
    where = torch.arange(36)[None] < 18
    chain = stack.chain(3, seed=0, known=known, where=where)
    for _, (images, _) in zip(range(3), chain):  # noqa: B905
        assert torch.allclose(stack.units(images)[:, :18], known[:, :18].expand(3, -1), atol=1e-5)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        ph.gibbs(tmp_path / "none.rbm")
    (tmp_path / "bad.rbm").write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="is not a Boltzmann machine"):
        ph.gibbs(tmp_path / "bad.rbm")
    with pytest.raises(SettingError, match="cannot begin from a network"):
        ph.learn(stripes(tmp_path / "data"), model="rbm", start="pocket")
    assert run("imagine").exit_code == 2

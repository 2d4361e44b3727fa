"""The public functions of networks that learn: `learn`, `recall` and `gibbs`."""

from __future__ import annotations

from typing import Unpack

from phosphene import options
from phosphene.api import OnEvent, StrPath, job
from phosphene.render.boltzmann import LearntMachine
from phosphene.render.job import Job
from phosphene.render.learning import Learnt


def learn(
    dataset: object, *, on_event: OnEvent | None = None, **settings: Unpack[options.LearnOptions]
) -> Learnt | LearntMachine:
    """Train a network on labelled pictures; its `net` dreams at once, and `save` writes it.

        ph.learn("photos/", epochs=10).save("mynet.pt2")
        ph.imagine("cat", net="mynet.pt2")

    Args:
        dataset: a folder of class folders, a CSV, `Dataset(own="digits")`, or any `torch.utils.data.Dataset` of
            (picture, label): PIL images, arrays or tensors, and whole numbers, whose names are its `classes`.
        on_event: called with each `Event`, whose `metrics` are losses and accuracies.
        settings: those of `LearnRecipe`, such as `epochs`, `attack` or `seed`.

    Raises:
        PhospheneError: a subclass, for a dataset or setting that is wrong.

    Source: Engstrom et al., "Adversarial Robustness as a Prior for Learned Representations" (2019).
    """
    result = job("learn", dataset, **settings).run(on_event)
    assert isinstance(result, Learnt | LearntMachine), "learning gives a network"
    return result


def gibbs(machine: StrPath, **settings: Unpack[options.GibbsOptions]) -> Job:
    """Let a Boltzmann machine dream: a sheet of fantasies, or with `seconds` a film of the chains as they wander.

        ph.gibbs("digits.rbm", seconds=10).save("wander.mp4")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        machine: a .rbm file that `learn` with `model="rbm"` has saved.
        settings: those of `GibbsRecipe`, such as `count`, `sweeps` or `known`.

    Raises:
        PhospheneError: a subclass, for a file or setting that is wrong.
    """
    return job("gibbs", net=str(machine), **settings)


def recall(run: StrPath, **settings: Unpack[options.RecallOptions]) -> Job:
    """Make the film of a network's learning: what it imagines for each of its classes, from the first step to the last.

        ph.recall("digits.run").save("learning.mp4")

    Everything is checked before this returns; the work is done when the job is saved or iterated.

    Args:
        run: the folder NAME.run that `learn` with `frames` leaves beside NAME.pt2.
        settings: those of `RecallRecipe`, such as `size`, `steps` or `fps`.

    Raises:
        PhospheneError: a subclass, for a run or setting that is wrong.
    """
    return job("recall", run, **settings)

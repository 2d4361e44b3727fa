"""The public functions of networks that learn: `learn` and `recall`."""

from __future__ import annotations

from typing import Unpack

from phosphene import options
from phosphene.api import OnEvent, StrPath, job
from phosphene.render.job import Job
from phosphene.render.learning import Learnt


def learn(dataset: object, *, on_event: OnEvent | None = None, **settings: Unpack[options.LearnOptions]) -> Learnt:
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
    assert isinstance(result, Learnt), "learning gives a network"
    return result


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

"""A network that learns to tell classes apart, step by step, under attacks that grow as it learns.

Each batch is looked at several times: first as it is, then under an attack that each look makes stronger. Every look
gives the gradient of the weights, which then take a step, and that of the pictures, which the attack follows ("free"
adversarial training). What is tested and kept is a running mean of the weights.

Sources: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019): AdamW; `phosphene.training.attack`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.gradients import allocator
from phosphene.loops.ascent import cosine, part
from phosphene.loops.step import Frame, State, Step, number
from phosphene.nets.ops.batch_norm import fold_batch_norm
from phosphene.nets.zoo.graph import GraphNet
from phosphene.recipe.learning import LearnRecipe
from phosphene.rng import fold_in
from phosphene.training.attack import attacked, moved
from phosphene.training.live import LiveState
from phosphene.training.pictures import Batches, TrainingPictures, Views, nearest_other_class
from phosphene.training.teacher import Lesson, Teacher, observed

RATE, RATE_FURTHER = 4e-3, 5e-4
"""Learning rates for a new network, and for one that is trained further."""

WARM_UP = 0.1
"""Share of the training in which the learning rate rises."""

LAST_RATE = 0.02
SMOOTHING = 0.02
"""Label smoothing (Szegedy et al. 2016): classes need not be told apart for certain."""

MEAN_OF = 0.995
"""Decay of the running mean of the weights."""

FASTEST_MEAN = 10

GROWTH = 1.04
"""An automatic attack's growth with each batch, or its loss."""

WEAKEST, FIRST, STRONGEST = 0.004, 0.05, 0.5
"""An automatic attack's least length, its first and its greatest, as shares of the median distance between a picture
and the nearest one of another class: at half of it, no network could be right. The distance tells little where classes
differ by less than pictures do, as shapes in any colour do; there it shrinks."""

KEEPS_UP, LEARNT = 0.7, 0.2
"""An automatic attack grows while the network is right under it this often, relative to its best on pictures as they
are, both counted from chance; but not before that best is this far from chance, on the way to perfect."""

SETTLED = 0.7
"""Share of the training after which an automatic attack stays as it is, and training may stop early."""

TESTED, TESTED_UNDER_ATTACK, AT_ONCE = 2048, 256, 256
"""The most held-out pictures that a test takes, and how many of them at once."""

SHOWN = 16


@dataclass(frozen=True)
class Progress:
    """How far training has come: the batch that is next, of how many; `after` of them go without attack."""

    batches: int
    before_attack: int
    replays: int

    def looks(self, batch: int) -> int:
        """Return how often a batch is looked at."""
        return self.replays if batch >= self.before_attack else 1

    def done(self, batch: int) -> float:
        """Return the share of all looks that is done before a batch."""
        plain = min(batch, self.before_attack)
        total = self.before_attack + (self.batches - self.before_attack) * self.replays
        return (plain + max(0, batch - self.before_attack) * self.replays) / total


class Classifier:
    """A network, the mean of its weights, and the optimizer: everything that training changes.

    Args:
        net: the network as it begins, with its batch norms.
        pictures: what it learns from.
        recipe: the settings, all of them resolved.
        views: how pictures are changed.
        dtype: number format of the convolutions.
    """

    def __init__(
        self, net: GraphNet, pictures: TrainingPictures, recipe: LearnRecipe, views: Views, dtype: torch.dtype
    ) -> None:
        self.teacher = Teacher(net, dtype) if recipe.lessons == "itself" else None
        self.net = net.train().requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.teacher is not None:  # so that classes remain what they are
            self.net.operation(str(net.card.classes)).requires_grad_(False)
        self.mean = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.pictures, self.recipe, self.dtype = pictures, recipe, dtype
        self.device = next(net.parameters()).device
        self.batches = Batches(pictures, recipe.batch, views, self.device)
        epochs, replays = recipe.epochs, recipe.replays if recipe.attack != 0 else 1
        assert not isinstance(epochs, str), "the recipe is resolved"
        count = epochs * self.batches.per_epoch
        self.plan = Progress(count, round(recipe.attack_from * count) if replays > 1 else count, replays)
        self._optimizer = _optimizer(self.net, recipe.weight_decay)
        self._classes = str(net.card.classes)
        near = nearest_other_class(pictures) if recipe.attack == "auto" else 0.0
        self._limits = (WEAKEST * near, STRONGEST * near)
        self._chance = 1 / len(net.card.labels)
        self.batch = 0
        self.updates = 0
        self.attack = FIRST * near
        self.right = {"plain": 0.0, "attacked": 0.0, "best": 0.0}
        self.test: dict[str, float] = {}
        self.best: dict[str, Tensor] = {}
        self.best_test: dict[str, float] = {}
        self.since = 0

    def side(self, batch: int) -> int:
        """Return the side of a batch's pictures: smaller in the first half, if they are to grow."""
        side = self.pictures.store.side
        share = self.recipe.growing if batch < self.plan.batches / 2 else 1.0
        return max(8, round(side * share / 4) * 4) if share < 1 else side

    def learn(self) -> tuple[Tensor, dict[str, float]]:
        """Look at the next batch as often as is planned, with a step after each look; return it, and what came out."""
        following = self.side(self.batch + 1) if self.batch + 1 < self.plan.batches else None
        images, labels = self.batches(self.batch, self.side(self.batch), following)
        looks = self.plan.looks(self.batch)
        lesson = None if self.teacher is None else self.teacher(images)
        labels = labels if lesson is None else lesson.labels
        change = torch.zeros_like(images) if lesson is None else self._nudge(images)
        losses, right = [], []
        for look in range(looks):
            seen = (images + change).clamp(0, 1).detach()
            seen.requires_grad_(look + 1 < looks)
            loss, scores = self._loss(seen, labels, lesson)
            loss.backward()
            self._update()
            if seen.grad is not None:
                change = moved(change, seen.grad, self.length())
            losses.append(float(loss.detach()))
            right.append(float((scores.detach().argmax(dim=1) == labels).double().mean()))
        self._follow(right)
        self.batch += 1
        metrics = {"loss": losses[0], "accuracy": self.right["plain"], "rate": self._rate()}
        if looks > 1:
            metrics |= {"attacked loss": losses[-1], "attacked accuracy": self.right["attacked"]}
            metrics["attack"] = self.length()
        return (images + change).clamp(0, 1).detach(), metrics

    def _loss(self, seen: Tensor, labels: Tensor, lesson: Lesson | None) -> tuple[Tensor, Tensor]:
        """Return the loss for pictures, and the class scores."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            scores, features = observed(self.net, seen)
        if lesson is None:
            return F.cross_entropy(scores, labels, label_smoothing=SMOOTHING), scores
        return lesson.loss(scores, features), scores

    def _nudge(self, images: Tensor) -> Tensor:
        """Return a random beginning of an attack: a network that still says what its teacher says has no gradient."""
        generator = torch.Generator().manual_seed(fold_in(self.recipe.seed, "nudge", self.batch))
        noise = torch.randn(images.shape, generator=generator).to(images)
        return moved(torch.zeros_like(images), noise, self.length() / 2)

    def length(self) -> float:
        """Return the length of the attack at the next batch."""
        if self.recipe.attack == "auto":
            return self.attack
        done = (self.batch - self.plan.before_attack) / max(1, self.plan.batches - self.plan.before_attack)
        return float(self.recipe.attack) * (1 / 3 + 2 / 3 * min(1.0, max(0.0, done)))

    def tested_length(self) -> float:
        """Return the length of the attack that held-out pictures are tested under: the final one, where it is known."""
        return self.attack if self.recipe.attack == "auto" else float(self.recipe.attack)

    def _follow(self, right: list[float]) -> None:
        """Take in how often the network was right, and let an automatic attack grow or shrink."""
        for name, share in (("plain", right[0]), ("attacked", right[-1])):
            self.right[name] += (share - self.right[name]) * (1 if self.batch == 0 else 0.1)
        self.right["best"] = max(self.right["best"], self.right["plain"])
        if len(right) > 1 and self.batch < SETTLED * self.plan.batches:
            best, attacked = (max(0.0, self.right[name] - self._chance) for name in ("best", "attacked"))
            keeps_up = attacked >= KEEPS_UP * best and best >= LEARNT * (1 - self._chance)
            low, high = self._limits
            self.attack = min(high, max(low, self.attack * (GROWTH if keeps_up else 1 / GROWTH)))

    def _rate(self) -> float:
        done = self.plan.done(self.batch)
        top = self.recipe.rate
        assert not isinstance(top, str), "the recipe is resolved"
        return top * (done / WARM_UP if done < WARM_UP else cosine((done - WARM_UP) / (1 - WARM_UP), LAST_RATE))

    def _update(self) -> None:
        """Take a step with the gradients of the weights, and let the mean of the weights follow."""
        for group in self._optimizer.param_groups:
            group["lr"] = max(self._rate(), 1e-8)
        nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.updates += 1
        decay = min(MEAN_OF, self.updates / (self.updates + FASTEST_MEAN))
        with torch.no_grad():
            own, mean = _numbers(self.net), _numbers(self.mean)
            torch._foreach_lerp_(mean, own, 1 - decay)

    def evaluate(self) -> dict[str, float]:
        """Test the mean of the weights on held-out pictures, as they are and under attack; note the best."""
        held = self.pictures.held
        net = self.finished(best=False).to(self.dtype)
        found = {"held-out accuracy": self._accuracy(net, held[:: max(1, len(held) // TESTED)][:TESTED], 0.0)}
        if self.plan.replays > 1:
            some = held[:: max(1, len(held) // TESTED_UNDER_ATTACK)][:TESTED_UNDER_ATTACK]
            found["robust accuracy"] = self._accuracy(net, some, self.tested_length())
        self.test = found
        if self.batch >= SETTLED * self.plan.batches:
            self.since += 1
            if not self.best_test or sum(found.values()) > sum(self.best_test.values()):
                self.best_test, self.since = found, 0
                self.best = {name: each.clone() for name, each in self.mean.state_dict().items()}
        return found

    def _accuracy(self, net: GraphNet, which: np.ndarray, length: float) -> float:
        right = 0
        for start in range(0, len(which), AT_ONCE):
            some = which[start : start + AT_ONCE]
            images = self.pictures.take(some).to(self.device, memory_format=torch.channels_last)
            labels = self.pictures.labels[some].to(self.device)
            if self.teacher is not None:
                labels = self.teacher(images).labels
            if length > 0:
                images = attacked(net, images, labels, length)
            with torch.no_grad():
                scores = net(images, [self._classes])[self._classes]
            right += int((scores.argmax(dim=1) == labels).sum())
        return right / max(len(which), 1)

    @property
    def tests(self) -> dict[str, float]:
        """The test of the network that `finished` returns."""
        return self.best_test or self.test

    @property
    def exhausted(self) -> bool:
        """Whether tests have not improved for as long as the recipe is patient."""
        return self.since >= self.recipe.patience

    def finished(self, *, best: bool = True) -> GraphNet:
        """Return a network for dreaming, with batch norms folded in: the best that was tested, or the present one."""
        net = copy.deepcopy(self.mean)
        if best and self.best:
            net.load_state_dict(self.best)
        return fold_batch_norm(net).for_dreaming()

    def state(self) -> dict[str, Tensor]:
        """Return everything that training continues from, copied."""
        found = {f"net.{name}": each.clone() for name, each in self.net.state_dict().items()}
        found |= {f"mean.{name}": each.clone() for name, each in self.mean.state_dict().items()}
        found |= {f"best.{name}": each for name, each in self.best.items()}
        for index, kept in self._optimizer.state_dict()["state"].items():
            found |= {f"adam.{index}.{key}": each.clone() for key, each in kept.items()}
        for key in ("batch", "updates", "attack", "since"):
            found[key] = number(getattr(self, key))
        for key in ("right", "test", "best_test"):
            found |= {f"{key}.{name}": number(each) for name, each in getattr(self, key).items()}
        return found

    def resume(self, state: State) -> None:
        """Continue from what `state` returned."""
        self.net.load_state_dict(part(state, "net."))
        self.mean.load_state_dict(part(state, "mean."))
        self.best = dict(part(state, "best."))
        kept: dict[int, dict[str, Tensor]] = {}
        parameters = [each for group in self._optimizer.param_groups for each in group["params"]]
        for name, tensor in part(state, "adam.").items():
            index, _, key = name.partition(".")
            like = parameters[int(index)]  # the fused optimizer takes moments to be laid out as weights are
            same = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            kept.setdefault(int(index), {})[key] = same
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": kept})
        self.batch, self.updates, self.since = (int(state[key]) for key in ("batch", "updates", "since"))
        self.attack = float(state["attack"])
        for key in ("right", "test", "best_test"):
            setattr(self, key, {name: float(each) for name, each in part(state, f"{key}.").items()})


def _optimizer(net: GraphNet, decay: float) -> torch.optim.Optimizer:
    """Return AdamW, which draws weights towards zero but not the shifts and gains of channels."""
    learning = [each for each in net.parameters() if each.requires_grad]
    weights = [each for each in learning if each.dim() > 1]
    others = [each for each in learning if each.dim() <= 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), fused=True)


def _numbers(net: nn.Module) -> list[Tensor]:
    return [each.detach() for each in net.state_dict().values() if each.is_floating_point()]


def classifier_steps(classifier: Classifier, *, state: State | None = None) -> Iterator[Step]:
    """Train, batch by batch, yielding after every batch, until all is done or tests no longer improve.

    Each step's `metrics` are the losses and accuracies of the training, and after each epoch those of held-out
    pictures. A step with a `frame` is one at which the network is kept for a film of its learning.

    Args:
        classifier: what is trained.
        state: that of a step, to continue after it, to the same bytes.
    """
    if state is not None:
        classifier.resume(state)
    plan, per_epoch = classifier.plan, classifier.batches.per_epoch
    frames = {batch: index for index, batch in enumerate(schedule(plan.batches, classifier.recipe.frames))}
    memory = allocator.Keeper()
    live, size = LiveState(classifier.state), torch.Size([classifier.batches.size])
    try:
        while classifier.batch < plan.batches and not classifier.exhausted:
            live.expire()
            with memory.step(size):
                seen, metrics = classifier.learn()
            is_last = classifier.batch == plan.batches
            if classifier.batch % per_epoch == 0 or is_last:
                classifier.evaluate()
            live = LiveState(classifier.state)
            index = frames.get(classifier.batch)
            yield Step(
                stage=f"epoch {(classifier.batch - 1) // per_epoch + 1} of {classifier.recipe.epochs}",
                step=classifier.batch,
                steps=plan.batches,
                progress=1.0 if classifier.exhausted else plan.done(classifier.batch),
                image=contact_sheet(seen),
                scores=torch.tensor([metrics["accuracy"]]),
                state=live,
                frame=None if index is None else Frame(index, 0.0),
                metrics={**metrics, **classifier.test},
            )
    finally:
        classifier.batches.close()


def schedule(batches: int, frames: int) -> list[int]:
    """Return after which batches the network is kept: finer at the start, the last one always.

    >>> schedule(100, 6)
    [1, 3, 6, 16, 40, 100]
    """
    if frames == 0:
        return []
    wanted = [round(batches ** (each / max(1, frames - 1))) for each in range(frames)] if frames > 1 else [batches]
    kept: list[int] = []
    for each in wanted:  # two of them may be rounded to the same batch
        following = max(each, kept[-1] + 1 if kept else 1)
        if following <= batches:
            kept.append(following)
    return [*kept[:-1], batches]


def contact_sheet(images: Tensor) -> Tensor:
    """Return some of the images, `n c h w`, side by side as one, `1 3 h w`."""
    some = images[:SHOWN].float().cpu()
    columns = math.ceil(math.sqrt(len(some)))
    rows = math.ceil(len(some) / columns)
    missing = rows * columns - len(some)
    some = torch.cat([some, some.new_ones(missing, *some.shape[1:])]) if missing else some
    whole = some.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return whole[None].expand(-1, 3, -1, -1) if whole.shape[0] == 1 else whole[None]

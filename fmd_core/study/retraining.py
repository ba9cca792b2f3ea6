"""Published methods trained beside the model of a study, on the same people, and judged as unlearning is: training and
external people teach, validation people choose under the same guard, test people judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from fmd_core.data import ignore_progress
from fmd_core.errors import DataError
from fmd_core.models.classifier import Classifier
from fmd_core.showing import one_line
from fmd_core.study.deeper import asked, check_choosers
from fmd_core.study.judging import Judging
from fmd_core.study.steps import part
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import SHARES, DeeperPath, DeeperPoint, choose
from fmd_core.unlearn.deeper.settings import Improve
from fmd_core.unlearn.retraining.methods import RetrainingMethod, find_retraining
from fmd_core.unlearn.retraining.trainer import Trainer

TRAINING = 0.85  # share of the work; the rest is asking validation people


@dataclass(frozen=True, eq=False)
class TrainedBeside:
    """What a method made, and how far towards it validation people would go: the original may be mixed in, as when a
    network learns on, so that a method is not held to be worse for want of a slider."""

    method: RetrainingMethod
    attribute: str
    networks: Mapping[int, Classifier]
    """By epochs, or by how many samples went."""
    choosers: Asked
    """Validation people."""
    validation: Mapping[int, Logits]
    """What each answers to them; 0 is the original."""
    judges: Asked
    """Test people."""
    test: Mapping[int, Logits]
    classes: tuple[str, ...]
    seconds: float
    """Of the training, on this machine."""

    def at(self, improve: Improve, tolerance: float) -> DeeperPath:
        """Every point, and the one that is chosen by what should improve where that share of accuracy may be lost."""
        made = {steps: logits for steps, logits in self.validation.items() if steps}
        return choose(
            self.choosers, self.validation[0], made, improve=improve, tolerance=tolerance, shares=SHARES,
            classes=self.classes,
        )  # fmt: skip

    @cached_property
    def as_made(self) -> DeeperPoint:
        """Of what the method made, that by which validation people are answered right most often with every group
        counted alike, whatever it costs: the usual choice in the publications."""
        found = [
            DeeperPoint(steps, 1.0, figures_of(self.choosers, logits), "")
            for steps, logits in self.validation.items()
            if steps
        ]
        return max(found, key=lambda point: point.figures.balanced)

    @property
    def original(self) -> Figures:
        """What the original does to test people."""
        return figures_of(self.judges, self.test[0], self.choosers.temperature(self.validation[0]))

    def at_point(self, point: DeeperPoint) -> Figures:
        """What a point does to test people; of 0 steps, the original."""
        both = (
            of[0].mixed(of[point.steps], point.share) if point.steps else of[0]
            for of in (self.validation, self.test)
        )  # fmt: skip
        validation, test = both
        return figures_of(self.judges, test, self.choosers.temperature(validation))

    def __repr__(self) -> str:
        return one_line(self, self.method.name, repr(self.as_made))


def retrain(
    study: Judging,
    attribute: str,
    method: str,
    *,
    seed: int = 0,
    epochs: int | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> TrainedBeside:
    """Train a method, one of `METHODS`, beside the model of a study.

    `epochs` are the original's where it is None. `progress` is told the share that is done and may raise to stop.
    Raises DataError for an unknown method, with the reason where a method cannot be done here, and where it made
    nothing.
    """
    chosen = find_retraining(method)
    check_choosers(study)
    if why := chosen.why_not(study.model, study.data, attribute):
        raise DataError(why)
    begun = time.perf_counter()
    trainer = Trainer(
        study.model, study.data, attribute, seed=seed, epochs=epochs, store=study.store,
        progress=part(progress, 0.0, TRAINING),
    )  # fmt: skip
    networks = chosen.train(trainer)
    if not networks:
        raise DataError("Nobody in training hurts the groups that are served worst, so none was left out.")
    seconds = time.perf_counter() - begun
    choosers, original = asked(study, "validation", attribute)
    judges, before = asked(study, "test", attribute)
    validation, test = {0: original}, {0: before}
    asking = part(progress, TRAINING, 1.0)
    for place, (steps, network) in enumerate(networks.items()):
        asking(place / len(networks))
        validation[steps] = asked(study, "validation", attribute, network)[1]
        test[steps] = asked(study, "test", attribute, network)[1]
    return TrainedBeside(
        chosen, attribute, networks, choosers, validation, judges, test, study.data.target.levels, seconds
    )


def seconds_beside(
    study: Judging, attribute: str, methods: Mapping[str, RetrainingMethod]
) -> dict[str, float]:
    """About how many seconds each of these methods takes on this machine, by a few steps that are taken and timed.

    Of who trains no network, what it fits is not counted: it takes seconds.
    """
    trainer = Trainer(study.model, study.data, attribute)
    once = trainer.seconds_of_training()
    return {name: method.cost * once for name, method in methods.items()}

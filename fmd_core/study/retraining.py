"""Published methods trained beside the model of a study, on the same people, and judged as unlearning is: training and
external people teach, validation people choose under the same guard, test people judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fmd_core.data import ignore_progress
from fmd_core.errors import DataError
from fmd_core.showing import one_line
from fmd_core.study.deeper import TRAINING, Deepened, asked
from fmd_core.study.judging import Judging
from fmd_core.study.steps import part
from fmd_core.unlearn.deeper.answers import figures_of
from fmd_core.unlearn.deeper.training import DeeperSettings, Improve
from fmd_core.unlearn.guarded_path import TOLERANCE
from fmd_core.unlearn.retraining.methods import RetrainingMethod, find_retraining
from fmd_core.unlearn.retraining.trainer import Trainer


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedBeside(Deepened):
    """What a method made, by epochs or by samples that went, and how far validation people would go."""

    method: RetrainingMethod
    seconds: float
    """Of the training, on this machine."""

    @property
    def as_made(self) -> int:
        """Of what the method made, that by which validation people are answered right most often with every group
        counted alike, whatever it costs: the usual choice in the publications."""
        people = {steps: figures_of(self.asked, logits) for steps, logits in self.validation.items() if steps}
        return max(people, key=lambda steps: people[steps].balanced)

    def __repr__(self) -> str:
        return one_line(self, self.method.name, repr(self.path))


def retrain(
    study: Judging,
    attribute: str,
    method: str,
    improve: Improve,
    *,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    epochs: int | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> TrainedBeside:
    """Train a method beside the model of a study, and let validation people choose of what it made.

    `improve` is what they choose by; `progress` is told the share that is done and may raise to stop. Raises DataError
    for an unknown method, with the reason where a method cannot be done here, and where it made nothing.
    """
    chosen = find_retraining(method)
    if why := chosen.why_not(study.model, study.data, attribute):
        raise DataError(why)
    begun = time.perf_counter()
    trainer = Trainer(
        study.model, study.data, attribute, seed=seed, epochs=epochs, store=study.store,
        progress=part(progress, 0.0, TRAINING),
    )  # fmt: skip
    _seed_torch(seed)
    networks = chosen.train(trainer)
    if not networks:
        raise DataError("No training sample hurts the groups that are served worst, so none was left out.")
    seconds = time.perf_counter() - begun
    people, original = asked(study, "validation", attribute)
    validation = {0: original}
    asking = part(progress, TRAINING, 1.0)
    for place, (steps, network) in enumerate(networks.items()):
        asking(place / len(networks))
        validation[steps] = asked(study, "validation", attribute, network)[1]
    settings = DeeperSettings("whole network", improve, kept=tuple(networks))
    return TrainedBeside(
        study, attribute, settings, networks, validation, people, tolerance, method=chosen, seconds=seconds
    )


def _seed_torch(seed: int) -> None:
    """Weights begin at the same random numbers every time."""
    import torch

    torch.manual_seed(seed)

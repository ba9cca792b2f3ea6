"""What is known before a network learns on: whether it can, and about how long that takes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import AttributeDataset
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.method import Method, register
from fmd_core.models.blocks import why_not as why_not_cut
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.encoder import trainable
from fmd_core.models.encoding import read_inputs
from fmd_core.unlearn.deeper.training import BATCH, DeeperSettings, Learner, Reach, pool_size

if TYPE_CHECKING:
    import torch

LEARN_ON = Method(name="learn-on", title="Let the network learn on", short="Learn on", retrains=True)
register(LEARN_ON)
TRIES = 4  # the first wakes the libraries up and does not count


def why_not(classifier: Classifier, reach: Reach) -> str:
    """Why a classifier cannot learn on there, in a sentence; '' where it can."""
    if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
        return f"This classifier is open at '{classifier.depth}'; only one with a single last layer can learn on."
    try:
        trainable(classifier.encoder)
        network = None if reach == "whole network" else classifier.as_module()
    except ModelError as problem:
        return str(problem)
    return "" if network is None else why_not_cut(reach, network, classifier.title)


def seconds_needed(
    classifier: Classifier,
    dataset: AttributeDataset,
    attribute: str,
    settings: DeeperSettings,
    *,
    besides: int = 0,
) -> float:
    """About how many seconds `train_deeper`, and asking those who choose and judge, take on this machine, as busy as
    it is now; `besides` counts people whom a network is asked about beyond that.

    Each kind of work is done with one batch and timed; how much there is of each is known. Takes about as long as
    twenty batches. Raises what `train_deeper` raises before it begins.
    """
    import torch

    learner = Learner(classifier, dataset, attribute, settings, np.random.default_rng(0))
    places = np.arange(min(BATCH, len(learner.rows)))
    rows, kind = learner.rows[places], learner.kind.name
    generator = torch.Generator().manual_seed(0)
    twins = settings.improve == "twins"

    def read() -> torch.Tensor:
        codes = (attribute, learner.codes[places]) if twins else ()
        return classifier.preprocess.apply(read_inputs(classifier, dataset, rows, *codes), kind)

    def lit() -> torch.Tensor:
        return pictures if twins else learner.lit_anew(pictures, generator)

    def below() -> torch.Tensor:
        with torch.no_grad():
            return pictures if learner.trunk is None else learner.trunk(pictures)

    def step() -> None:
        answers = learner.top(learner.learns(inputs))
        take(torch.nn.functional.cross_entropy(answers, torch.from_numpy(learner.labels[places])))

    def above() -> None:
        with torch.no_grad():
            learner.learns(inputs)

    take, _ = learner.taking_steps()
    pictures = read()
    inputs = below()
    seconds = {work.__name__: _timed(work) / len(places) for work in (read, lit, below, step, above)}
    n = _counts(learner, dataset, settings, inputs[0])
    for work in ("read", "below", "above"):
        n[work] += besides
    return sum(n[name] * spent for name, spent in seconds.items())


def _timed(work: Callable[[], object]) -> float:
    """Seconds, by the middle one of a few tries: others use the machine as well."""
    spent = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return median(spent[1:])


def _counts(
    learner: Learner, dataset: AttributeDataset, settings: DeeperSettings, one: torch.Tensor
) -> dict[str, int]:
    """How many people each kind of work is done with; `one` is what learns on reads of each."""
    learned = settings.steps[-1] * BATCH
    people = (1 + len(settings.steps)) * len(dataset.rows("validation")) + len(dataset.rows("test"))
    asked = people * (
        1 if dataset.pair_method == "matched" else 3
    )  # both sides of drawn twins are read as well
    if settings.improve == "twins":
        taught, shown = learned, 0
    elif learner.trunk is None:
        taught, shown = len(learner.rows), learned
    else:
        taught, shown = len(learner.rows), pool_size(one)
    below = 0 if learner.trunk is None else learned if settings.improve == "twins" else shown
    return {"read": taught + asked, "lit": shown, "below": below + asked, "step": learned, "above": asked}

"""What is known before a network learns on: whether it can, and about how long that takes on this machine."""

from __future__ import annotations

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
from fmd_core.running.timing import usual_seconds
from fmd_core.unlearn.deeper.material import BATCH, Material, pool_size
from fmd_core.unlearn.deeper.settings import DeeperSettings, Reach
from fmd_core.unlearn.deeper.training import Learner

if TYPE_CHECKING:
    import torch

LEARN_ON = Method(name="learn-on", title="Let the network learn on", short="Learn on", retrains=True)
TRAINED_BESIDE = Method(
    name="trained-beside", title="Train a published method beside it", short="Train beside", retrains=True
)
register(LEARN_ON)
register(TRAINED_BESIDE)
TRIES = 3  # of each kind of work


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
    halves: int = 1,
    at_once: int = 1,
) -> float:
    """About how many seconds `train_deeper`, and asking those who choose and judge, take on this machine, as busy as
    it is now; `besides` counts people whom a network is asked about beyond that, and `halves` is 2 where two networks
    learn so that people choose of whom neither taught the one they judge; `at_once` of them learn at the same time.

    Each kind of work is done with one batch and timed; how much there is of each is known. Takes about as long as
    twenty batches. Raises what `train_deeper` raises before it begins.
    """
    import torch

    material = Material(classifier, dataset, attribute, settings.reach)
    learner = Learner(material, settings)
    places = np.arange(min(BATCH, len(material.rows)))
    rows, kind = material.rows[places], material.kind.name
    generator = torch.Generator().manual_seed(0)
    twins = settings.improve == "twins"

    def read() -> torch.Tensor:
        codes = (attribute, material.codes[places]) if twins else ()
        return classifier.preprocess.apply(read_inputs(classifier, dataset, rows, *codes), kind)

    def lit() -> torch.Tensor:
        return pictures if twins else material.lit_anew(pictures, generator)

    def below() -> torch.Tensor:
        with torch.no_grad():
            return pictures if material.trunk is None else material.trunk(pictures)

    def step() -> None:
        answers = learner.answers_of(inputs)
        standing.take(torch.nn.functional.cross_entropy(answers, torch.from_numpy(material.labels[places])))

    def above() -> None:
        with torch.no_grad():
            learner.learns(inputs)

    standing = learner.standing()
    pictures = read()
    inputs = below()
    seconds = {
        work.__name__: usual_seconds(work, TRIES) / len(places) for work in (read, lit, below, step, above)
    }
    n = _counts(material, settings, inputs[0], halves, at_once)
    for work in ("read", "below", "above"):
        n[work] += besides
    return sum(n[name] * spent for name, spent in seconds.items())


def _counts(
    material: Material, settings: DeeperSettings, one: torch.Tensor, halves: int, at_once: int
) -> dict[str, int]:
    """How many people each kind of work is done with, one after the other; `one` is what learns on reads of each."""
    dataset = material.dataset
    learned = halves * settings.steps[-1] * BATCH // at_once
    choosers = sum(
        len(dataset.rows(part)) for part in (("validation", "external") if halves > 1 else ("validation",))
    )
    people = (1 + len(settings.steps)) * choosers + len(dataset.rows("test"))
    asked = people * (
        1 if dataset.pair_method == "matched" else 3
    )  # both sides of drawn twins are read as well
    if settings.improve == "twins" and material.pools_twins:
        taught = shown = min(learned, pool_size(one) // 2 * 2)
    elif settings.improve == "twins":
        taught, shown = learned, 0
    elif material.trunk is None:
        taught, shown = len(material.rows), learned
    else:
        taught, shown = len(material.rows), pool_size(one)
    below = 0 if material.trunk is None else shown or learned
    return {
        "read": taught + asked,
        "lit": 0 if settings.improve == "twins" else shown,
        "below": below + asked,
        "step": learned,
        "above": asked,
    }

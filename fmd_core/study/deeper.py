"""Unlearning below the last layer in one study: training and external people teach, validation people choose,
test people judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fmd_core.data import Split, ignore_progress
from fmd_core.datasets.data_warnings import unread_columns
from fmd_core.errors import NoTwinsError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.side_by_side import SideBySide, beside
from fmd_core.showing import one_line
from fmd_core.study.judging import Judging
from fmd_core.study.steps import part
from fmd_core.study.study import Study
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import DeeperPath, choose
from fmd_core.unlearn.deeper.training import DeeperSettings, train_deeper
from fmd_core.unlearn.guarded_path import TOLERANCE

TRAINING = 0.85  # share of the work; the rest is asking validation people


@dataclass(frozen=True, eq=False)
class Deepened:
    """Networks that learned on, and how far validation people would go."""

    study: Judging
    attribute: str
    settings: DeeperSettings
    networks: Mapping[int, Classifier]
    """By steps."""
    validation: Mapping[int, Logits]
    """What each answers to validation people, by steps; 0 is the original. Another tolerance judges these again."""
    asked: Asked
    tolerance: float
    """Share of accuracy that may be lost."""

    @cached_property
    def path(self) -> DeeperPath:
        """Every point, and the one that validation people choose."""
        return self.at(self.tolerance)

    @property
    def steps(self) -> int:
        """Of the network that was chosen, or of the last one where the original was."""
        return self.path.chosen.steps or max(self.networks)

    @property
    def repaired(self) -> Classifier:
        """The network after `steps`."""
        return self.networks[self.steps]

    def at(self, tolerance: float) -> DeeperPath:
        """The path where another share of accuracy may be lost: nothing is solved again."""
        original, repaired = self.validation[0], {k: v for k, v in self.validation.items() if k}
        return choose(
            self.asked, original, repaired, improve=self.settings.improve, tolerance=tolerance,
            classes=self.study.data.target.levels,
        )  # fmt: skip

    @cached_property
    def _test(self) -> tuple[Asked, Logits]:
        return asked(self.study, "test", self.attribute)

    def judged(self, steps: int = 0, share: float = 0.0) -> Figures:
        """What a point of the path does to test people; as it stands, the original."""
        people, original = self._test
        validation = self.validation[0]
        if not steps:
            return figures_of(people, original, self.asked.temperature(validation))
        _, repaired = asked(self.study, "test", self.attribute, self.networks[steps])
        heat = self.asked.temperature(validation.mixed(self.validation[steps], share))
        return figures_of(people, original.mixed(repaired, share), heat)

    def mixed(self) -> tuple[SideBySide, Head]:
        """Original and repaired network side by side, and the head of their mixture at the chosen point."""
        return mixture(self.study.model, self.repaired, self.path.chosen.share)

    def __repr__(self) -> str:
        return one_line(self, self.settings.reach, self.settings.improve, repr(self.path))


def mixture(original: Classifier, repaired: Classifier, share: float) -> tuple[SideBySide, Head]:
    """Both networks side by side, and the head whose logits are `share` of the way from the one's to the other's."""
    both, head = beside(original, repaired)
    one, two = both.head, head
    if not isinstance(one, LinearHead) or not isinstance(two, LinearHead):
        raise SolverError("Only networks that end in one linear layer can be mixed.")
    mixed = LinearHead(
        (1 - share) * one.weight + share * two.weight, (1 - share) * one.bias + share * two.bias
    )
    return both, mixed


def asked(
    study: Judging, split: Split, attribute: str, network: Classifier | None = None
) -> tuple[Asked, Logits]:
    """One part of the people with their twins as a network reads them, and its answers; the study's own model where
    none is given. Who is whose twin is asked of the study. Without any twins there are only people, as by an attribute
    that is not read: such twins are answered alike whatever the model does."""
    levels = study.data.attribute(attribute).codes
    of: Judging = study if network is None else _study_of(study, network)
    people = of.features(split)
    pairs: CounterfactualPairs | None = None
    placebo: CounterfactualPairs | None = None
    if attribute not in unread_columns(study.data):
        with suppress(NoTwinsError):
            pairs, placebo = study.pairs(split, attribute), study.placebo(split, attribute)
    if network is not None and pairs is not None:
        if study.data.pair_method == "matched":
            pairs = pairs.seen_in(people)
            placebo = None if placebo is None else placebo.seen_in(people)
        else:
            own = of.pairs(split, attribute)
            if not np.array_equal(own.rows, pairs.rows):
                raise SolverError("The two networks were asked about other twins; this is a fault of ours.")
            pairs = own
    everybody = np.unique(np.column_stack([study.data.target.codes, levels]), axis=0)
    here = np.unique(np.column_stack([people.labels, levels[people.rows]]), axis=0)
    seen = Asked(people, levels[people.rows], pairs, placebo, lacks_group=len(here) < len(everybody))
    return seen, seen.answers(of.head)


def _study_of(study: Judging, network: Classifier) -> Study:
    """The same procedure about another network, with a memory of its own."""
    return Study(
        study.data, network, most_unlike=study.most_unlike, left_out=study.left_out, store=study.store
    )


def deepen(
    study: Judging,
    attribute: str,
    settings: DeeperSettings | None = None,
    *,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> Deepened:
    """Let the model of a study learn on, and let validation people choose how far.

    `tolerance` is the share of accuracy that may be lost. `progress` is told the share that is done and may raise
    to stop; the original stays as it was in any case. Raises what `train_deeper` raises.
    """
    chosen = settings or DeeperSettings()
    networks = train_deeper(
        study.model, study.data, attribute, chosen, seed=seed, progress=part(progress, 0.0, TRAINING)
    )
    people, original = asked(study, "validation", attribute)
    validation = {0: original}
    asking = part(progress, TRAINING, 1.0)
    for place, (steps, network) in enumerate(networks.items()):
        asking(place / len(networks))
        validation[steps] = asked(study, "validation", attribute, network)[1]
    return Deepened(study, attribute, chosen, networks, validation, people, tolerance)

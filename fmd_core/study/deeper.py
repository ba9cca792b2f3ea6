"""Unlearning below the last layer in one study: training and external people teach, validation people choose,
test people judge. Where a group is small among validation people, they and external people take turns: two networks
learn, one from training and external people, whom validation people judge, and one from training and validation
people, whom external people judge. So twice as many choose, and nobody judges a network that learned from them; what
is kept is the mean of the two networks' weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, Split, group_codes, ignore_progress
from fmd_core.datasets.data_warnings import unread_columns
from fmd_core.errors import ModelError, NoTwinsError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import check_fit
from fmd_core.models.side_by_side import SideBySide, beside
from fmd_core.models.taught import teachers_among, why_no_choice, why_no_judge
from fmd_core.showing import one_line
from fmd_core.study.judging import Judging
from fmd_core.study.steps import at_once, part
from fmd_core.study.study import Study
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.checkpoints import Checkpoints
from fmd_core.unlearn.deeper.choosing import DeeperPath, DeeperPoint, Ladder
from fmd_core.unlearn.deeper.material import TEACHERS, Material
from fmd_core.unlearn.deeper.objectives import SHIFTS_CLASSES, prior_correction
from fmd_core.unlearn.deeper.settings import DeeperSettings, Improve, check_aim
from fmd_core.unlearn.deeper.training import Learner, averaged, checkpoints_of, learning_at_once, train_deeper
from fmd_core.unlearn.guarded_path import TOLERANCE

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore

TRAINING = 0.85  # share of the work; the rest is asking validation people


SMALL_GROUP = 60
"""Validation people of one class and level: of fewer the choice is shared out."""
Turns = tuple[tuple[tuple[Split, ...], Split], ...]
ALONE: Turns = ((TEACHERS, "validation"),)
IN_TURNS: Turns = (*ALONE, (("train", "validation"), "external"))
"""Who teaches a network, and who judges it."""


@dataclass(frozen=True, eq=False)
class Deepened:
    """Networks that learned on, and how far those who did not teach them would go."""

    study: Judging
    attribute: str
    settings: DeeperSettings
    networks: Mapping[int, Classifier]
    """By steps."""
    answers: Mapping[int, Logits]
    """What those who choose were answered by networks that had not learned from them, by steps; 0 is the original.
    Another tolerance judges these again."""
    asked: Asked
    """Who choose."""
    judged_by: tuple[Split, ...]
    """The parts of the data that they are of, in this order."""
    tolerance: float
    """Share of accuracy that may be lost."""
    correction: Array | None = None
    """What puts logits (C,) back to how often each class occurs; None where it was not shifted."""
    unfinished: tuple[Checkpoints, ...] = ()
    """Kept points of this work that are still on disk: who keeps what came of it sweeps them then."""

    @cached_property
    def path(self) -> DeeperPath:
        """Every point, and the one that is chosen."""
        return self.at(self.tolerance)

    @property
    def steps(self) -> int:
        """Of the network that was chosen, or of the last one where the original was."""
        return self.path.chosen.steps or max(self.networks)

    @property
    def repaired(self) -> Classifier:
        """The network after `steps`, with what the chosen point gives back."""
        return self.network(self.steps, self.path.chosen.restored)

    def network(self, steps: int, restored: float = 0.0) -> Classifier:
        """The network after `steps`, with part of the correction in its last layer."""
        found = self.networks[steps]
        if self.correction is None or not restored:
            return found
        head = found.head.last
        return found.with_head(LinearHead(head.weight, head.bias + restored * self.correction))

    def answered(self, steps: int, restored: float = 0.0) -> Logits:
        """What those who choose were answered, by networks that had not learned from them."""
        found = self.answers[steps]
        return found if self.correction is None else found.moved(restored * self.correction)

    @cached_property
    def ladder(self) -> Ladder:
        """Every point as those who choose see it."""
        repaired = {steps: found for steps, found in self.answers.items() if steps}
        return Ladder.of(self.asked, self.answers[0], repaired, correction=self.correction)

    def at(self, tolerance: float, improve: Improve | None = None) -> DeeperPath:
        """The path where another share of accuracy may be lost, or something else counts: nothing is solved again."""
        classes = self.study.data.target.levels
        return self.ladder.choose(improve or self.settings.improve, tolerance, classes)

    @cached_property
    def as_made(self) -> DeeperPoint:
        """Of the networks as they came, nothing given back or mixed in, that by which those who choose are answered
        right most often with every group counted alike, whatever it costs: no guard, as of what is trained beside."""
        found = [
            DeeperPoint(steps, share, figures, "")
            for steps, share, restored, figures in self.ladder.tried
            if share == 1 and not restored
        ]
        return max(found, key=lambda point: point.figures.balanced)

    @cached_property
    def _test(self) -> tuple[Asked, Logits]:
        return asked(self.study, "test", self.attribute)

    def judged(self, point: DeeperPoint | None = None) -> Figures:
        """What a point of the path does to test people; None is the original."""
        if point is None:
            return self.judged_at(0, 0.0, 0.0)
        return self.judged_at(point.steps, point.share, point.restored)

    def judged_at(self, steps: int, share: float, restored: float) -> Figures:
        """The same by steps, share of the way and how much of how often each class occurs is given back."""
        people, original = self._test
        choosers = self.answers[0]
        if not steps:
            return figures_of(people, original, self.asked.temperature(choosers))
        _, repaired = asked(self.study, "test", self.attribute, self.network(steps, restored))
        heat = self.asked.temperature(choosers.mixed(self.answered(steps, restored), share))
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
    study: Judging,
    split: Split,
    attribute: str,
    network: Classifier | None = None,
    *,
    store: FeatureStore | None = None,
) -> tuple[Asked, Logits]:
    """One part of the people with their twins as a network reads them, and its answers; the study's own model where
    none is given. Who is whose twin is asked of the study. Without any twins there are only people, as by an attribute
    that is not read: such twins are answered alike whatever the model does. What `network` makes of people is kept in
    `store` alone."""
    levels = study.data.attribute(attribute).codes
    of: Judging = study if network is None else _study_of(study, network, store)
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
    seen = Asked(
        people, levels[people.rows], pairs, placebo, lacks_group=len(here) < len(everybody),
        why_not=why_no_judge(study.model, study.data, split),
    )  # fmt: skip
    return seen, seen.answers(of.head)


def _study_of(study: Judging, network: Classifier, store: FeatureStore | None) -> Study:
    """The same procedure about another network, with a memory of its own."""
    return Study(study.data, network, most_unlike=study.most_unlike, left_out=study.left_out, store=store)


def check_choosers(study: Judging) -> None:
    """ModelError where validation people taught the model of a study, so that nobody could choose."""
    if why := why_no_choice(study.model, study.data):
        raise ModelError(why)


def take_turns(study: Judging, attribute: str, improve: Improve) -> bool:
    """Whether external people choose as well, since some group of class and level has fewer than 60 people among
    validation people. Twins do not need it: every person has one. Nor may they where they taught the model that is
    under review."""
    data = study.data
    if improve == "twins" or "external" in teachers_among(study.model, data):
        return False
    groups = group_codes(data.target.codes, data.attribute(attribute).codes)
    counts = np.bincount(groups[data.rows("validation")], minlength=int(groups.max()) + 1)
    return bool(counts[np.unique(groups)].min() < SMALL_GROUP)


def interrupted(
    study: Judging, attribute: str, settings: DeeperSettings, *, seed: int = 0
) -> tuple[Checkpoints, ...]:
    """Where the points of a request lie that was not finished, one for each network that learns; those without `steps`
    had not begun."""
    turns = IN_TURNS if take_turns(study, attribute, settings.improve) else ALONE
    read = _parts(turns)
    return tuple(
        checkpoints_of(study.model, study.data, attribute, settings, seed + place, teachers, read)
        for place, (teachers, _) in enumerate(turns)
    )


def _learned(
    material: Material,
    settings: DeeperSettings,
    turns: Turns,
    kept: Sequence[Checkpoints],
    seed: int,
    progress: Callable[[float], None],
) -> list[dict[int, Classifier]]:
    """The networks of each turn, by steps; at the same time where there are processors."""
    first, begin = Learner(material, settings, seed, turns[0][0]), 0.0
    if len(turns) > 1:  # before they go their ways, so that nobody is read twice
        begin = first.reading
        first.read(part(progress, 0.0, begin))

    def learn(place: int, told: Callable[[float], None]) -> dict[int, Classifier]:
        return train_deeper(
            material.original, material.dataset, material.attribute, settings, seed=seed + place,
            teachers=turns[place][0], material=material, kept=kept[place], progress=told,
        )  # fmt: skip

    works = [partial(learn, place) for place in range(len(turns))]
    return at_once(works, part(progress, begin, 1.0), learning_at_once(len(turns)))


def _correction(data: AttributeDataset, attribute: str, settings: DeeperSettings) -> Array | None:
    if settings.improve not in SHIFTS_CLASSES:
        return None
    rows = np.concatenate([data.rows(part) for part in TEACHERS])
    labels = data.target.codes[rows]
    if len(np.unique(labels)) < len(data.target.levels):
        return None  # of a class that nobody shows nothing can be given back
    groups = group_codes(labels, data.attribute(attribute).codes[rows])
    return prior_correction(labels, groups, settings.drawn_by_group)


def _parts(turns: Turns) -> tuple[Split, ...]:
    return tuple(dict.fromkeys(part for teachers, _ in turns for part in teachers))


def deepen(
    study: Judging,
    attribute: str,
    settings: DeeperSettings | None = None,
    *,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    holds_points: bool = False,
    progress: Callable[[float], None] = ignore_progress,
) -> Deepened:
    """Let the model of a study learn on, and let people who did not teach it choose how far.

    `tolerance` is the share of accuracy that may be lost. `progress` is told the share that is done and may raise
    to stop; the original stays as it was in any case. Work that was interrupted goes on from the last point that was
    kept. With `holds_points` those stay until `keep_learned` has put what came of it on the shelf, so that a full disk
    loses nothing. Raises what `train_deeper` raises.
    """
    chosen = settings or DeeperSettings()
    turns = IN_TURNS if take_turns(study, attribute, chosen.improve) else ALONE
    kept = interrupted(study, attribute, chosen, seed=seed)
    check_fit(study.model, study.data)
    check_choosers(study)
    check_aim(study.data, attribute, chosen)
    material = Material(study.model, study.data, attribute, chosen.reach, _parts(turns))
    halves = _learned(material, chosen, turns, kept, seed, part(progress, 0.0, TRAINING))
    answers, people = [], []
    for place, (networks, (_, judges)) in enumerate(zip(halves, turns, strict=True)):
        who, original = asked(study, judges, attribute)
        found = {0: original}
        for done, (steps, network) in enumerate(networks.items()):
            share = (place + done / len(networks)) / len(turns)
            progress(TRAINING + (1 - TRAINING) * share)
            found[steps] = asked(study, judges, attribute, network)[1]
        answers.append(found)
        people.append(who)
    if not holds_points:
        for points in kept:
            points.sweep()
    networks = {
        steps: averaged([half[steps] for half in halves], study.data) if len(halves) > 1 else network
        for steps, network in halves[0].items()
    }
    together = {steps: Logits.together([found[steps] for found in answers]) for steps in answers[0]}
    judges_of = tuple(judges for _, judges in turns)
    return Deepened(
        study, attribute, chosen, networks, together, Asked.together(people), judges_of, tolerance,
        _correction(study.data, attribute, chosen), kept if holds_points else (),
    )  # fmt: skip

"""Whom a study asks: features, twins and placebo twins of each part of the data, and the bias measured on them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np

from fmd_core.data import AttributeDataset, FeatureSet, Split, group_codes, ignore_progress
from fmd_core.errors import DataError, ModelError, NoTwinsError
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import BiasFunction, CounterfactualBias, GroupGap, Taught, joint
from fmd_core.measure.group_loss import GroupLoss, by_service
from fmd_core.measure.served_groups import ServedGroup, people_of
from fmd_core.measure.verdict.told_twice import told_twice
from fmd_core.measure.worst_group import WorstGroup
from fmd_core.models.classifier import Classifier
from fmd_core.models.deepening import depths_of
from fmd_core.models.depth import LAST_LAYER, Depth
from fmd_core.models.encoding import extract_features
from fmd_core.models.taught import teachers_among
from fmd_core.study.aim import Aim, as_aim
from fmd_core.study.memory import Key, Memory
from fmd_core.study.steps import Progress, Step
from fmd_core.study.subject import Subject
from fmd_core.twins.pairs import CounterfactualPairs, neutral_pairs, pair_counterfactuals, placebo_pairs
from fmd_core.unlearn.aiming import FEWEST

if TYPE_CHECKING:
    from fmd_core.influence.scores import InfluenceMethod
    from fmd_core.models.feature_store import FeatureStore

GROWTH_PAIRS = 1.5  # `counterparts` are as large as one side
About = str | Sequence[str] | Aim | None
"""An attribute, several, or an aim; None is the aim of the study."""
CHOOSERS: tuple[Split, ...] = ("external", "validation")
"""Who may say which group is served worst: test people decide nothing."""
NOBODY_CHOOSES = (
    "External and validation people taught this model when it learned on, so nobody is left to say who is served "
    "worst: begin from the model that it was made from."
)


class People:
    """The parts of the data as the model reads them."""

    subject: Subject
    memory: Memory
    store: FeatureStore | None
    most_unlike: float | None
    left_out: tuple[tuple[str, int], ...]
    influence_method: InfluenceMethod | None
    default_aim: Aim | None

    @classmethod
    def of(
        cls,
        subject: Subject,
        *,
        memory: Memory,
        store: FeatureStore | None = None,
        most_unlike: float | None = None,
        left_out: tuple[tuple[str, int], ...] = (),
        influence_method: InfluenceMethod | None = None,
        aim: Aim | None = None,
    ) -> Self:
        """A study of what need not be open yet; see `fmd_core.Study` for the choices."""
        made = cls.__new__(cls)
        made.subject, made.memory, made.store = subject, memory, store
        made.most_unlike, made.left_out = most_unlike, left_out
        made.influence_method, made.default_aim = influence_method, aim
        return made

    @property
    def data(self) -> AttributeDataset:
        """The data under review."""
        return self.subject.open_data()

    @property
    def model(self) -> Classifier:
        """The original model, open as deep as is asked for."""
        return self.subject.open_model()

    @property
    def head(self) -> Head:
        """The original head."""
        return self.model.head

    @property
    def original(self) -> Self:
        """The same study of the model open at its last layer: itself where it is."""
        return self if self.subject.original is None else self._about(self.subject.original)

    def at(self, depth: str) -> Self:
        """The same study of the model open at a depth, by name. Raises ModelError where it cannot be opened there."""
        original = self.original
        if depth == LAST_LAYER:
            return original
        if original.subject.deeper is None:
            raise ModelError(f"This model cannot be opened at '{depth}' here; give its study the original.")
        return original._about(original.subject.deeper(depth))

    def depths(self) -> tuple[Depth, ...]:
        """The depths that the model can be opened at, the last layer first."""
        return depths_of(self.original.model)

    def _about(self, subject: Subject) -> Self:
        return type(self).of(
            subject, memory=self.memory, store=self.store, most_unlike=self.most_unlike,
            left_out=self.left_out, influence_method=self.influence_method, aim=self.default_aim,
        )  # fmt: skip

    def aim(self, about: About = None) -> Aim:
        """The bias that is meant: the study's own where nothing is said, else of its first attribute."""
        if about is not None:
            return as_aim(about)
        return self.default_aim or Aim((next(iter(self.data.attributes)),))

    def _key(self, step: str, *choices: Hashable) -> Key:
        """Of a step that is the same whichever twins count."""
        return (step, self.subject.key, *choices)

    def _counted(self, step: str, *choices: Hashable) -> Key:
        """Of a step that the twins that count decide."""
        return (step, self.subject.key, self.most_unlike, self.left_out, *choices)

    # --- features

    def features(self, split: Split, progress: Progress = ignore_progress) -> FeatureSet:
        """What the encoder makes of one part of the data."""

        def make() -> FeatureSet:
            return extract_features(self.model, self.data, split=split, store=self.store, progress=progress)

        return self.memory.recall(self._key("features", split), make)

    def are_read(self, split: Split) -> bool:
        """Whether `features` cost nothing."""
        return self.memory.holds(self._key("features", split))

    # --- twins

    def _pairing(self, split: Split, attribute: str, progress: Progress) -> CounterfactualPairs | str:
        """The twins, or why there are none: one attribute without twins says nothing against the others."""

        def make() -> CounterfactualPairs | str:
            data, people = self.data, self.features(split, progress)
            try:
                if data.pair_method == "matched" and self.subject.original is not None:  # who is whose stays
                    return self.original.all_pairs(split, attribute, progress).seen_in(people)
                return pair_counterfactuals(
                    data, self.model, split=split, attribute=attribute, features=people, store=self.store,
                    progress=progress,
                )  # fmt: skip
            except NoTwinsError as problem:
                return str(problem)

        return self.memory.recall(self._key("pairing", split, attribute), make, GROWTH_PAIRS)

    def all_pairs(
        self, split: Split, attribute: str, progress: Progress = ignore_progress
    ) -> CounterfactualPairs:
        """Every pair of twins, also those that do not count. Raises NoTwinsError."""
        found = self._pairing(split, attribute, progress)
        if isinstance(found, str):
            raise NoTwinsError(found)
        return found

    def pair_up(self, split: Split, attribute: str, progress: Progress = ignore_progress) -> None:
        """Look for the twins of one part; that there are none is no error yet."""
        self._pairing(split, attribute, progress)

    def pairs(
        self, split: Split, attribute: str, progress: Progress = ignore_progress
    ) -> CounterfactualPairs:
        """The twins that count: alike enough, and not left out. Raises NoTwinsError."""
        gone = tuple(row for name, row in self.left_out if name == attribute)
        found = self.all_pairs(split, attribute, progress).without(gone)
        return found if self.most_unlike is None else found.within(self.most_unlike)

    def are_paired(self, split: Split, attribute: str) -> bool:
        """Whether `pairs` cost nothing, whoever is left out."""
        return self.memory.holds(self._key("pairing", split, attribute))

    def _placebo(self, split: Split, attribute: str) -> CounterfactualPairs | None:
        def make() -> CounterfactualPairs | None:
            people = self.features(split)
            if self.data.pair_method == "swapped":
                twins = self.all_pairs(split, attribute)
                return neutral_pairs(self.data, self.model, twins, people, store=self.store)
            if self.subject.original is not None:
                found = self.original._placebo(split, attribute)
                return None if found is None else found.seen_in(people)
            return placebo_pairs(self.data, people, attribute, self.head)

        return self.memory.recall(self._key("placebo", split, attribute), make)

    def placebo(self, split: Split, attribute: str) -> CounterfactualPairs | None:
        """Placebo twins, where twins are two real people or texts with swapped terms; else None."""
        if self.data.pair_method not in ("matched", "swapped"):
            return None
        found = self._placebo(split, attribute)
        return found if self.most_unlike is None or found is None else found.within(self.most_unlike)

    def untested(self) -> dict[str, str]:
        """Attributes by which no test samples can be compared, and why, in a sentence each."""
        data = self.data
        names = changeable(data)
        constant = {
            name: f"Every {data.unit} has the same value." for name in data.attributes if name not in names
        }
        found = {name: self._pairing("test", name, ignore_progress) for name in names}
        return constant | {name: problem for name, problem in found.items() if isinstance(problem, str)}

    def testable(self) -> list[str]:
        """Attributes by which test samples can be compared. Raises DataError when there are none."""
        refused = self.untested()
        found = [name for name in self.data.attributes if name not in refused]
        if not found:
            raise DataError(" ".join(f"'{name}' cannot be tested: {why}" for name, why in refused.items()))
        return found

    def told_twice(self) -> set[str]:
        """Attributes that another column tells as well, which a twin keeps."""
        return self.memory.recall(self._key("told twice"), lambda: told_twice(self.data))

    # --- bias

    def bias(self, split: Split, about: About = None, *, beyond_placebo: bool = False) -> BiasFunction:
        """What is to be taken out, measured on one part of the data; only who guards takes the placebo off. Raises
        DataError where nobody can say it, and NoTwinsError."""
        aim = self.aim(about)
        if aim.measure == "worst group":
            self._left_to_choose()

        def part(attribute: str) -> BiasFunction:
            if aim.measure == "worst group":
                return WorstGroup.of(self.data, self.features(split), attribute, least=FEWEST)
            if aim.measure != "counterfactual":
                return GroupGap.of(self.data, self.features(split), attribute, aim.measure)
            floor = self.placebo(split, attribute) if beyond_placebo else None
            return CounterfactualBias(self.pairs(split, attribute), floor)

        return joint([part(attribute) for attribute in aim.attributes])

    def measured_on(self, split: Split, about: About = None) -> list[Step]:
        """What `bias` reads, in steps that tell how far they are."""
        aim = self.aim(about)
        if aim.measure != "counterfactual":
            return [partial(self.features, split)]
        return [partial(self.pairs, split, attribute) for attribute in aim.attributes]

    # --- whoever is served worst

    def who_choose(self) -> tuple[Split, ...]:
        """The parts of CHOOSERS whose people did not teach the original: those answer for who is served worst."""
        taught = teachers_among(self.original.model, self.data)
        return tuple(part for part in CHOOSERS if part not in taught)

    def choosers(self) -> FeatureSet:
        """Their people together. Raises DataError where nobody is left."""
        return FeatureSet.joined([self.features(split) for split in self._left_to_choose()])

    def _left_to_choose(self) -> tuple[Split, ...]:
        if parts := self.who_choose():
            return parts
        raise DataError(NOBODY_CHOOSES)

    def worst_served(self, attribute: str) -> ServedGroup:
        """The group of class and level whom the original serves worst, as those who choose say; test people are not
        asked. Raises DataError where no group has 10 of them, and where nobody can choose."""
        return self._served(attribute)[0]

    def as_badly_served(self, attribute: str) -> int:
        """How many other groups those who choose find served as badly as that one, to the last digit."""
        first, *rest = self._served(attribute)
        return sum(group.accuracy.value == first.accuracy.value for group in rest)

    def _served(self, attribute: str) -> tuple[ServedGroup, ...]:
        was = self.original
        return self.memory.recall(
            was._key("worst served", attribute),
            lambda: by_service(was.head, was.data, was.choosers(), attribute, FEWEST),
        )

    def groups_unsaid(self, attribute: str) -> int:
        """How many groups have too few of those who choose, so that whether they are served worse cannot be said: also
        such as only learn or are judged."""

        def make() -> int:
            everybody = group_codes(self.data.target.codes, self.data.attribute(attribute).codes)
            rows = np.flatnonzero(np.isin(self.data.split, self.who_choose()))
            people = people_of(self.data, rows, everybody[rows], int(everybody.max()) + 1)
            return int((people[np.unique(everybody)] < FEWEST).sum())

        return self.memory.recall(self.original._key("groups unsaid", attribute), make)

    # --- what training samples are blamed for

    def taught(self, split: Split, about: About = None) -> Taught:
        """What the training samples are blamed for, measured on one part of the data. Of the worst group it is its
        loss: a slope of a smooth figure, where the lag changes sides."""
        aim = self.aim(about)
        if aim.measure == "worst group":
            group = self.worst_served(aim.attribute)
            return GroupLoss.of(self.data, self.features(split), aim.attribute, group)
        return self.bias(split, aim)

    def taught_on(self, split: Split, about: About = None) -> list[Step]:
        """What `taught` reads, in steps."""
        aim = self.aim(about)
        if aim.measure == "worst group":
            return [partial(self.features, part) for part in dict.fromkeys((*self.who_choose(), split))]
        return self.measured_on(split, aim)


def changeable(data: AttributeDataset) -> list[str]:
    """Attributes with more than one value: the others cannot be changed, so not be tested."""
    return [attribute.name for attribute in data.attributes.values() if len(attribute.levels) > 1]

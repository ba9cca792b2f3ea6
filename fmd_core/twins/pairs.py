"""Counterfactual pairs: the same sample twice, with only a protected attribute changed.

Where a sample cannot be changed, as a photograph of a person, its twin is another real person of
the same class with another attribute level, the nearest one (see `fmd_core.twins.matching`). Such
twins differ in more than the attribute, so beside them stand placebo twins: found in the same
way, but with the same attribute level. What the answer changes between those is the floor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import numpy as np

from fmd_core.data import (
    NEUTRAL_WORD,
    Array,
    AttributeDataset,
    FeatureSet,
    PairMethod,
    Split,
    SwapSource,
    content_fingerprint,
    frozen_array,
    ignore_progress,
)
from fmd_core.errors import DataError, NoTwinsError
from fmd_core.figures import count
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import encode_rows, extract_features
from fmd_core.showing import one_line
from fmd_core.twins.matching import NOBODY, all_but_the_answer, nearest_partners

if TYPE_CHECKING:
    import pandas as pd

    from fmd_core.models.feature_store import FeatureStore

PAIR_SEED = 0


@dataclass(frozen=True, eq=False)
class CounterfactualPairs:
    """m pairs (c, c̄). The favoured side shows the level that training ties to the sample's class
    (see `AttributeDataset.usual_level`), the other side a different level; the class is equal, and
    everything else as equal as the method allows."""

    attribute: str
    method: PairMethod
    favoured: FeatureSet
    other: FeatureSet
    favoured_codes: Array  # (m,) attribute level on the favoured side
    other_codes: Array  # (m,) attribute level on the other side
    own_codes: Array  # (m,) attribute level that the person really shows
    people: Array | None = None
    """(m,) row of the person whose pair it is; None: the favoured side's rows."""
    distances: Array | None = None
    """(m,) how unlike the two sides are, as a share of two strangers of one class; None: exact twins."""

    def __post_init__(self) -> None:
        people = self.favoured.rows if self.people is None else self.people
        object.__setattr__(self, "people", frozen_array(people, "int64"))
        distances = np.zeros(len(self.favoured)) if self.distances is None else self.distances
        object.__setattr__(self, "distances", frozen_array(distances, "float64"))
        for name in ("favoured_codes", "other_codes", "own_codes"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), "int64"))
        sides = (self.favoured, self.other, self.favoured_codes, self.other_codes, self.own_codes)
        if len({len(side) for side in (*sides, self.rows, self.distance)}) != 1:
            raise DataError("Both sides of the counterfactual pairs must have equally many samples.")
        if not np.array_equal(self.favoured.labels, self.other.labels):
            raise DataError("The two sides of a counterfactual pair must have the same target class.")

    def __len__(self) -> int:
        return len(self.favoured)

    @property
    def labels(self) -> Array:
        return self.favoured.labels

    @property
    def rows(self) -> Array:
        """Row of the person whose pair it is, (m,)."""
        return np.asarray(self.people)

    @property
    def distance(self) -> Array:
        """How unlike the two sides are, (m,)."""
        return np.asarray(self.distances)

    @cached_property
    def fingerprint(self) -> str:
        sides = self.favoured.fingerprint, self.other.fingerprint
        return content_fingerprint(self.attribute, *sides, self.favoured_codes, self.other_codes, self.rows)

    @cached_property
    def counterpart_codes(self) -> Array:
        """A level that each sample does not really show, (m,): the other one, or the usual one."""
        return np.where(self.own_codes == self.other_codes, self.favoured_codes, self.other_codes)

    @cached_property
    def counterparts(self) -> FeatureSet:
        """Each sample with `counterpart_codes`: the z̄ that replaces z."""
        shown = self.own_codes == self.other_codes
        features = np.where(shown[:, None], self.favoured.features, self.other.features)
        rows = np.where(shown, self.favoured.rows, self.other.rows)
        return FeatureSet(features, self.labels, rows)

    def subset(self, keep: Array) -> CounterfactualPairs:
        """The pairs at positions (or where mask) `keep`."""
        return CounterfactualPairs(
            self.attribute,
            self.method,
            self.favoured.subset(keep),
            self.other.subset(keep),
            self.favoured_codes[keep],
            self.other_codes[keep],
            self.own_codes[keep],
            self.rows[keep],
            self.distance[keep],
        )

    def seen_in(self, people: FeatureSet) -> CounterfactualPairs:
        """The same pairs of real people in other features of them, such as those one layer deeper."""
        order = np.argsort(people.rows, kind="stable")

        def side(rows: Array) -> FeatureSet:
            place = order[np.minimum(np.searchsorted(people.rows, rows, sorter=order), len(order) - 1)]
            if not np.array_equal(people.rows[place], rows):
                raise DataError("The pairs hold people who are not among those whose features are given.")
            return people.subset(place)

        return replace(self, favoured=side(self.favoured.rows), other=side(self.other.rows))

    def without(self, rows: Sequence[int]) -> CounterfactualPairs:
        """The pairs but for those of the people in `rows`; refuses to leave none."""
        kept = ~np.isin(self.rows, rows)
        if not kept.any():
            raise DataError(f"All {len(self)} pairs by '{self.attribute}' were left out; take some back.")
        return self if kept.all() else self.subset(kept)

    def within(self, distance: float) -> CounterfactualPairs:
        """The pairs whose sides are at most `distance` apart."""
        kept = self.distance <= distance
        if not kept.any():
            raise DataError(
                f"No twins are as alike as {distance:g}; the most alike are at {self.distance.min():.2f}. "
                "Allow less alike twins."
            )
        return self if kept.all() else self.subset(kept)

    def __repr__(self) -> str:
        far = (
            f"median distance {np.median(self.distance):.2f}"
            if self.method == "matched" and len(self)
            else ""
        )
        return one_line(self, f"{count(len(self))} {self.method} pairs by {self.attribute}", far)

    def to_frame(self) -> pd.DataFrame:
        """A row for each pair: `row` of the person in the data set, `favoured_row` and `other_row` of the two
        sides, `label` (class), `favoured_code`, `other_code` and `own_code` (attribute levels), `distance` (0 for
        exact twins, 1 for two strangers of one class)."""
        import pandas as pd

        columns = {
            "row": self.rows,
            "favoured_row": self.favoured.rows,
            "other_row": self.other.rows,
            "label": self.labels,
            "favoured_code": self.favoured_codes,
            "other_code": self.other_codes,
            "own_code": self.own_codes,
            "distance": self.distance,
        }
        return pd.DataFrame({name: np.array(values) for name, values in columns.items()})


def pair_counterfactuals(
    dataset: AttributeDataset,
    classifier: Classifier,
    *,
    split: Split,
    attribute: str,
    method: PairMethod | None = None,
    features: FeatureSet | None = None,
    seed: int = PAIR_SEED,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> CounterfactualPairs:
    """One pair per sample of `split`, encoded by `classifier`; `method` defaults to the data set's.

    'generated' and 'flipped' ask the data set for the sample again: once with the level that is
    usual for its class (see `AttributeDataset.usual_level`), once with one of the other levels,
    each equally likely under `seed`. 'swapped' does so for samples that can be shown with several levels, one side
    always the sample as it is; the others are left out. 'matched' looks for the nearest real person; samples without
    anybody to match are left out. `features` of the split are extracted when not given.

    Parameters
    ----------
    dataset, classifier
        Whose samples are shown, and to whom.
    split
        'external' to decide a fix, 'validation' to guard it, 'test' to judge it.
    attribute
        The protected attribute that differs between the two sides.
    method
        'generated', 'flipped', 'swapped' or 'matched'; None for the data set's own.
    features
        The split as `extract_features` gives it, when that is at hand already.
    seed
        Draws the level of the other side.
    store
        Where features are kept on disk and found again.
    progress
        Is told the share that is done, 0 to 1, and may raise to stop.

    Returns
    -------
    CounterfactualPairs
        m pairs, one for each sample of the split that has a twin.

    Raises
    ------
    DataError
        For an unknown method or attribute, an attribute with one level only, and a data set that cannot show
        a sample with another one; NoTwinsError, which is one, where nobody has a match.

    Examples
    --------
    >>> seen = people["test"]
    >>> pairs = fmd.pair_counterfactuals(data, model, split="test", attribute="colour", features=seen)
    >>> pairs
    CounterfactualPairs(450 generated pairs by colour)
    >>> (pairs.favoured_codes != pairs.other_codes).all()
    np.True_
    """
    chosen = method or dataset.pair_method
    if chosen not in get_args(PairMethod):
        raise DataError(f"Unknown pair method '{method}'. Choose one of: {', '.join(get_args(PairMethod))}.")
    column, rows = dataset.attribute(attribute), dataset.rows(split)
    if len(column.levels) < 2:
        raise DataError(
            f"'{attribute}' has one value only ({column.levels[0]}), so there is nothing to change; "
            "choose an attribute with at least two."
        )
    people = features or extract_features(classifier, dataset, split=split, store=store, progress=progress)
    if chosen == "matched":
        return _match(dataset, people, attribute, classifier.head, same=False)
    favoured, other = _levels_to_show(dataset, rows, attribute, seed)
    if not (has_twin := favoured != other).all():
        rows, favoured, other = rows[has_twin], favoured[has_twin], other[has_twin]
        people = people.subset(has_twin)
        if not has_twin.any():
            raise NoTwinsError(
                f"No {dataset.unit} of the {split} part has a twin by '{attribute}': none can be shown with another "
                "value."
            )
    own = column.codes[rows]

    def side(codes: Array, begun: float) -> FeatureSet:
        changed = np.flatnonzero(codes != own)  # who is shown as they are is encoded already
        shown = np.array(people.features)
        if len(changed):
            shown[changed] = encode_rows(
                classifier, dataset, rows[changed], attribute=attribute, codes=codes[changed], store=store,
                progress=lambda share: progress(begun + share / 2),
            )  # fmt: skip
        return FeatureSet(shown, people.labels, rows)

    sides = side(favoured, 0.0), side(other, 0.5)
    return CounterfactualPairs(attribute, chosen, *sides, favoured, other, own)


def counterpart_levels(
    dataset: AttributeDataset, split: Split, attribute: str, seed: int = PAIR_SEED
) -> Array:
    """`CounterfactualPairs.counterpart_codes` of a split whose twins are drawn or flipped, without
    encoding anything, (m,)."""
    rows = dataset.rows(split)
    favoured, other = _levels_to_show(dataset, rows, attribute, seed)
    return np.where(dataset.attribute(attribute).codes[rows] == other, favoured, other)


def _levels_to_show(dataset: AttributeDataset, rows: Array, attribute: str, seed: int) -> tuple[Array, Array]:
    """Attribute level of the favoured and of the other side of each row's twins; its own twice for who has none."""
    if isinstance(dataset.source, SwapSource):
        return _levels_that_can_be_shown(dataset, dataset.source, rows, attribute, seed)
    n_levels = len(dataset.attribute(attribute).levels)
    favoured = dataset.usual_level(attribute)[dataset.target.codes[rows]]
    shift = np.random.default_rng(seed).integers(1, n_levels, size=len(rows))
    return favoured, (favoured + shift) % n_levels


def _levels_that_can_be_shown(
    dataset: AttributeDataset, source: SwapSource, rows: Array, attribute: str, seed: int
) -> tuple[Array, Array]:
    """The same where a sample cannot be shown with every level: one side is always the sample as it is, so that at
    least one of the two was really said."""
    own, able = dataset.attribute(attribute).codes[rows], source.showable(rows, attribute)
    tied = dataset.over_representation(attribute)[dataset.target.codes[rows]]
    favoured = np.where(able, tied, -np.inf).argmax(axis=1)
    drawn = np.random.default_rng(seed).random(able.shape)
    drawn[~able] = -1
    drawn[np.arange(len(rows)), favoured] = -1
    another = np.where(drawn.max(axis=1) >= 0, drawn.argmax(axis=1), own)
    has_twin = able.sum(axis=1) > 1
    return (
        np.where(has_twin, favoured, own),
        np.where(has_twin, np.where(own == favoured, another, own), own),
    )


def neutral_pairs(
    dataset: AttributeDataset,
    classifier: Classifier,
    pairs: CounterfactualPairs,
    people: FeatureSet,
    *,
    store: FeatureStore | None = None,
) -> CounterfactualPairs | None:
    """Placebo twins of samples whose twins are swapped: each of the `people` who have one in `pairs`, as they are and
    with something changed that says nothing of anybody. None where no sample has such a thing."""
    source = dataset.source
    if not isinstance(source, SwapSource):
        raise DataError(f"'{dataset.name}' says nothing of what could be changed as a placebo.")
    twins = people.subset(np.isin(people.rows, pairs.rows))
    twins = twins.subset(source.showable(twins.rows, NEUTRAL_WORD)[:, 1])
    if len(twins) == 0:
        return None
    changed = encode_rows(
        classifier,
        dataset,
        twins.rows,
        attribute=NEUTRAL_WORD,
        codes=np.ones(len(twins), "int64"),
        store=store,
    )
    own = dataset.attribute(pairs.attribute).codes[twins.rows]
    other = FeatureSet(changed, twins.labels, twins.rows)
    return CounterfactualPairs(pairs.attribute, "swapped", twins, other, own, own, own)


def placebo_pairs(
    dataset: AttributeDataset, people: FeatureSet, attribute: str, head: Head
) -> CounterfactualPairs:
    """Pairs matched in the same way among `people`, but with the same attribute level on both sides:
    their bias is what matching alone costs."""
    return _match(dataset, people, attribute, head, same=True)


def _match(
    dataset: AttributeDataset, people: FeatureSet, attribute: str, head: Head, *, same: bool
) -> CounterfactualPairs:
    codes = dataset.attribute(attribute).codes[people.rows]
    usual = dataset.usual_level(attribute)[people.labels]
    alike = replace(people, features=all_but_the_answer(people.features, head))
    partner, distance = nearest_partners(alike, codes, usual, same=same)
    found = np.flatnonzero(partner != NOBODY)
    if len(found) == 0:
        raise NoTwinsError(
            f"Nobody has a twin by '{attribute}': in no class are there people of two levels; "
            "choose another attribute."
        )
    partner = partner[found]
    is_favoured = same | (codes[found] == usual[found])
    first, second = np.where(is_favoured, found, partner), np.where(is_favoured, partner, found)
    return CounterfactualPairs(
        attribute,
        "matched",
        people.subset(first),
        people.subset(second),
        codes[first],
        codes[second],
        codes[found],
        people.rows[found],
        distance[found],
    )

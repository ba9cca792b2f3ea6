"""Counterfactual pairs: the same sample twice, with only a protected attribute changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, Split, content_fingerprint, frozen_array
from fmd_core.errors import DataError
from fmd_core.models import Classifier, row_batches

PairMethod = Literal["generated"]
PAIR_SEED = 0


@dataclass(frozen=True, eq=False)
class CounterfactualPairs:
    """m pairs (c, c̄). The favoured side shows the level that training ties to the sample's class
    (see `AttributeDataset.usual_level`), the other side a different level; class and everything
    else are equal."""

    attribute: str
    method: PairMethod
    favoured: FeatureSet
    other: FeatureSet
    favoured_codes: Array  # (m,) attribute level on the favoured side
    other_codes: Array  # (m,) attribute level on the other side
    own_codes: Array  # (m,) attribute level that the sample really shows

    def __post_init__(self) -> None:
        for name in ("favoured_codes", "other_codes", "own_codes"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), "int64"))
        sides = self.favoured, self.other, self.favoured_codes, self.other_codes, self.own_codes
        if len({len(side) for side in sides}) != 1:
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
        return self.favoured.rows

    @cached_property
    def fingerprint(self) -> str:
        sides = self.favoured.fingerprint, self.other.fingerprint
        return content_fingerprint(self.attribute, *sides, self.favoured_codes, self.other_codes)

    @cached_property
    def counterpart_codes(self) -> Array:
        """A level that each sample does not really show, (m,): the other one, or the usual one."""
        return np.where(self.own_codes == self.other_codes, self.favoured_codes, self.other_codes)

    @cached_property
    def counterparts(self) -> FeatureSet:
        """Each sample with `counterpart_codes`: the z̄ that replaces z."""
        shown = (self.own_codes == self.other_codes)[:, None]
        features = np.where(shown, self.favoured.features, self.other.features)
        return FeatureSet(features, self.labels, self.rows)

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
        )


def pair_counterfactuals(
    dataset: AttributeDataset,
    classifier: Classifier,
    *,
    split: Split,
    attribute: str,
    method: PairMethod = "generated",
    seed: int = PAIR_SEED,
) -> CounterfactualPairs:
    """One pair per sample of `split`, encoded by `classifier`.

    'generated' asks the data set to draw the sample again: once with the level that is usual
    for its class (see `AttributeDataset.usual_level`), once with one of the other levels,
    each equally likely under `seed`.
    """
    if method not in get_args(PairMethod):
        raise DataError(f"Unknown pair method '{method}'. Choose one of: {', '.join(get_args(PairMethod))}.")
    column, rows = dataset.attribute(attribute), dataset.rows(split)
    if len(column.levels) < 2:
        raise DataError(
            f"'{attribute}' has one value only ({column.levels[0]}), so there is nothing to change; "
            "choose an attribute with at least two."
        )
    labels = dataset.target.codes[rows]
    favoured = dataset.usual_level(attribute)[labels]
    shift = np.random.default_rng(seed).integers(1, len(column.levels), size=len(rows))
    other = (favoured + shift) % len(column.levels)
    return CounterfactualPairs(
        attribute,
        method,
        _encode(dataset, classifier, rows, attribute, favoured),
        _encode(dataset, classifier, rows, attribute, other),
        favoured,
        other,
        column.codes[rows],
    )


def _encode(
    dataset: AttributeDataset, classifier: Classifier, rows: Array, attribute: str, codes: Array
) -> FeatureSet:
    inputs = (dataset.source.counterfactual(rows[b], attribute, codes[b]) for b in row_batches(len(rows)))
    return FeatureSet(classifier.encode(inputs), dataset.target.codes[rows], rows)

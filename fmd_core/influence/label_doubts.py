"""Training samples that look mislabelled: their label contradicts what the other samples teach.

The last layer is fitted on four fifths of the training samples and asked about the rest, five times, so that every
sample is answered by a fit that never saw its label. With p_k the answers and t_k the mean of p_k over the samples
labelled k, a sample labelled y is doubted where

    p_y < t_y   and   p_k >= t_k for another class k, the likeliest of those that reach their own mean

which are the entries off the diagonal of the confident joint of Northcutt, Jiang and Chuang, *Confident Learning:
Estimating Uncertainty in Dataset Labels* (JAIR 70, 2021, arXiv 1911.00068), of samples whose own label stays below its
mean too. The features are those of the model as it is: their encoder may have learned the labels, so some are missed.
And who goes against a shortcut looks mislabelled to whoever follows it: a doubt is a reason to look, no finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, FeatureSet, frozen_array, ignore_progress
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.showing import one_line

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5
LEAST = 2 * FOLDS  # samples of a class: of fewer, a fifth says nothing
NOBODY = -1


@dataclass(frozen=True, eq=False)
class LabelDoubts:
    """What fits that never saw a label say of it, for n training samples of K classes."""

    rows: Array
    """(n,) row of each training sample in its data set."""
    labels: Array  # (n,)
    own: Array
    """(n,) probability of the given label, by a fit without the sample."""
    likelier: Array
    """(n,) the class that looks right instead; -1 where the label is not doubted."""
    other: Array
    """(n,) the probability of that class; 0 where the label is not doubted."""
    usual: Array
    """(K,) mean probability of each class over the samples that are labelled so: the thresholds."""
    unjudged: tuple[int, ...] = ()
    """Classes with fewer than 10 samples: they are neither doubted nor named instead."""

    def __post_init__(self) -> None:
        for name in ("own", "likelier", "other", "usual"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))

    @property
    def doubted(self) -> Array:
        """(n,) bool: whose label looks wrong."""
        found: Array = self.likelier != NOBODY
        return found

    @property
    def n(self) -> int:
        """How many labels look wrong."""
        return int(self.doubted.sum())

    def __repr__(self) -> str:
        return one_line(self, f"{count(self.n)} of {count(len(self.rows))} labels look wrong")

    def to_frame(self) -> pd.DataFrame:
        """A row for each doubted sample, the least likely label first: `position` among the training samples, `row` in
        the data set, `label` and `likelier` (classes by number), `own` and `other` (their probabilities)."""
        import pandas as pd

        found = np.flatnonzero(self.doubted)
        found = found[np.argsort(self.own[found], kind="stable")]
        columns = {"position": found, "row": self.rows[found], "label": self.labels[found]}
        more = {name: getattr(self, name)[found] for name in ("likelier", "own", "other")}
        return pd.DataFrame(columns | more)


def label_doubts(
    head: Head,
    train: FeatureSet,
    *,
    damping: float,
    persons: Array | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> LabelDoubts:
    """Doubt labels by five fits of the last layer.

    Parameters
    ----------
    head
        Says what its last layer reads and how many classes there are; its weights play no part.
    train
        The n training samples.
    damping
        Weight decay of the fits.
    persons
        (n,) who each sample is of; all samples of a person lie in one fold. None: each is of another.
    seed
        Draws the folds.
    progress
        Is told the share that is done, and may raise to stop.

    Raises
    ------
    DataError
        Where fewer than two classes have 10 samples.
    """
    features, labels = head.hidden(train.features), train.labels
    counts = np.bincount(labels, minlength=head.n_classes)
    judged = counts >= LEAST
    if judged.sum() < 2:
        raise DataError(
            f"Labels can be doubted where at least two classes have {LEAST} training samples; here "
            f"{int(judged.sum())} have."
        )
    answers = _out_of_fold(head, FeatureSet(features, labels, train.rows), damping, persons, seed, progress)
    own = answers[np.arange(len(labels)), labels]
    usual = np.array([own[labels == k].mean() if judged[k] else np.inf for k in range(head.n_classes)])
    reached = np.where(answers >= usual, answers, -np.inf)
    likelier = reached.argmax(axis=1)
    is_doubted = (
        np.isfinite(reached.max(axis=1)) & (likelier != labels) & (own < usual[labels]) & judged[labels]
    )
    return LabelDoubts(
        rows=train.rows,
        labels=labels,
        own=own,
        likelier=np.where(is_doubted, likelier, NOBODY),
        other=np.where(is_doubted, answers[np.arange(len(labels)), likelier], 0.0),
        usual=np.where(judged, usual, np.nan),
        unjudged=tuple(int(k) for k in np.flatnonzero(~judged & (counts > 0))),
    )


def _out_of_fold(
    head: Head,
    train: FeatureSet,
    damping: float,
    persons: Array | None,
    seed: int,
    progress: Callable[[float], None],
) -> Array:
    """P(class) of each sample by a fit without it, (n, K)."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # slow to import

    n, shape = len(train), head.last.weight.shape
    counts = np.bincount(train.labels, minlength=head.n_classes)
    # a class of a handful has no share in every fold: where its samples lie does not matter
    strata = np.where(counts[train.labels] < FOLDS, counts.argmax(), train.labels)
    rows = np.zeros(n)
    if persons is None:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, strata)
    elif len(np.unique(persons)) < FOLDS:
        raise DataError(f"Labels can be doubted where the samples are of at least {FOLDS} persons.")
    else:
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, strata, persons)
    blank = LinearHead(np.zeros(shape), np.zeros(shape[0]))
    answers = np.empty((n, shape[0]))
    for place, (others, asked) in enumerate(folds):
        progress(place / FOLDS)
        weights = np.full(len(others), 1 / len(others))
        problem = ConvexProblem(train.features[others], train.labels[others], weights, damping)
        answers[asked] = fit_head(blank, problem).probabilities(train.features[asked])
    return answers

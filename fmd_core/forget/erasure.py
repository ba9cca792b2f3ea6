"""Linear erasure of attributes from features, in closed form.

LEACE (Belrose et al. 2023, arXiv 2306.03819, Theorem 4.3) is the affine map that changes features least
among those after which no linear reader does better than guessing. With W the whitening of the features
and U an orthonormal basis of the columns of W Cov(x, z), z the attribute's levels one-hot,

    x -> x - W^+ U U' W (x - mean)

Four things are ours.

'within class': x and z are centred in each target class, and W is the whitening of the covariance within
classes. What remains is no link between attribute and features among people of one class, averaged over
the classes; the link that goes through the class itself stays, for without it the task is lost. The class
is needed to find the map and not to use it. (Erasing every class's own directions at once guards more
readers, but spends up to classes times levels directions: 38 of 55 on the bundled digits, and the digit
with them. What the classes have of their own ranks among the further directions instead.)

Further directions: equal means do not hide an attribute from a network that sees spreads. Directions are
ranked by  sum over classes and levels of share (D^2 + m m'),  m the level's mean and D its covariance less
the class's, both whitened (sliced average variance estimation, Cook and Weisberg 1991), among those that
the last layer does not read once it is fitted again, so that the task stays. They cost what else the
features said: erase all of them, and only the answer is left.

Columns whose variance rests on a handful of people are set to their mean. What these few show by chance makes
the map write a little of the attribute into such a column, and for everybody else nothing hides it there:
with a unit that fired for 3 of 12,000 training faces a linear reader still told men from women for 80 % of
new people, and for 51 % once it was set to its mean.

Covariances are shrunk (Ledoit and Wolf 2004), which is what makes W sound for fewer people than features or
collinear features; the erasure itself is exact whatever W is, as long as W has an inverse.

The package `concept-erasure` 0.2.4 gives the same map for 'plain', given the same covariance (to 1e-12). It is not
used: it has no form within classes, and it loads torch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, FeatureSet, frozen_array
from fmd_core.errors import DataError, ModelError
from fmd_core.forget.forgettable import LEAST_OF_A_LEVEL, check_forgettable, columns_to_forget
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.method import Method, register
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs

ERASURE = Method(
    name="erasure", title="Erase the attribute from the features (LEACE)", short="Erase it", forgets=True
)
register(ERASURE)
Form = Literal["within class", "plain"]
FURTHER_SHARE = 4
"""One further direction is erased for so many features unless told otherwise. What a small network reads of
Male on validation people of CelebA (Blond_Hair, Smiling) falls to 0.34 and 0.49 of its margin with 1/8 of the
features, 0.31 and nothing with 1/4; the task loses 0.2 points either way."""
LEAST_BEHIND = 30
"""People that the variance of a feature must rest on, or a tenth of all; see `people_behind`."""
_ROUNDING = 1e-9  # singular values below this share of the largest are rounding


@dataclass(frozen=True, eq=False)
class Erasure:
    """An affine map of features, x -> (x - centre) matrix' + centre, after which attributes are erased."""

    attributes: tuple[str, ...]
    form: Form
    matrix: Array  # (d, d) float64
    centre: Array  # (d,)
    directions: int
    """How many directions of the features are gone, all together."""
    further: int
    """How many of them were erased for what spreads tell."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", frozen_array(self.matrix, "float64"))
        object.__setattr__(self, "centre", frozen_array(self.centre, "float64"))

    def apply(self, features: Array) -> Array:
        """The features (n, d) without the attributes, in their own precision. Nobody's class is needed."""
        self._check(features.shape[1])
        erased = (features - self.centre) @ self.matrix.T + self.centre
        return frozen_array(erased.astype(features.dtype))

    def people(self, people: FeatureSet) -> FeatureSet:
        """The same people in erased features."""
        return FeatureSet(self.apply(people.features), people.labels, people.rows)

    def fold(self, head: LinearHead) -> LinearHead:
        """The head on the original features that answers as `head` does on erased ones."""
        self._check(head.n_features)
        offset = self.centre - self.matrix @ self.centre
        return LinearHead(head.weight @ self.matrix, head.bias + head.weight @ offset)

    def _check(self, n_features: int) -> None:
        if n_features != len(self.centre):
            raise ModelError(
                f"The erasure was made for {len(self.centre)} features, got {n_features}; make it for this model."
            )

    def __repr__(self) -> str:
        gone = f"{self.directions} of {len(self.centre)} directions gone"
        return one_line(self, " and ".join(self.attributes), self.form, gone)


@dataclass(frozen=True, eq=False)
class Erased:
    """An erasure and what it makes of the model. The heads read the original features."""

    erasure: Erasure
    untouched: LinearHead
    """The model's own last layer on erased features."""
    head: LinearHead
    """The last layer fitted to the erased features of the same people."""
    refitted: LinearHead
    """The same, for erased features: `head` is this one, folded."""
    seconds: float

    def __repr__(self) -> str:
        return one_line(self, f"{self.erasure!r}", f"{self.head!r}", f"{self.seconds:.1f} s")


def erase(
    head: Head,
    dataset: AttributeDataset,
    people: FeatureSet,
    attributes: Sequence[str],
    *,
    damping: float,
    form: Form = "within class",
    further: int | None = None,
    joint: bool = False,
    twins: Sequence[CounterfactualPairs] = (),
) -> Erased:
    """Erase `attributes` from what `head` reads, and fit the last layer again at the model's `damping`.

    Several attributes are erased side by side, or `joint`: every combination of their levels. `further`
    directions (see above) default to a quarter of the features; more than there are means all.
    With `twins` of people whose attribute can be changed, both sides teach the erasure: where class and
    attribute all but coincide, real people cannot. Raises DataError for attributes that cannot be erased,
    ModelError for a head of more than the last layer.

    Examples
    --------
    >>> erased = fmd.erase(model.head, data, people["train"], ["colour"], damping=model.damping)
    >>> erased.erasure
    Erasure(colour, within class, 25 of 64 directions gone)
    >>> before, after = (fmd.counterfactual_bias(head, twins["test"]) for head in (model.head, erased.head))
    >>> after < before
    True
    """
    started = time.perf_counter()
    if not isinstance(head, LinearHead):
        raise ModelError("Erasure changes what the last layer reads; open the model at its last layer.")
    if form not in get_args(Form):
        raise DataError(f"Unknown form '{form}'. Choose one of: {', '.join(get_args(Form))}.")
    if further is not None and further < 0:
        raise DataError(f"The number of further directions is 0 or more, got {further}.")
    columns = columns_to_forget(dataset, attributes)
    pooled, codes = _with_twins(people, columns, twins)
    for column, own in zip(columns, codes, strict=True):
        check_forgettable(column, own, pooled.labels, dataset.target.name)
    if joint and len(columns) > 1:
        codes = [_crossed(columns, codes)]
    strata = pooled.labels if form == "within class" else np.zeros_like(pooled.labels)
    space = _Whitened(pooled.features, strata)
    means = space.basis(np.hstack([space.cross_covariance(own) for own in codes]))
    names = tuple(column.name for column in columns)
    found = Erasure(names, form, space.without(means), space.centre, means.shape[1], 0)
    refitted = _refit(head, found, people, damping)
    count = pooled.features.shape[1] // FURTHER_SHARE if further is None else further
    if count:
        extra = space.telling(codes, means, space.read_by(refitted))[:, :count]
        gone = np.hstack([means, extra])
        found = Erasure(names, form, space.without(gone), space.centre, gone.shape[1], extra.shape[1])
        refitted = _refit(refitted, found, people, damping)
    return Erased(found, found.fold(head), found.fold(refitted), refitted, time.perf_counter() - started)


def _refit(start: LinearHead, erasure: Erasure, people: FeatureSet, damping: float) -> LinearHead:
    weights = np.full(len(people), 1 / len(people))
    return fit_head(start, ConvexProblem(erasure.apply(people.features), people.labels, weights, damping))


class _Whitened:
    """Features in coordinates where their covariance (within `strata`) is the identity: (n, r)."""

    def __init__(self, features: Array, strata: Array) -> None:
        from sklearn.covariance import ledoit_wolf  # half a second to import

        x = features.astype("float64")
        self.centre = x.mean(axis=0)
        shown = people_behind(x - self.centre) >= min(LEAST_BEHIND, len(x) / 10)
        self.members = [np.flatnonzero(strata == s) for s in np.unique(strata)]
        for inside in self.members:
            x[inside] -= x[inside].mean(axis=0)
        if not x[:, shown].any():
            raise DataError("The features are the same for everybody of a class; there is nothing to erase.")
        values, vectors = np.linalg.eigh(ledoit_wolf(x[:, shown], assume_centered=True)[0])
        self.enter, self.leave = np.zeros((2, len(shown), len(values)))  # (d, r) each
        self.enter[shown] = vectors / np.sqrt(values)  # x @ enter is white
        self.leave[shown] = vectors * np.sqrt(values)  # white @ leave' is x again
        self.white = x @ self.enter

    def cross_covariance(self, codes: Array) -> Array:
        """Of the white features with every level, pooled over the strata, (r, levels)."""
        return self.white.T @ np.eye(codes.max() + 1)[codes] / len(codes)  # white is centred, that suffices

    def basis(self, columns: Array) -> Array:
        """Orthonormal basis of what the columns (r, m) span, (r, at most m)."""
        left, size, _ = np.linalg.svd(columns, full_matrices=False)
        return left[:, size > _ROUNDING * max(size[0], _ROUNDING)]

    def read_by(self, head: LinearHead) -> Array:
        """The white directions that tell the head's classes apart, (r, at most K-1)."""
        return self.basis(self.leave.T @ head.answer_directions.T)

    def telling(self, codes: Sequence[Array], gone: Array, kept: Array) -> Array:
        """The directions neither `gone` nor `kept`, those that tell the attributes most first, (r, m)."""
        # full, so that the last columns are exactly what the first ones leave
        basis = np.linalg.svd(np.hstack([gone, kept]), full_matrices=True)[0]
        rest = basis[:, gone.shape[1] + kept.shape[1] :]
        white = self.white @ rest
        told = sum(self._told(white, own) for own in codes)
        return rest @ np.linalg.eigh(told)[1][:, ::-1]

    def _told(self, white: Array, codes: Array) -> Array:
        """What each direction of `white` (n, m) tells of the levels `codes` (n,): share (D^2 + m m'), (m, m)."""
        total = np.zeros((white.shape[1], white.shape[1]))
        for inside in self.members:
            usual = white[inside].T @ white[inside] / len(inside)
            for code in np.unique(codes[inside]):
                level = white[inside[codes[inside] == code]]
                mean = level.mean(axis=0)
                told = np.outer(mean, mean)
                if len(level) >= LEAST_OF_A_LEVEL:  # a spread needs more people than a mean
                    spread = np.cov(level.T, bias=True).reshape(told.shape) - usual
                    told += spread @ spread
                total += len(level) / len(codes) * told
        return total

    def without(self, gone: Array) -> Array:
        """The map of centred features that takes the white directions `gone` (r, m) out, (d, d)."""
        return self.leave @ self.enter.T - (self.leave @ gone) @ (self.enter @ gone).T


def people_behind(centred: Array) -> Array:
    """How many people the variance of each column (n, d) rests on, (d,): n if all deviate alike, m if m
    alone do; 0 for a column that never varies."""
    square = centred**2
    fourth = np.einsum("nd,nd->d", square, square)
    return np.divide(square.sum(axis=0) ** 2, fourth, out=np.zeros_like(fourth), where=fourth > 0)


# --- what is erased


def _with_twins(
    people: FeatureSet, columns: Sequence[Column], twins: Sequence[CounterfactualPairs]
) -> tuple[FeatureSet, list[Array]]:
    """The people, or both sides of their twins, and their level of every column."""
    if not twins:
        return people, [column.codes[people.rows] for column in columns]
    sides = [
        (side, p.attribute, own)
        for p in twins
        for side, own in ((p.favoured, p.favoured_codes), (p.other, p.other_codes))
    ]
    parts = zip(*((side.features, side.labels, side.rows) for side, _, _ in sides), strict=True)
    codes = [
        np.concatenate([own if changed == c.name else c.codes[side.rows] for side, changed, own in sides])
        for c in columns
    ]
    return FeatureSet(*map(np.concatenate, parts)), codes


def _crossed(columns: Sequence[Column], codes: Sequence[Array]) -> Array:
    """A number for each combination of levels that occurs, (n,)."""
    _, crossed, counts = np.unique(np.stack(codes), axis=1, return_inverse=True, return_counts=True)
    if counts.min() < LEAST_OF_A_LEVEL:
        raise DataError(
            f"A combination of {' and '.join(c.name for c in columns)} is shown by {counts.min()} people only; joint "
            f"erasing needs at least {LEAST_OF_A_LEVEL} of each: erase them side by side."
        )
    return crossed.ravel()

"""Frozen values for what comes in: columns, data sets and the features made of them.

Arrays are checked once, here, and made read-only: caches can share them, and inner code
trusts them. Every value knows its content fingerprint, which is what caches are keyed by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fmd_core.errors import DataError
from fmd_core.figures import count, many
from fmd_core.showing import one_line, table

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from fmd_core.datasets.data_warnings import AuditWarning

Array = NDArray[Any]
Split = Literal["train", "external", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""train taught the model, external decides the fix, validation guards it, test judges it."""
PairMethod = Literal["generated", "flipped", "matched", "swapped"]
"""How twins are made: drawn again, a column changed, a real person like the first one found, or terms of a text
swapped, which not every text has."""
NEUTRAL_WORD = "a neutral word"
"""What differs between placebo twins of texts, as an attribute of their source: no protected one has this name."""
InputKind = str
"""The name of a kind of sample; see `fmd_core.kinds`."""
Display = object
"""A sample as a person should see it, for its kind to draw: of an image a picture, uint8 (height, width, 3), of a
table a record, text by column."""


def content_fingerprint(*parts: Array | str) -> str:
    """Hex digest of arrays (dtype, shape and every byte) and strings, in order."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(f"str:{len(part)}:{part}".encode())
        else:
            digest.update(f"{part.dtype.str}:{part.shape}:".encode())
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def group_codes(labels: Array, levels: Array) -> Array:
    """A number for each combination of class and attribute level, (n,), the same for whoever shares both."""
    return labels * (1 + int(levels.max(initial=0))) + levels


def ignore_progress(share: float) -> None:
    """Progress callback of a caller who does not want to know: takes the share done, 0 to 1."""


def frozen_array(values: ArrayLike, dtype: type | str | None = None) -> Array:
    """A read-only array. Copies unless nobody can write to the memory behind `values`."""
    array = owner = np.asarray(values, dtype=dtype)
    while isinstance(owner.base, np.ndarray) and not owner.flags.writeable:
        owner = owner.base  # a read-only view still follows the array that it looks at
    if owner.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Column:
    """A property of every sample, coded: `levels[codes[i]]` is what sample i has."""

    name: str
    codes: Array  # (n,) int64
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        codes = frozen_array(self.codes, "int64")
        if codes.ndim != 1 or len(codes) == 0:
            raise DataError(f"Column '{self.name}' needs one value per sample, got shape {codes.shape}.")
        if codes.min() < 0 or codes.max() >= len(self.levels):
            raise DataError(
                f"Column '{self.name}' has codes from {codes.min()} to {codes.max()}, "
                f"but only {len(self.levels)} levels: {', '.join(self.levels)}."
            )
        object.__setattr__(self, "codes", codes)

    def __repr__(self) -> str:
        return one_line(self, self.name, f"{len(self.levels)} levels", f"{count(len(self.codes))} samples")


class SampleSource(Protocol):
    """Where model inputs come from, a few rows at a time: never all of them in memory."""

    @property
    def kind(self) -> InputKind:
        """What a sample is: the name of a kind that `fmd_core.kinds.find_kind` knows."""

    @property
    def fingerprint(self) -> str:
        """Content digest of everything that `read` can return."""

    def read(self, rows: Array) -> Array:
        """Inputs of `rows`, as the kind has them: uint8 images (m, height, width, 3) of one size, float32
        records (m, d)."""

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        """The same samples with `attribute` set to `codes` (m,) and nothing else changed.

        Raises DataError where that cannot be done, as with photographs: their twins are matched.
        """

    def display(self, row: int, attribute: str = "", code: int = 0) -> Display:
        """One sample in as much detail as there is, with `attribute` set to `code` if one is named."""


@runtime_checkable
class FrameSource(Protocol):
    """The ability of a source to give its samples as a table too, for a model that reads columns by name, such
    as a scikit-learn pipeline. A batch of frames is in the order of `rows`, as one of arrays is."""

    def read_frame(self, rows: Array) -> pd.DataFrame:
        """The records of `rows`, (m, n_columns), without the target."""

    def counterfactual_frame(self, rows: Array, attribute: str, codes: Array) -> pd.DataFrame:
        """The same records with `attribute` set to `codes` (m,), as `SampleSource.counterfactual` sets it."""


@runtime_checkable
class WholePictures(Protocol):
    """The ability of a source to give pictures as their files hold them, for a model that cuts them in its own way."""

    def read_fitted(self, rows: Array, fit: Callable[[Image], Array]) -> Array:
        """The whole pictures of `rows` as `fit` makes them of RGB ones, uint8 (m, height, width, 3)."""


@runtime_checkable
class SwapSource(Protocol):
    """The ability of a source to show some of its samples, and not others, with another level."""

    def showable(self, rows: Array, attribute: str) -> Array:
        """Which levels each of `rows` can be shown with, (m, n_levels) bool: none, or its own and others. Of
        `NEUTRAL_WORD` the second of two is the sample with something changed that says nothing of anybody."""


@dataclass(frozen=True, eq=False)
class AttributeDataset:
    """Samples with a target, protected attributes and a split into the four roles."""

    name: str
    target: Column
    attributes: Mapping[str, Column]
    split: Array  # (n,) of Split
    source: SampleSource
    pair_method: PairMethod = "generated"
    unit: str = "image"  # what one sample is called: image, face, person, row
    notes: tuple[str, ...] = ()  # what a reader left out or changed, a sentence each
    notes_of_reading: tuple[str, ...] = ()  # those of the notes that matter to a model alone
    shareable: bool = True  # whether its licence lets pictures go into a report that is handed on
    favourable: str | None = ""
    """The class that is good for whom it is said of; '' where nobody said, None where it was said that none is."""
    phrases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """How people of a level are called in a sentence, by column and level: 'men', or '{} over 50K' around
    whom else the sentence is about; under "" how the column itself is ('sex'). No part of the fingerprint."""
    references: Mapping[str, str] = field(default_factory=dict)
    """The level that others are compared with, by attribute; where none is named, the measure chooses one."""
    persons: Array | None = None  # (n,) codes of whose sample it is, None where each is a person of its own
    weights: Array | None = None  # (n,) how many people a sample stands for, None where each stands for one
    warnings: tuple[AuditWarning, ...] = ()
    """What is known of the file that they came from and cannot be seen any more, to be said before any verdict."""
    not_read: tuple[str, ...] = ()  # columns that came with the data and that no model is shown
    answered: Array | None = None  # (n,) codes of the class that another system answered, None where none did
    parts_are_drawn: bool = False  # whether the data said nothing of the split, so that it could be another

    def __post_init__(self) -> None:
        n = len(self.target.codes)
        split = frozen_array(self.split, "str")
        object.__setattr__(self, "split", split)
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        object.__setattr__(self, "phrases", MappingProxyType(dict(self.phrases)))
        if self.favourable and self.favourable not in self.target.levels:
            raise DataError(
                f"'{self.favourable}' is no class of '{self.target.name}', so it cannot be the favourable one. "
                f"Classes are: {', '.join(self.target.levels)}."
            )
        object.__setattr__(self, "references", MappingProxyType(dict(self.references)))
        for attribute, level in self.references.items():
            if level not in (there := self.attribute(attribute).levels):
                raise DataError(f"'{attribute}' has no level '{level}'. It has: {', '.join(there)}.")
        optional = {"persons": "int64", "weights": "float64", "answered": "int64"}
        for label, kind in optional.items():
            if (values := getattr(self, label)) is not None:
                object.__setattr__(self, label, frozen_array(values, kind))
        of_each = {label: getattr(self, label) for label in optional if getattr(self, label) is not None}
        for label, length in [("split", len(split))] + [
            (label, len(values))
            for label, values in [*of_each.items(), *((c.name, c.codes) for c in self.attributes.values())]
        ]:
            if length != n:
                raise DataError(f"'{label}' has {length} values for {n} samples; they must be equally long.")
        if self.answered is not None:
            Column("answered", self.answered, self.target.levels)  # codes of its classes
        unknown = sorted(set(np.unique(split)) - set(SPLITS))
        if unknown:
            raise DataError(f"Unknown split '{unknown[0]}'. A split is one of: {', '.join(SPLITS)}.")

    def __len__(self) -> int:
        return len(self.target.codes)

    @cached_property
    def fingerprint(self) -> str:
        columns = [self.target, *self.attributes.values()]
        parts: list[Array | str] = []
        for column in columns:
            parts += [column.name, *column.levels, column.codes]
        parts += [values for values in (self.persons, self.weights) if values is not None]
        parts += ["answered", self.answered] if self.answered is not None else []
        return content_fingerprint(self.name, self.split, self.source.fingerprint, *parts)

    @cached_property
    def parts_fingerprint(self) -> str:
        """Who is in which part, whatever is asked about them."""
        return content_fingerprint("parts", self.split, self.source.fingerprint)

    @property
    def notes_of_people(self) -> tuple[str, ...]:
        """What a reader left out or changed, whoever answers these people."""
        return tuple(note for note in self.notes if note not in self.notes_of_reading)

    def rows(self, split: Split) -> Array:
        """Row numbers of one split, (m,)."""
        found = np.flatnonzero(self.split == split)
        if len(found) == 0:
            raise DataError(f"The data set '{self.name}' has no samples in its '{split}' split.")
        return found

    def n_people(self, rows: Array) -> int:
        """How many people stand behind some `rows` (m,)."""
        return len(rows) if self.persons is None else len(np.unique(self.persons[rows]))

    def attribute(self, name: str) -> Column:
        """A protected attribute by name."""
        if name not in self.attributes:
            known = ", ".join(self.attributes) or "none"
            raise DataError(f"Unknown attribute '{name}'. This data set has: {known}.")
        return self.attributes[name]

    def usual_level(self, attribute: str) -> Array:
        """For each class, the attribute level that training over-represents most, (n_classes,).

        Over-representation is P(level | class) - P(level) on the training split: the link
        that a model can learn instead of the task.
        """
        return np.argmax(self.over_representation(attribute), axis=1)

    def over_representation(self, attribute: str) -> Array:
        """P(level | class) - P(level) on the training split, (n_classes, n_levels)."""
        column, train = self.attribute(attribute), self.rows("train")
        shape = len(self.target.levels), len(column.levels)
        cells = self.target.codes[train] * shape[1] + column.codes[train]
        counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype("float64")
        given_class = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        difference: Array = given_class - counts.sum(axis=0) / len(train)
        return difference

    def bias_aligned(self, attribute: str) -> Array:
        """Which samples show the level that is usual for their class, (n,) bool."""
        return self.usual_level(attribute)[self.target.codes] == self.attribute(attribute).codes

    def __repr__(self) -> str:
        classes, names = len(self.target.levels), ", ".join(self.attributes) or "none"
        samples = f"{count(len(self))} {many(self.unit)}"
        return one_line(
            self, self.name, samples, f"{self.target.name} in {classes} classes", f"attributes: {names}"
        )

    def to_frame(self) -> pd.DataFrame:
        """How many samples of each split have which level: `column`, `level` and a column for each split."""
        return table(
            {"column": column.name, "level": level}
            | {split: int(((self.split == split) & (column.codes == code)).sum()) for split in SPLITS}
            for column in (self.target, *self.attributes.values())
            for code, level in enumerate(column.levels)
        )


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """What the frozen encoder made of some samples: all that a head needs."""

    features: Array  # (n, d) float32
    labels: Array  # (n,) int64
    rows: Array  # (n,) int64: row of each sample in its data set

    def __post_init__(self) -> None:
        features = frozen_array(self.features)
        labels, rows = frozen_array(self.labels, "int64"), frozen_array(self.rows, "int64")
        if features.ndim != 2 or len(features) != len(labels) or len(rows) != len(labels):
            raise DataError(
                f"Features of shape {features.shape}, {len(labels)} labels and {len(rows)} rows "
                "do not describe the same samples."
            )
        if not np.isfinite(features).all():
            bad = int((~np.isfinite(features)).any(axis=1).sum())
            raise DataError(
                f"The encoder gave values that are not numbers for {bad} of {len(features)} samples; "
                "check the weights and the inputs."
            )
        for name, value in (("features", features), ("labels", labels), ("rows", rows)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(self.features, self.labels, self.rows)

    def subset(self, keep: Array) -> FeatureSet:
        """The samples at positions (or where mask) `keep`."""
        return FeatureSet(self.features[keep], self.labels[keep], self.rows[keep])

    @classmethod
    def joined(cls, parts: Sequence[FeatureSet]) -> FeatureSet:
        """The samples of several parts of one data set, one behind the other."""
        return cls(
            np.concatenate([part.features for part in parts]), np.concatenate([part.labels for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )  # fmt: skip

    def __repr__(self) -> str:
        return one_line(self, f"{count(len(self))} samples", f"{self.features.shape[1]} features")

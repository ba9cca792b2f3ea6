"""CelebA as a data set: target, attributes, and four parts that share no person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fmd_core.data import SPLITS, Array, AttributeDataset, Column, frozen_array
from fmd_core.datasets.public.celeba.lists import (
    IDENTITIES,
    PARTITION,
    PICTURES,
    attribute_codes,
    celeba_attributes,
    list_path,
    whole_numbers,
)
from fmd_core.datasets.public.celeba.pictures import CelebaSource, picture_folder, pictures_of
from fmd_core.datasets.public.celeba.words import levels, phrases, plain, positions
from fmd_core.errors import DataError

SMALLEST, LARGEST = 8, 512
_HALVING_SEED = 20231210


def load_celeba(
    folder: Path, *, target: str = "Blond_Hair", protected: Sequence[str] = ("Male",), size: int = 64
) -> AttributeDataset:
    """Faces of the official layout in `folder`, at `size` pixels for the model.

    Attributes go by their official names, in any case, with underscores or spaces. The official
    training and test parts keep their roles; the official validation part is halved by person into
    external and validation. No person is in two splits. What was left out stands in `notes`.
    Raises DataError where a list is missing, broken or a saved web page, and for unknown attributes.
    """
    if not SMALLEST <= size <= LARGEST:
        raise DataError(f"Faces of {size} pixels cannot be used; choose {SMALLEST} to {LARGEST}.")
    official = celeba_attributes(folder)
    chosen = positions(official, target, protected)
    listed, codes = attribute_codes(folder, official, chosen)
    files, sizes, notes = pictures_of(folder, listed)
    role, more_notes = _roles(folder, listed, files != "")
    keep = role >= 0
    if not keep.any():
        raise DataError(f"None of the pictures in '{PICTURES}' is named in CelebA's lists; are these CelebA?")
    columns = [Column(plain(official[c]), codes[keep, k], levels(official[c])) for k, c in enumerate(chosen)]
    source = CelebaSource(
        picture_folder(folder), frozen_array(files[keep]), frozen_array(sizes[keep], "int64"), size
    )
    notes += more_notes + [f"The model sees the middle square of each picture, {size} x {size} pixels."]
    return AttributeDataset(
        "CelebA",
        columns[0],
        {column.name: column for column in columns[1:]},
        np.array(SPLITS)[role[keep]],
        source,
        pair_method="matched",
        unit="face",
        notes=tuple(notes),
        shareable=False,  # the agreement forbids handing pictures on
        favourable=None,  # what a face shows is no advantage by itself: a reviewer may say otherwise
        phrases={column.name: phrases(column) for column in columns},
    )


def _roles(folder: Path, listed: Array, here: Array) -> tuple[Array, list[str]]:
    """Position in SPLITS of each listed face (n,), -1 where it is left out, and the notes on it."""
    part = whole_numbers(folder, PARTITION, listed)
    if part.max() > 2:
        raise DataError(
            f"'{PARTITION}' has part {part.max()}; CelebA's are 0 train, 1 validation and 2 test."
        )
    notes, person = [], np.arange(len(listed))
    if list_path(folder, IDENTITIES).exists():
        person = whole_numbers(folder, IDENTITIES, listed)
    else:
        notes.append(f"'{IDENTITIES}' is missing: that no person is in two splits could not be checked.")
    known = here & (part >= 0) & (person >= 0)
    if lost := int((here & ~known).sum()):
        notes.append(f"{lost:,} faces were left out: the lists of splits and persons do not name them.")
    role = np.full(len(listed), -1)
    role[known] = _without_overlap(part[known], person[known])
    if shared := int((known & (role < 0)).sum()):
        notes.append(f"{shared:,} faces were left out: the same person is in a split that judges the model.")
    notes.append("CelebA's validation part is halved by person: half decides the fix, half guards it.")
    return role, notes


def _without_overlap(part: Array, person: Array) -> Array:
    """Roles (n,) in which no person has two; -1 for faces of a person whom a later part keeps.

    Test is kept before validation, validation before training: who judges must not have taught.
    """
    people, of = np.unique(person, return_inverse=True)
    keeper = np.zeros(len(people), "int64")
    np.maximum.at(keeper, of, part)
    role = np.where(part == 0, SPLITS.index("train"), SPLITS.index("test"))
    role[part != keeper[of]] = -1
    halved = (part == 1) & (role >= 0)
    role[halved] = _halves(of[halved])
    return role


def _halves(person: Array) -> Array:
    """External or validation for each face (m,): persons in a fixed random order, cut in the middle."""
    people, of, faces = np.unique(person, return_inverse=True, return_counts=True)
    order = np.random.default_rng(_HALVING_SEED).permutation(len(people))
    before = np.empty(len(people), "int64")
    before[order] = np.cumsum(faces[order]) - faces[order]
    first = before < len(person) / 2
    return np.where(first[of], SPLITS.index("external"), SPLITS.index("validation"))

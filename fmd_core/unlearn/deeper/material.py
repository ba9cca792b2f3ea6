"""Who teaches a network that learns on, as it reads them: what lies below the part that learns is read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, Split
from fmd_core.errors import ModelError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.home import room_needed
from fmd_core.kinds import find_kind
from fmd_core.models.blocks import split_at
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.encoder import trainable
from fmd_core.models.encoding import batch_side, read_inputs, row_batches
from fmd_core.unlearn.deeper.augmentation import augmented

if TYPE_CHECKING:
    import torch
    from numpy.typing import DTypeLike
    from torch import nn

TEACHERS: tuple[Split, ...] = ("train", "external")
"""Whom a network learns from unless somebody says otherwise."""
BATCH = 128
POOL = 24_000  # pictures that the last block learns from, copies included
POOL_BYTES = 400_000_000
HELD_BYTES = 1_000_000_000  # inputs that are read once and held; more are read from disk every time


class Material:
    """People of some parts of the data, and the network cut where what learns begins.

    Inputs and what the trunk makes of them lie in files without a name, mapped into memory: they take room on disk
    (at most HELD_BYTES and POOL_BYTES), and the system takes back whatever memory they fill when it is needed. Several
    learners share one, so that nothing is read twice.
    """

    def __init__(
        self,
        classifier: Classifier,
        dataset: AttributeDataset,
        attribute: str,
        reach: str,
        parts: Sequence[Split] = TEACHERS,
    ) -> None:
        if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
            raise ModelError(
                f"This classifier is open at '{classifier.depth}'; change the original with one last layer."
            )
        trainable(classifier.encoder)
        self.original, self.dataset, self.attribute, self.reach = classifier, dataset, attribute, reach
        self.kind = find_kind(classifier.kind)
        self.parts = tuple(parts)
        self.rows = np.concatenate([dataset.rows(part) for part in parts])
        self.part_of = np.repeat(np.array(self.parts), [len(dataset.rows(part)) for part in parts])
        self.codes = dataset.attribute(attribute).codes[self.rows]
        self.labels = dataset.target.codes[self.rows]
        self.n_levels = len(dataset.attribute(attribute).levels)
        self.groups = self.labels * self.n_levels + self.codes
        self.trunk: nn.Module | None = None
        if reach != "whole network":
            self.trunk = split_at(reach, classifier.as_module(), classifier.title)[0]
            self.trunk.eval().requires_grad_(False)
        self.is_read = False
        """Whether everybody was read, by one of those who learn."""
        self._held: Array | None = None
        self._pool: tuple[Array, Array] | None = None

    @property
    def pools_twins(self) -> bool:
        """Whether what the trunk makes of twins is kept: of a table's rows it costs nothing to make it anew."""
        return self.trunk is not None and self.kind.has_pictures

    def learner(self) -> nn.Module:
        """A copy of the part of the network that learns, as it was: running means of batch normalisation stay."""
        module = self.original.as_module()
        if self.reach != "whole network":
            module = split_at(self.reach, module, self.original.title)[1]
        return module.eval().requires_grad_(True)

    def lit_anew(self, pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Pictures turned, moved and lit at random; other inputs as they are."""
        if not self.kind.has_pictures:
            return pictures
        flip = self.dataset.pair_method == "matched"  # drawn pictures may mean something by left and right
        colours = 1 / float(np.mean(self.original.preprocess.colours[1]))
        return augmented(pictures, generator, flip=flip, colour_range=colours)

    def read(self, places: Array) -> torch.Tensor:
        """People by their places, ready for the network: of what is held where it is, else from disk."""
        held = self._held
        inputs = read_inputs(self.original, self.dataset, self.rows[places]) if held is None else held[places]
        return self.original.preprocess.apply(inputs, self.kind.name)

    def hold(self, progress: Callable[[float], None]) -> None:
        """Read everybody once, where there is room for it. `progress` is told the share that is done."""
        first = read_inputs(self.original, self.dataset, self.rows[:1])
        fits = isinstance(first, np.ndarray) and first.nbytes * len(self.rows) <= HELD_BYTES
        if self._held is not None or not fits:
            return
        held = scratch((len(self.rows), *first.shape[1:]), first.dtype)
        side = batch_side(self.dataset, self.rows, self.original.preprocess)
        for part in row_batches(len(self.rows), side):
            progress(part.start / len(self.rows))
            held[part] = read_inputs(self.original, self.dataset, self.rows[part])
        self._held = held

    def with_level(self, places: Array, levels: Array) -> torch.Tensor:
        """What the part that learns reads of people with their attribute set to `levels` (m,)."""
        import torch

        inputs = read_inputs(self.original, self.dataset, self.rows[places], self.attribute, levels)
        ready = self.original.preprocess.apply(inputs, self.kind.name)
        if self.trunk is None:
            return ready
        with torch.no_grad():
            return self.trunk(ready)

    def pool(self, weights: Array, seed: int, progress: Callable[[float], None]) -> tuple[Array, Array]:
        """What the trunk makes of people drawn by `weights` (n,), each time turned and lit anew, in half precision,
        (m, ...), and their places, (m,): the last block learns from these alone. Made once."""
        import torch

        if self._pool is None:
            assert self.trunk is not None
            rng, generator = np.random.default_rng((seed, 1)), torch.Generator().manual_seed(seed)
            with torch.inference_mode():
                one = self.trunk(self.read(np.zeros(1, int)))[0]
            drawn = rng.choice(len(self.rows), pool_size(one), p=weights)
            made = scratch((len(drawn), *one.shape), "float16")
            with torch.inference_mode():
                for start in range(0, len(drawn), BATCH):
                    progress(start / len(drawn))
                    part = slice(start, start + BATCH)
                    made[part] = self.trunk(self.lit_anew(self.read(drawn[part]), generator)).numpy()
            self._pool = made, drawn
        return self._pool

    def twin_pool(
        self, taught: Array, most: int, seed: int, progress: Callable[[float], None]
    ) -> tuple[Array, Array]:
        """What the trunk makes of people at the places `taught`, each shown with two levels, in half precision,
        (m, 2, ...), and their places, (m,), at most `most`: what lies above the trunk learns from these alone. Of few
        people some are there several times, with other levels."""
        rng = np.random.default_rng((seed, 1))
        one = self.with_level(taught[:1], self.codes[taught[:1]])[0]
        drawn = np.resize(rng.permutation(taught), min(most, pool_size(one) // 2))
        shown = np.stack(two_levels(rng, len(drawn), self.n_levels), axis=1)
        made = scratch((len(drawn), 2, *one.shape), "float16")
        for start in range(0, len(drawn), BATCH):
            progress(start / len(drawn))
            part = slice(start, start + BATCH)
            for side in (0, 1):
                made[part, side] = self.with_level(drawn[part], shown[part, side]).numpy()
        return made, drawn


def two_levels(rng: np.random.Generator, people: int, n_levels: int) -> tuple[Array, Array]:
    """For each of the people (m,) two levels, never the same twice: who is shown one level twice, as half of them would
    be where there are two, teaches nothing about twins."""
    one = rng.integers(n_levels, size=people)
    return one, (one + rng.integers(1, n_levels, size=people)) % n_levels


def pool_size(one: torch.Tensor) -> int:
    """How many people the last block learns from, where `one` is what it reads of each."""
    return min(POOL, max(BATCH, POOL_BYTES // (2 * one.numel())))


def scratch(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array in a file of its own, which goes with it. Its room is taken first: where a mapped file has none, the
    process would end. SolverError where the disk is full."""
    wanted, can_take = np.dtype(dtype), hasattr(os, "posix_fallocate")
    with room_needed(SolverError), TemporaryFile() as file:  # the mapping keeps it
        if can_take:
            os.posix_fallocate(file.fileno(), 0, max(1, int(np.prod(shape)) * wanted.itemsize))
        return np.memmap(file, wanted, "r+" if can_take else "w+", shape=shape)

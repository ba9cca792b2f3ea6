"""One network trained from the beginning as the original was: the same layers, optimiser, batches and epochs, on the
same people as learning on (training and external). A method says only what the loss counts and who is drawn."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, frozen_array, ignore_progress
from fmd_core.errors import ModelError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import build_encoder, load_published
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.encoder import trainable
from fmd_core.models.encoding import batch_side, check_fit, read_inputs, row_batches
from fmd_core.models.taught import as_taught_by
from fmd_core.models.training import LARGE_SIDE, feature_scale, suggested_epochs, with_feature_scale
from fmd_core.running.timing import usual_seconds
from fmd_core.unlearn.deeper.augmentation import augmented
from fmd_core.unlearn.deeper.material import HELD_BYTES, TEACHERS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fmd_core.models.feature_store import FeatureStore

READING = 0.1  # share of the work in which people are read
TRIES = 2  # of a batch


@dataclass(frozen=True, eq=False)
class Batch:
    """People of one step."""

    places: Array
    """(m,) among `Trainer.rows`."""
    inputs: torch.Tensor
    labels: torch.Tensor
    """(m,)"""
    groups: torch.Tensor
    """(m,) class and attribute level as one number."""
    share: float
    """Of the training that is done, 0 to 1."""


LossOf = Callable[[Batch], "torch.Tensor"]


class Trainer:
    """Who teaches, fresh networks of the original's make, and the steps of a training.

    Parameters
    ----------
    classifier : the original, open at its last layer; nothing of it but its make and its recipe is used.
    attribute : whose levels make the groups.
    epochs : passes over the people; None: as many as the original had, or as many as such data take.
    progress : is told the share that is done before every step and may raise to stop.
    store : features on disk, for who removes samples and trains no network.
    """

    def __init__(
        self,
        classifier: Classifier,
        dataset: AttributeDataset,
        attribute: str,
        *,
        seed: int = 0,
        epochs: int | None = None,
        progress: Callable[[float], None] = ignore_progress,
        store: FeatureStore | None = None,
    ) -> None:
        check_fit(classifier, dataset)
        if why := why_not(classifier):
            raise ModelError(why)
        self.original, self.dataset, self.attribute, self.store = classifier, dataset, attribute, store
        self.seed, self.progress, self.rng = seed, progress, np.random.default_rng(seed)
        self._networks = 0
        self.kind = find_kind(classifier.kind)
        self.rows = np.concatenate([dataset.rows(part) for part in TEACHERS])
        self.codes = dataset.attribute(attribute).codes[self.rows]
        self.labels = dataset.target.codes[self.rows]
        self.n_levels = len(dataset.attribute(attribute).levels)
        self.groups = self.labels * self.n_levels + self.codes
        recipe = classifier.recipe
        self.epochs = epochs or (recipe.epochs if recipe else suggested_epochs(dataset))

    @property
    def n_classes(self) -> int:
        return len(self.dataset.target.levels)

    @property
    def n_groups(self) -> int:
        """Classes times levels, also those that nobody shows."""
        return self.n_classes * self.n_levels

    @cached_property
    def batch_size(self) -> int:
        """People of one step, as when the original was trained."""
        most, side = self.kind.training_batch, self.kind.side(self._first, self.original.preprocess)
        return max(8, min(most, most * LARGE_SIDE**2 // side**2))

    @cached_property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.rows) // self.batch_size)

    @cached_property
    def _first(self) -> Array:
        return read_inputs(self.original, self.dataset, self.rows[:2])

    # --- networks

    def fresh(self) -> nn.Sequential:
        """A network of the original's make that has learned nothing: encoder "0", last layer "1"; every next one of
        a trainer begins at other weights, those of a seed at the same ones."""
        import torch

        self._networks += 1
        torch.manual_seed(self.seed + 1_000 * (self._networks - 1))
        encoder = _untrained(self.original, self.kind.width(self._first))
        width = self.original.head.n_features
        return torch.nn.Sequential(encoder, torch.nn.Linear(width, self.n_classes))

    def frozen(self, network: nn.Module, made: str) -> Classifier:
        """What a network learned so far as a classifier, features scaled to a mean square of 1; `made` says how it
        came about."""
        learned = copy.deepcopy(network).eval().requires_grad_(False)
        layers, top = learned.get_submodule("0"), learned.get_submodule("1")
        state = {name: frozen_array(tensor.numpy()) for name, tensor in layers.state_dict().items()}
        return self.scaled(self.original.with_weights(state), top, made)

    def scaled(self, encoder: Classifier, top: nn.Module, made: str) -> Classifier:
        """An encoder under a last layer, features scaled to a mean square of 1."""
        weight, bias = (top.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
        name = f"{self.original.name or self.original.architecture}, {made}"
        raw = replace(
            encoder, head=LinearHead(weight, bias), feature_scale=1.0, name=name, recipe=None,
            taught_by=as_taught_by(self.dataset, TEACHERS),
        )  # fmt: skip
        return with_feature_scale(raw, feature_scale(raw, self.dataset))

    # --- steps

    def learn(
        self,
        module: nn.Module,
        loss_of: LossOf,
        *,
        epochs: int | None = None,
        drawn: Array | None = None,
        part: tuple[float, float] = (0.0, 1.0),
        freeze: Callable[[int], Classifier] | None = None,
    ) -> dict[int, Classifier]:
        """Steps down a loss; what `freeze` makes of the networks half-way and at the end, by epochs.

        Parameters
        ----------
        module : whatever learns; its parameters are changed.
        drawn : (n,) chance of each of the people to be drawn; None: everybody once an epoch.
        part : of the whole work, for `progress`.

        Raises SolverError where the loss is lost.
        """
        import torch

        count, kept = epochs or self.epochs, {}
        optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, weight_decay=1e-4)
        module.train()
        for epoch in range(1, count + 1):
            for batch in self._batches(epoch, count, drawn, part):
                loss = loss_of(batch)
                if not torch.isfinite(loss):
                    raise SolverError("Training went astray (the loss is not a number).")
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if freeze is not None and epoch in {(count + 1) // 2, count}:
                kept[epoch] = freeze(epoch)
                module.train()
        return kept

    def _batches(
        self, epoch: int, epochs: int, drawn: Array | None, part: tuple[float, float]
    ) -> Iterator[Batch]:
        import torch

        steps, size = self.steps_per_epoch, self.batch_size
        order = (
            np.array_split(self.rng.permutation(len(self.rows)), steps)
            if drawn is None
            else [self.rng.choice(len(self.rows), size, p=drawn) for _ in range(steps)]
        )
        self._read(order[0][:1])  # everybody is read before the first step, and told so
        for step, places in enumerate(order):
            share = ((epoch - 1) * steps + step) / (epochs * steps)
            at = part[0] + (part[1] - part[0]) * share
            self.progress(READING + (1 - READING) * at)
            yield Batch(
                places, self._lit_anew(self._read(places)), torch.from_numpy(self.labels[places]),
                torch.from_numpy(self.groups[places]), share,
            )  # fmt: skip

    def losses(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy of each person, (m,)."""
        import torch

        return torch.nn.functional.cross_entropy(network(batch.inputs), batch.labels, reduction="none")

    def seconds_of_training(self) -> float:
        """About how many seconds one training of one network takes on this machine, as busy as it is now: a few steps
        are taken and timed."""
        import torch

        network, places = self.fresh().train(), np.arange(min(self.batch_size, len(self.rows)))
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        labels, inputs = torch.from_numpy(self.labels[places]), self.read_once(places)

        def step() -> None:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(self._lit_anew(inputs)), labels).backward()
            optimiser.step()

        learned = self.epochs * self.steps_per_epoch * self.batch_size
        reading, learning = (usual_seconds(work, TRIES) for work in (lambda: self.read_once(places), step))
        return (reading * len(self.rows) + learning * learned) / len(places)

    # --- people

    def everybody(self) -> Iterator[tuple[Array, torch.Tensor]]:
        """All who teach, as they are, in batches: places and inputs."""
        side = batch_side(self.dataset, self.rows, self.original.preprocess)
        for part in row_batches(len(self.rows), side):
            places = np.arange(len(self.rows))[part]
            yield places, self._read(places)

    def with_level(self, places: Array, levels: Array) -> torch.Tensor:
        """People shown with their attribute set to `levels` (m,)."""
        inputs = read_inputs(self.original, self.dataset, self.rows[places], self.attribute, levels)
        return self.original.preprocess.apply(inputs, self.kind.name)

    @cached_property
    def _held(self) -> Array | None:
        """What everybody looks like, where all of it fits into memory."""
        if not isinstance(self._first, np.ndarray):
            return None
        if self._first.nbytes / len(self._first) * len(self.rows) > HELD_BYTES:
            return None
        held = np.empty((len(self.rows), *self._first.shape[1:]), self._first.dtype)
        side = batch_side(self.dataset, self.rows, self.original.preprocess)
        for part in row_batches(len(self.rows), side):
            self.progress(READING * part.start / len(self.rows))
            held[part] = read_inputs(self.original, self.dataset, self.rows[part])
        return held

    def read_once(self, places: Array) -> torch.Tensor:
        """People as they are, from their source."""
        inputs = read_inputs(self.original, self.dataset, self.rows[places])
        return self.original.preprocess.apply(inputs, self.kind.name)

    def _read(self, places: Array) -> torch.Tensor:
        """People as they are, from memory where they fit."""
        if self._held is None:
            return self.read_once(places)
        return self.original.preprocess.apply(self._held[places], self.kind.name)

    def _lit_anew(self, pictures: torch.Tensor) -> torch.Tensor:
        """Photographs turned, moved and lit as when a network learns on, so that no method has the advantage."""
        if not (self.kind.has_pictures and self.dataset.pair_method == "matched"):
            return pictures
        colours = 1 / float(np.mean(self.original.preprocess.colours[1]))
        return augmented(pictures, self._generator, flip=True, colour_range=colours)

    @cached_property
    def _generator(self) -> torch.Generator:
        import torch

        return torch.Generator().manual_seed(self.seed)


def why_not(classifier: Classifier) -> str:
    """Why no network like it can be trained anew, in a sentence; '' where one can."""
    if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
        return f"This classifier is open at '{classifier.depth}'; only one with a single last layer is trained anew."
    try:
        trainable(classifier.encoder)
        own = classifier.own_encoder is not None
        rigid = _rigid(classifier.as_module()) if own else ""
    except ModelError as problem:
        return str(problem)
    return (
        f"{classifier.title} has weights of its own ({rigid}) that do not say how they begin, so that it cannot be "
        "trained from the beginning here."
        if rigid
        else ""
    )


def _rigid(network: nn.Module) -> str:
    """The first weight whose layer cannot be set back to its beginning; '' where all can."""
    for name, layer in network.named_modules():
        owned = next(layer.named_parameters(recurse=False), None)
        if owned is not None and not hasattr(layer, "reset_parameters"):
            return f"{name}.{owned[0]}".lstrip(".")
    return ""


def _untrained(classifier: Classifier, width: int) -> nn.Module:
    if classifier.own_encoder is None:
        encoder = build_encoder(classifier.architecture, width)
        if classifier.recipe is not None and classifier.recipe.pretrained:
            load_published(classifier.architecture, encoder)
        return encoder
    encoder = classifier.as_module().requires_grad_(True)
    for layer in encoder.modules():
        reset = getattr(layer, "reset_parameters", None)
        if reset is not None:
            reset()
    return encoder

"""Make a classifier forget annotated attributes: train it on while something drives them out.

Settings 1 and 2 of *Don't Forget Too Much: Towards Machine Unlearning on Feature Level* (Xu et al.,
arXiv 2406.10951). Beating one's own adversary is not forgetting: whether an attribute is gone, only
probes say that are trained after the fact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, frozen_array, ignore_progress
from fmd_core.errors import DataError
from fmd_core.forget.finetuning import ForgettingStep, Reach, Round, TrainableCopy, ignore_forgetting
from fmd_core.forget.forgettable import check_forgettable, columns_to_forget
from fmd_core.forget.pressures import Ensemble, GradientReversal, Matching, Pressure, twin_gap
from fmd_core.method import Method, register
from fmd_core.models.classifier import Classifier
from fmd_core.models.deepening import deepened
from fmd_core.twins.pairs import CounterfactualPairs, pair_counterfactuals

if TYPE_CHECKING:
    import torch

    from fmd_core.models.feature_store import FeatureStore

ADVERSARY = Method(
    name="adversary",
    title="Train against an adversary that reads the attribute",
    short="Train against it",
    retrains=True,
    forgets=True,
)
register(ADVERSARY)
Variant = Literal["published", "ensemble", "conditional", "matching", "sparing", "twins"]
STRENGTHS: dict[Variant, float] = {
    "published": 1.0, "ensemble": 2.0, "conditional": 2.0, "matching": 1.0, "sparing": 3.0, "twins": 0.3
}  # fmt: skip
"""Weight of the forgetting loss against the task's, chosen on validation people of CelebA."""
EPOCHS: dict[Reach, int] = {"last hidden layer": 20, "whole network": 3}
BATCH: dict[Reach, int] = {"last hidden layer": 256, "whole network": 128}
LEARNING_RATE: dict[Reach, float] = {"last hidden layer": 1e-3, "whole network": 3e-4}


@dataclass(frozen=True)
class AdversarySettings:
    """How hard and how long. None stands for what suits the variant and the reach."""

    reach: Reach = "last hidden layer"
    strength: float | None = None
    """Weight of the forgetting loss against the task's, above 0."""
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.reach not in get_args(Reach):
            raise DataError(f"Unknown reach '{self.reach}'. Choose one of: {', '.join(get_args(Reach))}.")
        if self.strength is not None and not 0 < self.strength < np.inf:
            raise DataError(f"The strength must be a number above 0, got {self.strength:g}.")
        if self.epochs is not None and self.epochs < 1:
            raise DataError(f"Forgetting takes at least one epoch, got {self.epochs}.")


@dataclass(frozen=True, eq=False)
class ForgottenModel:
    """A classifier that was made to forget, and how it went."""

    classifier: Classifier
    attributes: tuple[str, ...]
    variant: Variant
    settings: AdversarySettings  # with every choice filled in
    rounds: tuple[Round, ...]  # losses by epoch
    seconds: float


def forget_by_adversary(
    classifier: Classifier,
    dataset: AttributeDataset,
    attributes: Sequence[str],
    *,
    variant: Variant = "matching",
    settings: AdversarySettings | None = None,
    seed: int = 0,
    store: FeatureStore | None = None,
    progress: Callable[[ForgettingStep], None] = ignore_forgetting,
    reading: Callable[[float], None] = ignore_progress,
) -> ForgottenModel:
    """Fine-tune a copy of `classifier` on the training split until `attributes` leave its features.

    'published' is min-max against one adversary. 'ensemble' has several, started anew in turn, and
    'conditional' tells them the class. 'matching' has none: within a class, features of one level should
    be distributed as the others'; 'sparing' does so with care for what nobody named. 'twins' asks for the
    same features from counterfactual twins. The head is refitted to convergence, as influence assumes.

    `reading` is told the share of samples that are read before training, `progress` every batch; both may
    raise to stop, and the original is as it was in any case. Raises DataError for attributes that cannot be
    forgotten (see `check_forgettable`), ModelError for a network without a hidden layer below the head
    where that is to be trained, SolverError where the loss is lost.
    """
    begun, chosen = time.perf_counter(), settings or AdversarySettings()
    if variant not in STRENGTHS:
        raise DataError(f"Unknown variant '{variant}'. Choose one of: {', '.join(STRENGTHS)}.")
    columns, train = columns_to_forget(dataset, attributes), dataset.rows("train")
    for column in columns:
        check_forgettable(column, column.codes[train], dataset.target.codes[train], dataset.target.name)
    names = tuple(column.name for column in columns)
    reach = chosen.reach
    strength = STRENGTHS[variant] if chosen.strength is None else chosen.strength
    epochs = EPOCHS[reach] if chosen.epochs is None else chosen.epochs
    copy = TrainableCopy(classifier, dataset, reach=reach, seed=seed, store=store, progress=reading)
    read, losses = _game(copy, names, variant, store)
    rounds = copy.run(
        read, losses, epochs=epochs, batch=BATCH[reach], learning_rate=LEARNING_RATE[reach],
        weight=strength, progress=progress,
    )  # fmt: skip
    found = copy.frozen(f"{classifier.name or classifier.architecture}, without {' and '.join(names)}")
    filled = AdversarySettings(reach, strength, epochs)
    return ForgottenModel(found, names, variant, filled, rounds, time.perf_counter() - begun)


def _game(
    copy: TrainableCopy, attributes: Sequence[str], variant: Variant, store: FeatureStore | None
) -> tuple[Callable[[Array], Any], Callable[[Array, Any], tuple[torch.Tensor, torch.Tensor]]]:
    """What a batch reads, and the task's and the forgetting's loss of that."""
    if variant == "twins":
        twins = _TwinGame(copy, attributes, store)
        return twins.read, twins.losses
    game = _Game(copy, attributes, variant)
    return game.read, game.losses


class _Game:
    """The task against a pressure on the same batch."""

    def __init__(self, copy: TrainableCopy, attributes: Sequence[str], variant: Variant) -> None:
        import torch

        columns = [copy.dataset.attribute(name) for name in attributes]
        self.copy, self.levels = copy, [len(column.levels) for column in columns]
        self.codes = torch.tensor(np.column_stack([column.codes[copy.rows] for column in columns]))
        self.read = copy.read
        self.pressure = self._pressure(variant)

    def _pressure(self, variant: Variant) -> Pressure:
        width, n_classes = self.copy.top.in_features, self.copy.top.out_features
        if variant == "published":
            return GradientReversal(width, self.levels)
        if variant in ("matching", "sparing"):
            return Matching(self.levels, sparing=variant == "sparing")
        if variant == "conditional":
            return Ensemble(width, self.levels, self._priors(self.copy.labels, n_classes), n_classes)
        return Ensemble(width, self.levels, self._priors(self.copy.labels * 0, 1))

    def _priors(self, of: torch.Tensor, n: int) -> list[torch.Tensor]:
        """For each attribute how frequent its levels are in each of `n` groups, (n, levels)."""
        import torch

        priors = []
        for j, n_levels in enumerate(self.levels):
            counts = torch.zeros(n, n_levels)
            counts.index_put_((of, self.codes[:, j]), torch.ones(len(of)), accumulate=True)
            priors.append(counts / counts.sum(dim=1, keepdim=True).clamp_min(1))
        return priors

    def losses(self, positions: Array, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        features, labels = self.copy.encoder(inputs), self.copy.labels[positions]
        task = torch.nn.functional.cross_entropy(self.copy.top(features), labels)
        return task, self.pressure(features, labels, self.codes[positions])


class _TwinGame:
    """The task against the gap between twins, one by each attribute."""

    def __init__(self, copy: TrainableCopy, attributes: Sequence[str], store: FeatureStore | None) -> None:
        self.copy = copy
        seen_by, train = copy.original, None
        if copy.below is not None:
            seen_by = deepened(copy.original, "two layers")
            train = FeatureSet(copy.below, copy.dataset.target.codes[copy.rows], copy.rows)
        self.pairs = [
            pair_counterfactuals(
                copy.dataset, seen_by, split="train", attribute=name, features=train, store=store
            )
            for name in attributes
        ]
        self.places = [_places(copy.rows, pairs) for pairs in self.pairs]

    def read(self, positions: Array) -> list[tuple[Array, torch.Tensor]]:
        """For each attribute: which of `positions` have a twin (m,) bool, and the twins' inputs; before
        them everybody's own inputs."""
        found = [(np.ones(len(positions), bool), self.copy.read(positions))]
        for pairs, places in zip(self.pairs, self.places, strict=True):
            paired = places[positions]
            found.append((paired >= 0, self._twins(pairs, paired[paired >= 0])))
        return found

    def _twins(self, pairs: CounterfactualPairs, chosen: Array) -> torch.Tensor:
        import torch

        if self.copy.below is not None:
            return torch.from_numpy(np.array(pairs.counterparts.features[chosen]))
        rows, source = pairs.counterparts.rows[chosen], self.copy.dataset.source
        if pairs.method == "matched":
            shown = source.read(rows)
        else:
            shown = source.counterfactual(rows, pairs.attribute, pairs.counterpart_codes[chosen])
        return self.copy.original.preprocess.apply(shown, self.copy.original.kind)

    def losses(
        self, positions: Array, inputs: list[tuple[Array, torch.Tensor]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        (_, own), *twins = inputs
        features = self.copy.encoder(own)
        task = torch.nn.functional.cross_entropy(self.copy.top(features), self.copy.labels[positions])
        gaps = [
            twin_gap(features[torch.from_numpy(paired)], self.copy.encoder(others))
            for paired, others in twins
            if paired.sum() > 1
        ]
        return task, torch.stack(gaps).sum() if gaps else features.new_zeros(())


def _places(rows: Array, pairs: CounterfactualPairs) -> Array:
    """Position in `pairs` of each row's pair, (n,); -1 for people without a twin."""
    places = np.full(int(rows.max()) + 1, -1)
    places[pairs.rows] = np.arange(len(pairs))
    return frozen_array(places[rows])

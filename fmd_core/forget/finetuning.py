"""Train a copy of a classifier a little further from where it stands, and freeze it again.

The original is never touched: its weights are copied, and what comes out is another `Classifier`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, frozen_array, ignore_progress
from fmd_core.errors import ModelError, SolverError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.classifier import Classifier
from fmd_core.models.deepening import deepened
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.encoder import trainable
from fmd_core.models.encoding import check_fit, encode_rows
from fmd_core.models.kept_pictures import KeptPictures
from fmd_core.models.training import refit_head, with_feature_scale

if TYPE_CHECKING:
    import torch

    from fmd_core.models.feature_store import FeatureStore

Reach = Literal["last hidden layer", "whole network"]
"""Which weights below the head are trained: those of the encoder's last linear layer, on what it reads
(computed once, so that a pass takes half a second), or all of them, from the samples."""
WARM_UP = 0.2  # share of the steps over which forgetting grows to its full weight
LEAST_STEPS = 20  # of an epoch; few samples come in smaller batches
SMALLEST_BATCH = 32
RECENT = 50  # steps that a loss on screen is the mean of
Inputs = TypeVar("Inputs")


@dataclass(frozen=True)
class ForgettingStep:
    """How far a fine-tuning has come. Losses are means over the latest batches."""

    share: float  # of all steps, 0 to 1
    epoch: int  # finished epochs
    epochs: int
    task_loss: float  # cross-entropy of the target, nats
    forgetting_loss: float
    """What drives the attribute out, not weighted; see `fmd_core.forget.pressures`."""
    seconds_left: float


@dataclass(frozen=True)
class Round:
    """Mean losses over one epoch."""

    task_loss: float
    forgetting_loss: float


def ignore_forgetting(step: ForgettingStep) -> None:
    """Progress callback of a caller who does not want to know."""


class TrainableCopy:
    """A classifier's encoder and head as torch modules of their own."""

    def __init__(
        self,
        classifier: Classifier,
        dataset: AttributeDataset,
        *,
        reach: Reach,
        seed: int,
        store: FeatureStore | None = None,
        progress: Callable[[float], None] = ignore_progress,
    ) -> None:
        import torch

        check_fit(classifier, dataset)
        if classifier.depth != LAST_LAYER or not isinstance(classifier.head, LinearHead):
            raise ModelError(
                f"This classifier is open at '{classifier.depth}'; change the original with one last layer."
            )
        torch.manual_seed(seed)
        self.original, self.dataset, self.rng = classifier, dataset, np.random.default_rng(seed)
        self.rows = dataset.rows("train")
        self.kept = KeptPictures(dataset.source.read, self.rows)
        self.labels = torch.tensor(dataset.target.codes[self.rows])
        self.below: Array | None = None  # (n, h) what the last hidden layer reads
        self.prefix = ""
        self.encoder = classifier.as_module()
        if reach == "last hidden layer":
            deep, name = deepened(classifier, "two layers"), trainable(classifier.encoder).hidden_name()
            self.below = encode_rows(deep, dataset, self.rows, store=store, progress=progress)
            self.encoder = torch.nn.Sequential(self.encoder.get_submodule(name), torch.nn.ReLU())
            self.prefix = f"{name}."
        self.encoder.requires_grad_(True)
        scaled = classifier.head.rescaled(1 / classifier.feature_scale)
        self.top = torch.nn.Linear(scaled.n_features, scaled.n_classes)
        self.top.load_state_dict({name: torch.tensor(array) for name, array in scaled.arrays.items()})

    def read(self, positions: Array) -> torch.Tensor:
        """What the encoder reads of training samples at `positions`."""
        import torch

        if self.below is not None:
            return torch.from_numpy(self.below[positions])
        inputs = self.kept(self.rows[positions])
        return self.original.preprocess.apply(inputs, self.original.kind)

    def run(
        self,
        read: Callable[[Array], Inputs],
        losses: Callable[[Array, Inputs], tuple[torch.Tensor, torch.Tensor]],
        *,
        epochs: int,
        batch: int,
        learning_rate: float,
        weight: float,
        progress: Callable[[ForgettingStep], None] = ignore_forgetting,
    ) -> tuple[Round, ...]:
        """Minimise task loss + `weight` times forgetting loss, which `losses` gives for positions and
        what `read` made of them. `progress` is told after every batch and may raise to stop."""
        import torch

        weights = [*self.encoder.parameters(), *self.top.parameters()]
        optimiser = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=1e-4)
        size = min(batch, max(SMALLEST_BATCH, len(self.rows) // LEAST_STEPS))
        steps = max(1, len(self.rows) // size)
        begun, total, seen = time.monotonic(), epochs * steps, list[tuple[float, float]]()
        self.encoder.train()
        for epoch in range(epochs):
            with closing(self._batches(read, steps)) as batches:  # a stop ends the reader's thread as well
                for positions, inputs in batches:
                    task, forgetting = losses(positions, inputs)
                    loss = task + weight * min(1.0, (len(seen) + 1) / (WARM_UP * total)) * forgetting
                    if not torch.isfinite(loss):
                        raise SolverError(
                            "Forgetting went astray (the loss is not a number); lower the strength."
                        )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    seen.append((float(task.detach()), float(forgetting.detach())))
                    of_task, of_forgetting = np.mean(seen[-RECENT:], axis=0).tolist()
                    left = (time.monotonic() - begun) * (total - len(seen)) / len(seen)
                    share = len(seen) / total
                    progress(ForgettingStep(share, epoch, epochs, of_task, of_forgetting, left))
        means = np.array(seen).reshape(epochs, steps, 2).mean(axis=1)
        return tuple(Round(float(task), float(forgetting)) for task, forgetting in means)

    def _batches(
        self, read: Callable[[Array], Inputs], steps: int
    ) -> Generator[tuple[Array, Inputs], None, None]:
        """Shuffled positions and their inputs, the next ones read while the last are learned from."""
        parts = np.array_split(self.rng.permutation(len(self.rows)), steps)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(read, parts[0])
            for place, part in enumerate(parts):
                inputs = coming.result()
                if place + 1 < len(parts):
                    coming = reader.submit(read, parts[place + 1])
                yield part, inputs

    def frozen(self, name: str) -> Classifier:
        """What was learned as a classifier: features scaled to a mean square of 1, head fitted to convergence."""
        self.encoder.eval()
        layers = self.encoder.get_submodule("0") if self.prefix else self.encoder
        learned = {f"{self.prefix}{key}": frozen_array(t.numpy()) for key, t in layers.state_dict().items()}
        head = LinearHead(self.top.weight.detach().numpy(), self.top.bias.detach().numpy())
        raw = replace(self.original.with_weights(learned), head=head, feature_scale=1.0, name=name)
        features = self._features(raw)
        square = float(np.square(features, dtype="float64").mean())
        if not 0 < square < np.inf:
            raise SolverError(
                f"Nothing is left of the features (their mean square is {square:g}); lower the strength."
            )
        scale = square**-0.5
        labels = self.dataset.target.codes[self.rows]
        train = FeatureSet(features * np.float32(scale), labels, self.rows)
        return refit_head(with_feature_scale(raw, scale), self.dataset, train)

    def _features(self, raw: Classifier) -> Array:
        import torch

        if self.below is None:
            return encode_rows(raw, self.dataset, self.rows)
        with torch.inference_mode():
            return np.asarray(self.encoder(torch.from_numpy(np.array(self.below))).numpy())

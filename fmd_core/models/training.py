"""Train a classifier of the registry here: encoder and head together by Adam, in batches that
are read as they are needed and kept as far as they fit, then the head alone to convergence."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, frozen_array
from fmd_core.errors import ModelError
from fmd_core.figures import percent
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES, build_encoder, find_architecture, load_published
from fmd_core.models.classifier import Classifier, TrainingRecipe
from fmd_core.models.encoding import Read, batch_side, encode_rows, extract_features, row_batches
from fmd_core.models.kept_pictures import KeptPictures
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.reading_ahead import read_ahead
from fmd_core.showing import one_line

PUBLISHED_SIDE = 200  # networks made for larger images are torchvision's, which expect ImageNet's colours
LARGE_SIDE = 96  # pixels; beyond, batches shrink with the area: a stop takes effect between two
SCALE_ROWS = 2048  # samples that the size of the features is measured on
SCALE_PIXELS = SCALE_ROWS * 64 * 64  # fewer where pictures are large: a mean over a hundred is exact enough


TIMED_BATCHES, TIMED_SECONDS = 4, 4.0  # what `time_training` learns from, at most


@dataclass(frozen=True)
class TrainingStep:
    """How far a training has come."""

    share: float  # of the whole work, 0 to 1
    epoch: int  # finished epochs
    epochs: int
    loss: float  # mean over the last batches
    accuracy: float | None  # on the validation split, after the first epoch
    seconds_left: float

    def __repr__(self) -> str:
        right = "" if self.accuracy is None else f"accuracy {percent(self.accuracy)}"
        left = f"{self.seconds_left:.0f} s left"
        return one_line(self, f"epoch {self.epoch} of {self.epochs}", f"loss {self.loss:.4g}", right, left)


def ignore_step(step: TrainingStep) -> None:
    """Progress callback of a caller who does not want to know."""


def suggested_architecture(dataset: AttributeDataset) -> str:
    """A network that trains in minutes on this data."""
    kind = find_kind(dataset.source.kind)
    readers = [name for name, found in ARCHITECTURES.items() if found.kind == kind.name]
    if not readers:
        raise ModelError(f"No network here reads {kind.plural}; bring a model that does.")
    return kind.suggested_architecture(dataset.source.read(dataset.rows("train")[:1])) or readers[0]


def suggested_epochs(dataset: AttributeDataset) -> int:
    """Passes over the training split that take minutes at most."""
    return find_kind(dataset.source.kind).epochs(len(dataset.rows("train")))


def suggested_preprocess(architecture: str) -> Preprocess:
    """What a network of this kind is made to see: torchvision's large ones in its size and colours,
    ours the images as they come."""
    size = find_architecture(architecture).size
    return Preprocess("imagenet", size) if size > PUBLISHED_SIDE else Preprocess()


def train_classifier(
    dataset: AttributeDataset,
    *,
    architecture: str = "small_cnn",
    epochs: int | None = None,
    damping: float = 1e-3,
    seed: int = 0,
    preprocess: Preprocess | None = None,
    pretrained: bool = False,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> Classifier:
    """Train on the training split, from the weights that torchvision publishes if `pretrained`;
    `progress` is told after every batch and may raise to stop. `epochs` and `preprocess` are, if
    None, what `suggested_epochs` and `suggested_preprocess` say.

    The head is at last refitted to convergence with weight decay `damping`, as influence scores
    assume, on features scaled to a mean square of 1.
    """
    reads, holds = (find_kind(k) for k in (find_architecture(architecture).kind, dataset.source.kind))
    if reads is not holds:
        raise ModelError(
            f"'{architecture}' reads {reads.plural}, but '{dataset.name}' holds {holds.plural}; choose another."
        )
    preprocess = preprocess or suggested_preprocess(architecture)
    run = _Run(dataset, architecture, preprocess, seed, epochs or suggested_epochs(dataset))
    if pretrained:
        load_published(architecture, run.encoder)
    run.train(progress)
    classifier = run.finish(damping)
    learned = extract_features(classifier, dataset, split="train", read=run.read)
    recipe = TrainingRecipe(run.epochs, seed, pretrained=pretrained)
    return replace(refit_head(classifier, dataset, learned), recipe=recipe)


def trained_again(
    classifier: Classifier, dataset: AttributeDataset, progress: Callable[[TrainingStep], None] = ignore_step
) -> Classifier:
    """A model trained as `classifier` was, on another training split. Raises ModelError where nobody knows how."""
    recipe = classifier.recipe
    if recipe is None:
        raise ModelError("How this model was trained is not known, so that no other can be trained like it.")
    return train_classifier(
        dataset, architecture=classifier.architecture, epochs=recipe.epochs, damping=classifier.damping,
        seed=recipe.seed, preprocess=classifier.preprocess, pretrained=recipe.pretrained, progress=progress,
    )  # fmt: skip


def time_training(dataset: AttributeDataset, architecture: str) -> tuple[int, float]:
    """How fast a network would learn from these samples on this machine now: samples, and the seconds they took.

    A throw-away network learns from a few batches; the first one is not counted, since libraries and files are opened
    for it. The random numbers of torch stand afterwards where they stood.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        run = _Run(dataset, architecture, suggested_preprocess(architecture), 0, 1)
        run.encoder.train()
        seen, begun = 0, 0.0
        with closing(run.batches()) as batches:
            for position, (inputs, labels) in enumerate(batches):
                run.step(inputs, labels)
                if position == 0:
                    begun = time.monotonic()
                    continue
                seen += len(labels)
                if position >= TIMED_BATCHES or time.monotonic() - begun > TIMED_SECONDS:
                    break
    return seen, time.monotonic() - begun


class _Run:
    """One training: the network, its optimiser and how it is doing."""

    def __init__(
        self, dataset: AttributeDataset, architecture: str, preprocess: Preprocess, seed: int, epochs: int
    ) -> None:
        import torch

        torch.manual_seed(seed)
        self.dataset, self.architecture, self.preprocess = dataset, architecture, preprocess
        self.rows, self.rng, self.epochs = dataset.rows("train"), np.random.default_rng(seed), epochs
        self.read = KeptPictures(dataset.source.read, np.concatenate([self.rows, dataset.rows("validation")]))
        self.kind, first = find_kind(dataset.source.kind), self.read(self.rows[:2])
        self.encoder = build_encoder(architecture, self.kind.width(first))
        with torch.no_grad():
            width = self.encoder.eval()(preprocess.apply(first, self.kind.name)).shape[1]
        self.top = torch.nn.Linear(width, len(dataset.target.levels))
        most, side = self.kind.training_batch, self.kind.side(first, preprocess)
        self.batch = max(8, min(most, most * LARGE_SIDE**2 // side**2))
        weights = [*self.encoder.parameters(), *self.top.parameters()]
        self.optimiser = torch.optim.Adam(weights, lr=1e-3, weight_decay=1e-4)
        self.steps_per_epoch = max(1, len(self.rows) // self.batch)

    def train(self, progress: Callable[[TrainingStep], None]) -> None:
        """All epochs."""
        begun, total, accuracy = time.monotonic(), self.epochs * self.steps_per_epoch, None
        losses: list[float] = []
        for epoch in range(self.epochs):
            self.encoder.train()
            with closing(self.batches()) as batches:  # a stop ends the reader's thread as well
                for position, (inputs, labels) in enumerate(batches, start=1):
                    losses = [*losses[-49:], self.step(inputs, labels)]
                    done = epoch * self.steps_per_epoch + position
                    left = (time.monotonic() - begun) * (total - done) / done
                    loss = float(np.mean(losses))
                    progress(TrainingStep(done / total, epoch, self.epochs, loss, accuracy, left))
            accuracy = self._accuracy()

    def batches(self) -> Generator[tuple[Array, Array], None, None]:
        """Shuffled training batches, the next one read while the last one is learned from."""
        parts = np.array_split(self.rng.permutation(self.rows), self.steps_per_epoch)
        with closing(read_ahead(self.read, parts)) as batches:
            for part, inputs in zip(parts, batches, strict=True):
                yield inputs, self.dataset.target.codes[part]

    def step(self, inputs: Array, labels: Array) -> float:
        import torch

        answer = self.top(self.encoder(self.preprocess.apply(inputs, self.kind.name)))
        loss = torch.nn.functional.cross_entropy(answer, torch.from_numpy(labels.copy()))
        if not torch.isfinite(loss):
            raise ModelError("Training went astray (the loss is not a number); choose another architecture.")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _accuracy(self) -> float:
        """Share right on the validation split."""
        rows = self.dataset.rows("validation")
        side = batch_side(self.dataset, rows, self.preprocess)
        answers = [self._answer(rows[part]) for part in row_batches(len(rows), side)]
        return float((np.concatenate(answers) == self.dataset.target.codes[rows]).mean())

    def _answer(self, rows: Array) -> Array:
        import torch

        self.encoder.eval()
        with torch.inference_mode():
            inputs = self.preprocess.apply(self.read(rows), self.kind.name)
            answers = self.top(self.encoder(inputs))
        return cast(Array, answers.argmax(dim=1).numpy())

    def finish(self, damping: float) -> Classifier:
        """Freeze what was learned, features scaled to a mean square of 1."""
        self.encoder.eval().requires_grad_(False)
        state = {name: frozen_array(t.detach().numpy()) for name, t in self.encoder.state_dict().items()}
        weight, bias = (t.detach().numpy() for t in (self.top.weight, self.top.bias))
        raw = Classifier(
            self.architecture, state, LinearHead(weight, bias), damping, self.preprocess,
            trained_on=self.dataset.fingerprint,
        )  # fmt: skip
        return with_feature_scale(raw, feature_scale(raw, self.dataset, self.read))


def feature_scale(classifier: Classifier, dataset: AttributeDataset, read: Read | None = None) -> float:
    """The factor that gives the features of training samples a mean square of 1; `read` as for `encode_rows`."""
    rows = dataset.rows("train")
    side = batch_side(dataset, rows, classifier.preprocess)
    rows = rows[: min(SCALE_ROWS, SCALE_PIXELS // max(side, 1) ** 2)]
    features = encode_rows(classifier, dataset, rows, read=read)
    square = np.square(features, dtype="float64").mean()
    if not 0 < square < np.inf:
        raise ModelError(
            f"The network's features have a mean square of {square:g}, so that no head can learn from them; "
            "choose another network or other weights."
        )
    return float(1 / np.sqrt(square))


def with_feature_scale(classifier: Classifier, scale: float) -> Classifier:
    """The same answers from features that come out `scale` times as large as the encoder makes them."""
    head = classifier.head.rescaled(scale / classifier.feature_scale)
    return replace(classifier, head=head, feature_scale=scale)


def refit_head(
    classifier: Classifier, dataset: AttributeDataset, train: FeatureSet | None = None
) -> Classifier:
    """The same encoder under a head fitted to convergence on the training split."""
    found = train or extract_features(classifier, dataset, split="train")
    weights = np.full(len(found), 1 / len(found))
    problem = ConvexProblem(found.features, found.labels, weights, classifier.damping)
    return classifier.with_head(fit_head(classifier.head, problem))

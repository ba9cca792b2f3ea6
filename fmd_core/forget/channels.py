"""Patterns that a network's channels respond to, found without annotation, and forgotten.

Setting 3 of *Don't Forget Too Much: Towards Machine Unlearning on Feature Level* (Xu et al.,
arXiv 2406.10951), which finds patterns as interpretable compositional networks do (Shen et al., IJCAI
2021): channels of one convolution that are active at the same places of the same images belong together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, frozen_array, ignore_progress
from fmd_core.errors import DataError, ModelError, SolverError
from fmd_core.forget.finetuning import ForgettingStep, Round, TrainableCopy, ignore_forgetting
from fmd_core.method import Method, register
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import batch_side, check_fit, row_batches

if TYPE_CHECKING:
    import torch
    from torch import nn

PATTERN = Method(
    name="pattern",
    title="Forget a pattern that channels respond to",
    short="Forget a pattern",
    retrains=True,
    forgets=True,
)
register(PATTERN)
SAMPLE_IMAGES = 400  # of the training split, that channels are compared on
FINE_SIDE = 8  # maps of this side and more show where a pattern is
MOST_GROUPS = 12
BRIDGE = 1e-3  # likeness of channels that have none, so that no group is cut off from the others
DEAD = 1e-6  # standard deviation of a channel's map, as a share of the most lively one's
MASKED_SHARE = 0.15  # of the sample's pixels: where the pattern is strongest
CONSISTENCY = 1.0
EPOCHS, BATCH, LEARNING_RATE = 3, 128, 3e-4


@dataclass(frozen=True, eq=False)
class ChannelGroups:
    """Channels of one convolution, grouped by what they respond to."""

    layer: str
    groups: Array
    """(c,) group of each channel, -1 for channels that never change."""
    similarity: Array
    """(a, a) Pearson correlation of the a live channels over all places of all sample images."""
    eigenvalues: Array
    """(a,) of the normalised Laplacian of the similarity, ascending, 0 to 2; a gap after the k-th
    speaks for k groups."""
    scales: Array
    """(c,) what a channel's response is divided by: its root mean square over the sample."""
    levels: Array
    """(g,) heat above which a group's pattern counts as present: exceeded at 15 % of the sample's places."""

    @property
    def n_groups(self) -> int:
        return len(self.levels)

    def members(self, group: int) -> Array:
        """Channels of a group. Raises DataError where there is no such group."""
        if not 0 <= group < self.n_groups:
            raise DataError(f"There is no group {group}; choose one from 0 to {self.n_groups - 1}.")
        return np.flatnonzero(self.groups == group)


@dataclass(frozen=True, eq=False)
class ForgottenPattern:
    """A classifier that was trained on without a pattern, and how it went."""

    classifier: Classifier
    group: int
    coverage: float
    """Mean share of an image's pixels that the mask covers on the training split, 0 to 1."""
    rounds: tuple[Round, ...]
    seconds: float


def convolution_layers(classifier: Classifier, dataset: AttributeDataset) -> dict[str, tuple[int, int]]:
    """Height and width of the map of each convolution, by its name, in the order of their use.

    Raises ModelError for a model that has none, or that cuts its image up for attention.
    """
    import torch

    check_fit(classifier, dataset)
    layers = list(classifier.as_module().modules())
    convolutional = any(isinstance(layer, torch.nn.Conv2d) for layer in layers)
    if not convolutional or any(isinstance(layer, torch.nn.MultiheadAttention) for layer in layers):
        raise ModelError(
            "Patterns of channels need a network with convolutions, and this one has none that look at the "
            "whole picture; choose another model, or forget an attribute by its annotation."
        )
    image = np.array(dataset.source.read(dataset.rows("train")[:1]))
    return {name: (found.shape[2], found.shape[3]) for name, found in _maps(classifier, image).items()}


def channel_groups(
    classifier: Classifier,
    dataset: AttributeDataset,
    *,
    layer: str = "",
    n_groups: int | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> ChannelGroups:
    """Group the channels of one convolution by spectral clustering of their correlations.

    `layer` defaults to the last one whose map still shows places (8 a side; else the finest), `n_groups` to
    the largest gap between eigenvalues, 2 to 12. Correlations below 0 count as none. Raises DataError for an
    unknown layer or number, SolverError where fewer than three channels respond to anything.
    """
    layers = convolution_layers(classifier, dataset)
    chosen = layer or _default_layer(layers)
    if chosen not in layers:
        raise DataError(f"Unknown layer '{chosen}'. This network's convolutions: {', '.join(layers)}.")
    rows = np.random.default_rng(seed).permutation(dataset.rows("train"))[:SAMPLE_IMAGES]
    responses = _responses(classifier, dataset, chosen, np.sort(rows), progress)
    alive = _live(responses, chosen)
    similarity = np.corrcoef(responses[alive])
    eigenvalues, of_live = _clustered(similarity, n_groups, seed)
    groups = np.full(len(responses), -1)
    groups[alive] = of_live
    scales = np.sqrt(np.square(responses).mean(axis=1))
    scales[scales == 0] = 1.0
    members = [groups == group for group in range(of_live.max() + 1)]
    heats = [(one / scales) @ responses / one.sum() for one in members]
    levels = np.quantile(heats, 1 - MASKED_SHARE, axis=1)
    return ChannelGroups(chosen, *map(frozen_array, (groups, similarity, eigenvalues, scales, levels)))


def heat_maps(
    classifier: Classifier, dataset: AttributeDataset, groups: ChannelGroups, group: int, rows: Array
) -> Array:
    """Where each image of `rows` shows a group's pattern, (m, height, width) of the images as they are
    stored: 1 and more is where the mask lies, 0 where the channels are silent."""
    groups.members(group)
    parts = []
    for part in row_batches(len(rows), batch_side(dataset, rows, classifier.preprocess)):
        images = np.array(dataset.source.read(rows[part]))
        parts.append(_heat(classifier, groups, group, images))
    return frozen_array(np.concatenate(parts))


def without_pattern(images: Array, heat: Array, others: Array) -> Array:
    """Images (m, h, w, 3) whose places with a heat (m, h, w) of 1 and more show what `others` show there.

    Other images, not a flat colour: a hole would show the pattern's place and form.
    """
    return np.where((heat >= 1)[..., None], others, images)


def pattern_reliance(
    classifier: Classifier, dataset: AttributeDataset, groups: ChannelGroups, group: int, rows: Array,
    *, found_by: Classifier | None = None, seed: int = 0,
) -> Array:  # fmt: skip
    """How much each answer hangs on a pattern, (m,): |P(true class) with it - without it|, 0 to 1.

    The pattern is found by the channels of `found_by` (of `classifier`, unless given): a model that was
    changed is judged on the mask of the original.
    """
    rng, finder, parts = np.random.default_rng(seed), found_by or classifier, []
    for part in row_batches(len(rows), batch_side(dataset, rows, classifier.preprocess)):
        images = np.array(dataset.source.read(rows[part]))
        heat = _heat(finder, groups, group, images)
        filtered = without_pattern(images, heat, images[rng.permutation(len(images))])
        own = np.arange(len(images)), dataset.target.codes[rows[part]]
        first, second = (
            classifier.head.probabilities(classifier.encode([shown]))[own] for shown in (images, filtered)
        )
        parts.append(np.abs(first - second))
    return frozen_array(np.concatenate(parts))


def forget_pattern(
    classifier: Classifier,
    dataset: AttributeDataset,
    groups: ChannelGroups,
    group: int,
    *,
    epochs: int = EPOCHS,
    strength: float = CONSISTENCY,
    seed: int = 0,
    progress: Callable[[ForgettingStep], None] = ignore_forgetting,
) -> ForgottenPattern:
    """Fine-tune a copy on images without the pattern, until the answers no longer hang on it.

    Task loss on images with and without it; the forgetting loss is the mean squared difference between
    the two answers' log probabilities. Masks are those of the original. `progress` may raise to stop; the
    original is as it was. A mask that covers the object itself costs accuracy: look at `coverage`.
    """
    begun = time.perf_counter()
    groups.members(group)
    if epochs < 1 or not 0 < strength < np.inf:
        raise DataError(
            f"Forgetting takes at least one epoch and a strength above 0, got {epochs} and {strength:g}."
        )
    copy = TrainableCopy(classifier, dataset, reach="whole network", seed=seed)
    filtered = _Filtered(copy, groups, group, seed)
    rounds = copy.run(
        filtered.read, filtered.losses, epochs=epochs, batch=BATCH, learning_rate=LEARNING_RATE,
        weight=strength, progress=progress,
    )  # fmt: skip
    found = copy.frozen(f"{classifier.name or classifier.architecture}, without pattern {group + 1}")
    coverage = float(np.mean(filtered.covered))
    return ForgottenPattern(found, group, coverage, rounds, time.perf_counter() - begun)


class _Filtered:
    """Batches of images with and without a pattern."""

    def __init__(self, copy: TrainableCopy, groups: ChannelGroups, group: int, seed: int) -> None:
        self.copy, self.groups, self.group = copy, groups, group
        self.rng = np.random.default_rng(seed + 1)
        self.covered: list[float] = []

    def read(self, positions: Array) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.copy.original
        images = np.array(self.copy.dataset.source.read(self.copy.rows[positions]))
        heat = _heat(model, self.groups, self.group, images)
        others = images[self.rng.permutation(len(images))]
        self.covered.append(float((heat >= 1).mean()))
        return model.preprocess.apply(images), model.preprocess.apply(without_pattern(images, heat, others))

    def losses(
        self, positions: Array, inputs: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        labels = self.copy.labels[positions]
        answers = self.copy.top(self.copy.encoder(torch.cat(inputs))).log_softmax(dim=1)
        task = torch.nn.functional.nll_loss(answers, labels.repeat(2))
        whole, filtered = answers.chunk(2)
        return task, (whole - filtered).square().mean()


def _default_layer(layers: dict[str, tuple[int, int]]) -> str:
    fine = [name for name, (height, width) in layers.items() if min(height, width) >= FINE_SIDE]
    return fine[-1] if fine else max(layers, key=lambda name: min(layers[name]))


def _clustered(similarity: Array, n_groups: int | None, seed: int) -> tuple[Array, Array]:
    """Eigenvalues of the normalised Laplacian, ascending, and the group of each channel."""
    from scipy.sparse.csgraph import laplacian
    from sklearn.cluster import SpectralClustering

    affinity = np.clip(similarity, 0, 1) + BRIDGE
    eigenvalues = np.linalg.eigvalsh(laplacian(affinity, normed=True))
    most = min(MOST_GROUPS, len(similarity) - 1)
    number = int(np.diff(eigenvalues)[1:most].argmax()) + 2 if n_groups is None else n_groups
    if not 2 <= number <= most:
        raise DataError(f"These channels fall into 2 to {most} groups, got {number}.")
    found = SpectralClustering(number, affinity="precomputed", random_state=seed).fit_predict(affinity)
    return eigenvalues, np.unique(found, return_inverse=True)[1]


def _responses(
    classifier: Classifier,
    dataset: AttributeDataset,
    layer: str,
    rows: Array,
    progress: Callable[[float], None],
) -> Array:
    """What each channel of a layer shows at every place of every image of `rows`, (c, places) float64."""
    parts = []
    for part in row_batches(len(rows), batch_side(dataset, rows, classifier.preprocess)):
        images = np.array(dataset.source.read(rows[part]))
        maps = _maps(classifier, images)[layer].numpy()
        parts.append(maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1))
        progress(part.stop / len(rows))
    return np.concatenate(parts, axis=1).astype("float64")


def _live(responses: Array, layer: str) -> Array:
    """The channels that ever change."""
    spread = responses.std(axis=1)
    alive = np.flatnonzero(spread > DEAD * spread.max())
    if len(alive) < 3:
        raise SolverError(
            f"Only {len(alive)} channels of layer '{layer}' respond to anything; choose another."
        )
    return alive


def _heat(classifier: Classifier, groups: ChannelGroups, group: int, images: Array) -> Array:
    """Mean response of a group's channels in units of its level, enlarged to the images, (m, h, w)."""
    import torch

    members = groups.members(group)
    maps = _maps(classifier, images)[groups.layer][:, members]
    scales = torch.from_numpy(groups.scales[members].astype("float32")).view(1, -1, 1, 1)
    heat = (maps / scales).mean(dim=1, keepdim=True) / max(float(groups.levels[group]), 1e-6)
    size = (images.shape[1], images.shape[2])
    return torch.nn.functional.interpolate(heat, size, mode="bilinear", align_corners=False)[:, 0].numpy()


def _maps(classifier: Classifier, images: Array) -> dict[str, torch.Tensor]:
    """What each convolution shows, (m, c, h, w), with the normalisation and activation that follow it."""
    import torch

    found: dict[str, torch.Tensor] = {}

    def note(name: str, layer: nn.Module, output: torch.Tensor) -> None:
        latest = next(reversed(found), "")
        if isinstance(layer, torch.nn.Conv2d):
            found[name] = output
        elif latest and output.shape == found[latest].shape:
            found[latest] = output

    encoder = classifier.as_module()  # a copy: what others send through the original is not heard
    for name, layer in encoder.named_modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda layer, _, output, name=name: note(name, layer, output))
    with torch.inference_mode():
        encoder(classifier.preprocess.apply(images))
    return found

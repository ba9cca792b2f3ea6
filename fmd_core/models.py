"""Classifiers: a frozen encoder below, the head above. The only module that uses torch.

torch is imported when an encoder is first needed, not when this module is: it takes seconds,
and a page should be painted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save, save_file

from fmd_core.data import (
    Array,
    AttributeDataset,
    FeatureSet,
    Split,
    content_fingerprint,
    frozen_array,
    ignore_progress,
)
from fmd_core.errors import ModelError
from fmd_core.fitting import ConvexProblem, fit_head
from fmd_core.heads import LinearHead

if TYPE_CHECKING:
    import torch

BATCH_ROWS = 512
FORMAT = "fmd-classifier-1"


@dataclass(frozen=True, eq=False)
class Classifier:
    """An image classifier opened for review."""

    architecture: str
    encoder_state: dict[str, Array]
    head: LinearHead
    damping: float
    """Weight decay that the head was fitted with: the damping at which influence is an exact slope."""

    @cached_property
    def fingerprint(self) -> str:
        parts = [part for name in sorted(self.encoder_state) for part in (name, self.encoder_state[name])]
        return content_fingerprint(self.architecture, self.head.fingerprint, *parts)

    def with_head(self, head: LinearHead) -> Classifier:
        """The same encoder under another head."""
        return replace(self, head=head)

    @property
    def n_parameters(self) -> int:
        return sum(a.size for a in self.encoder_state.values()) + self.head.weight.size + self.head.bias.size

    @cached_property
    def _encoder(self) -> torch.nn.Module:
        import torch

        module = build_encoder(self.architecture)
        state = {name: torch.from_numpy(array.copy()) for name, array in self.encoder_state.items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"The weights do not fit the architecture '{self.architecture}': layers are missing, "
                "left over or of another size."
            ) from error
        return module.eval().requires_grad_(False)

    def encode(self, batches: Iterable[Array]) -> Array:
        """Features (n, d) float32 of uint8 images that come in batches (m, height, width, 3)."""
        import torch

        with torch.inference_mode():
            parts = [self._encoder(_to_tensor(batch)).numpy() for batch in batches]
        features = np.concatenate(parts)
        if features.shape[1] != self.head.n_features:
            raise ModelError(
                f"The encoder gives {features.shape[1]} features, but the head expects {self.head.n_features}; "
                "open weights that belong together."
            )
        return frozen_array(features)


def row_batches(n: int, size: int = BATCH_ROWS) -> Iterator[slice]:
    """Slices that cover n rows, `size` at a time."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def extract_features(classifier: Classifier, dataset: AttributeDataset, *, split: Split) -> FeatureSet:
    """Encode every sample of one split."""
    classes = dataset.target.levels
    if classifier.head.n_classes != len(classes):
        raise ModelError(
            f"The model tells {classifier.head.n_classes} classes apart, but '{dataset.target.name}' has "
            f"{len(classes)}; open a model that was trained for this data set."
        )
    rows = dataset.rows(split)
    features = classifier.encode(dataset.source.read(rows[part]) for part in row_batches(len(rows)))
    return FeatureSet(features, dataset.target.codes[rows], rows)


def build_encoder(architecture: str) -> torch.nn.Module:
    """A fresh encoder by name; its output are the features."""
    from torch import nn

    if architecture != "small_cnn":
        raise ModelError(f"Unknown architecture '{architecture}'. Known: small_cnn.")
    layers: list[nn.Module] = []
    for inner, outer in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU())


def train_classifier(
    dataset: AttributeDataset,
    *,
    architecture: str = "small_cnn",
    epochs: int = 20,
    damping: float = 1e-3,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> Classifier:
    """Train on the training split: encoder and head together by Adam, then the head alone to
    convergence with weight decay `damping`, as influence scores assume."""
    import torch

    torch.manual_seed(seed)
    rng, rows = np.random.default_rng(seed), dataset.rows("train")
    encoder = build_encoder(architecture).train()
    top = torch.nn.LazyLinear(len(dataset.target.levels))
    images, labels = (
        _to_tensor(dataset.source.read(rows)),
        torch.from_numpy(dataset.target.codes[rows].copy()),
    )
    top(encoder(images[:2]))  # gives the lazy layer its size
    optimiser = torch.optim.Adam([*encoder.parameters(), *top.parameters()], lr=1e-3, weight_decay=1e-4)
    for epoch in range(epochs):
        for batch in np.array_split(rng.permutation(len(rows)), max(1, len(rows) // 64)):
            loss = torch.nn.functional.cross_entropy(top(encoder(images[batch])), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        progress((epoch + 1) / epochs)
    encoder.eval().requires_grad_(False)
    scale = _unit_scale(encoder, images)
    state = {name: frozen_array(tensor.detach().numpy()) for name, tensor in encoder.state_dict().items()}
    start = LinearHead(top.weight.detach().numpy() / scale, top.bias.detach().numpy())
    return refit_head(Classifier(architecture, state, start, damping), dataset)


def _unit_scale(encoder: torch.nn.Module, images: torch.Tensor) -> float:
    """Scale the last linear layer so that features have a mean square of 1; returns the factor.

    Damping is relative to the size of the features: with unit features one value suits every
    model, and leaving out one sample stays a small change. ReLU passes the factor on.
    """
    scale = float(encoder(images).square().mean().rsqrt())
    weight, bias = list(encoder.parameters())[-2:]
    weight.mul_(scale)
    bias.mul_(scale)
    return scale


def refit_head(classifier: Classifier, dataset: AttributeDataset) -> Classifier:
    """The same encoder under a head fitted to convergence on the training split."""
    train = extract_features(classifier, dataset, split="train")
    weights = np.full(len(train), 1 / len(train))
    problem = ConvexProblem(train.features, train.labels, weights, classifier.damping)
    return classifier.with_head(fit_head(classifier.head, problem))


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write encoder and head as safetensors."""
    tensors = {f"encoder.{name}": array for name, array in classifier.encoder_state.items()}
    tensors |= {"head.weight": classifier.head.weight, "head.bias": classifier.head.bias}
    metadata = {
        "format": FORMAT,
        "architecture": classifier.architecture,
        "damping": repr(classifier.damping),
    }
    save_file(tensors, path, metadata)
    path.chmod(0o644)  # safetensors writes for the owner alone, and an image is served by another user


def load_classifier(path: Path) -> Classifier:
    """Open a classifier written by `save_classifier`. Nothing in the file is ever executed."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: frozen_array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelError(
            f"The weights file '{path.name}' is missing; restore it and reload the page."
        ) from error
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:  # odd number types too
        raise ModelError(
            f"The weights file '{path.name}' is damaged or not a safetensors file; restore the original."
        ) from error
    whole = {"head.weight", "head.bias"} <= tensors.keys() and {"architecture", "damping"} <= metadata.keys()
    if metadata.get("format") != FORMAT or not whole:
        raise ModelError(f"The weights file '{path.name}' was not written by FMD Studio, or has no head.")
    encoder = {name.removeprefix("encoder."): a for name, a in tensors.items() if name.startswith("encoder.")}
    bad = [name for name, array in encoder.items() if not np.isfinite(array).all()]
    if bad:
        raise ModelError(
            f"Layer '{bad[0]}' of '{path.name}' holds values that are not numbers; restore the original."
        )
    head = LinearHead(tensors["head.weight"], tensors["head.bias"])
    return Classifier(metadata["architecture"], encoder, head, _damping(metadata["damping"], path.name))


def _damping(text: str, file: str) -> float:
    try:
        damping = float(text)
    except ValueError:
        damping = float("nan")
    if not 0 < damping < float("inf"):
        raise ModelError(
            f"The weights file '{file}' names the damping '{text}', which is not a number above 0."
        )
    return damping


def head_to_safetensors(head: LinearHead, metadata: dict[str, str]) -> bytes:
    """The head alone as a safetensors file: `head.weight` (K, d), `head.bias` (K,), float64."""
    return save({"head.weight": head.weight, "head.bias": head.bias}, metadata)


def _to_tensor(images: Array) -> torch.Tensor:
    """uint8 (m, height, width, 3) to float (m, 3, height, width) in [-1, 1]."""
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

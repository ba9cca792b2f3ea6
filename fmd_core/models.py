"""Classifiers: a frozen encoder below, the head above; opened, saved, and asked for features.

torch is imported when an encoder is first needed, not when this module is: it takes seconds,
and a page should be painted before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save, save_file

from fmd_core.data import (
    Array,
    AttributeDataset,
    FeatureSet,
    InputKind,
    Split,
    content_fingerprint,
    frozen_array,
    ignore_progress,
)
from fmd_core.errors import ModelError
from fmd_core.heads import Head, LinearHead
from fmd_core.kinds import find_kind, recognised
from fmd_core.mlp_head import MLPHead
from fmd_core.networks.architectures import ARCHITECTURES, Depth, build_encoder, find_architecture
from fmd_core.running import distributed

if TYPE_CHECKING:
    import torch

    from fmd_core.networks.feature_store import FeatureStore

BATCH_PIXELS = 128 * 64 * 64  # of one batch: bounds memory, and the time until a stop takes effect
BATCH_ROWS = 512
FORMAT = "fmd-classifier-1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
Channels = tuple[float, float, float]
NORMALISATIONS: dict[str, tuple[Channels, Channels]] = {
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and spread per channel, of colours between 0 and 1, that a network expects taken out."""


@dataclass(frozen=True)
class Preprocess:
    """What happens to an image before the encoder sees it."""

    normalisation: str = "symmetric"
    size: int | None = None  # side that images are scaled to; None: as they come

    def __post_init__(self) -> None:
        if self.normalisation not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise ModelError(f"Unknown normalisation '{self.normalisation}'. Choose one of: {known}.")
        if self.size is not None and not 8 <= self.size <= 512:
            raise ModelError(f"Images of {self.size} pixels a side cannot be used; choose 8 to 512.")

    @property
    def colours(self) -> tuple[Channels, Channels]:
        """Mean and spread of each channel that are taken out."""
        return NORMALISATIONS[self.normalisation]

    def apply(self, inputs: Array, kind: InputKind = "") -> torch.Tensor:
        """A batch as a network reads it: uint8 images (m, height, width, 3) to float (m, 3, side, side); records
        stay as they are. `kind` is asked; where none is named, the first that such a batch can be of."""
        return (find_kind(kind) if kind else recognised(inputs)).tensor(inputs, self)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier opened for review."""

    architecture: str
    encoder_state: dict[str, Array]
    head: Head
    damping: float
    """Weight decay that the head was fitted with: the damping at which influence is an exact slope."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    feature_scale: float = 1.0
    """Factor on the encoder's output. Damping is relative to the size of the features: with a mean
    square of 1 one value suits every model."""
    name: str = ""
    depth: Depth = "last layer"
    """Where encoder and head meet; see `fmd_core.deepening`."""
    trained_on: str = ""
    """Fingerprint of the data set that it was trained on here, '' where that is not known."""

    @property
    def kind(self) -> InputKind:
        """What the classifier reads."""
        return find_architecture(self.architecture).kind

    @cached_property
    def encoder_fingerprint(self) -> str:
        """Content digest of all that makes the features: the head may change and they stay."""
        parts = [part for name in sorted(self.encoder_state) for part in (name, self.encoder_state[name])]
        depth = [] if self.depth == "last layer" else [self.depth]
        settings = [self.architecture, repr(self.preprocess), repr(self.feature_scale), *depth]
        return content_fingerprint(*settings, *parts)

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(self.encoder_fingerprint, self.head.fingerprint)

    def with_head(self, head: Head) -> Classifier:
        """The same encoder under another head."""
        return replace(self, head=head)

    @property
    def n_parameters(self) -> int:
        return sum(a.size for a in [*self.encoder_state.values(), *self.head.arrays.values()])

    @cached_property
    def _encoder(self) -> torch.nn.Module:
        import torch

        width = find_kind(self.kind).stored_width(self.encoder_state)
        module = build_encoder(self.architecture, width, self.depth)
        state = {name: torch.from_numpy(array.copy()) for name, array in self.encoder_state.items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"The weights do not fit the architecture '{self.architecture}': layers are missing, "
                "left over or of another size."
            ) from error
        return module.eval().requires_grad_(False)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch: uint8 images (m, height, width, 3) or rows (m, columns)."""
        import torch

        kind = find_kind(self.kind)
        for batch in batches:
            if not kind.reads(batch):
                raise ModelError(
                    f"The model reads {kind.plural}, but the data are {recognised(batch).samples}; "
                    "open a model that was trained for this data set."
                )
            with torch.inference_mode():
                features = (
                    self._encoder(self.preprocess.apply(batch, kind.name)) * self.feature_scale
                ).numpy()
            if features.shape[1] != self.head.n_features:
                raise ModelError(
                    f"The encoder gives {features.shape[1]} features, but the head expects "
                    f"{self.head.n_features}; open weights that belong together."
                )
            yield features

    def encode(self, batches: Iterable[Array]) -> Array:
        """Features (n, d) float32 of all batches together."""
        return frozen_array(np.concatenate(list(self.encode_batches(batches))))


def row_batches(n: int, side: int = 64) -> Iterator[slice]:
    """Slices that cover n rows, as many at a time as images of `side` pixels allow."""
    size = max(1, min(BATCH_ROWS, BATCH_PIXELS // max(side, 1) ** 2))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def batch_side(dataset: AttributeDataset, rows: Array, preprocess: Preprocess) -> int:
    """The side for `row_batches`: of images as they are read or as they are scaled to, the larger."""
    return find_kind(dataset.source.kind).side(dataset.source.read(rows[:1]), preprocess)


def encode_rows(
    classifier: Classifier,
    dataset: AttributeDataset,
    rows: Array,
    *,
    attribute: str = "",
    codes: Array | None = None,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> Array:
    """Features (n, d) of `rows`, with `attribute` set to `codes` (n,) if one is named.

    Read and encoded a batch at a time, and `progress` told before each. With a `store` the
    features are kept on disk and found there the next time. On a cluster (see `fmd_core.running.distributed`)
    the workers encode what is read here: the files of a data set may lie on this machine alone.
    """

    def parts() -> list[slice]:
        return list(row_batches(len(rows), batch_side(dataset, rows, classifier.preprocess)))

    def batches(told: Callable[[float], None]) -> Iterator[Array]:
        for part in parts():
            told(part.start / len(rows))
            yield (
                dataset.source.counterfactual(rows[part], attribute, codes[part])
                if codes is not None
                else dataset.source.read(rows[part])
            )

    def on_cluster() -> Iterator[Array]:
        encode = partial(_encode_batch, replace(classifier))  # a copy, which holds no built network
        blocks = ((batch,) for batch in batches(ignore_progress))
        return distributed.map_blocks(encode, blocks, len(parts()), progress)

    if store is None:
        if distributed.is_on():
            return frozen_array(np.concatenate(list(on_cluster())))
        return classifier.encode(batches(progress))
    key = content_fingerprint(
        classifier.encoder_fingerprint,
        dataset.source.fingerprint,
        rows,
        attribute,
        np.zeros(0) if codes is None else codes,
    )
    encoded = on_cluster if distributed.is_on() else lambda: classifier.encode_batches(batches(progress))
    return store.get_or_compute(key, len(rows), encoded)


def _encode_batch(classifier: Classifier, batch: Array) -> Array:
    return classifier.encode([batch])


def check_fit(classifier: Classifier, dataset: AttributeDataset) -> None:
    """Refuse a model that was made for other classes or for another kind of data."""
    classes = dataset.target.levels
    if classifier.head.n_classes != len(classes):
        raise ModelError(
            f"The model tells {classifier.head.n_classes} classes apart, but '{dataset.target.name}' has "
            f"{len(classes)}; open a model that was trained for this data set."
        )
    if classifier.kind != dataset.source.kind:
        raise ModelError(
            f"The model reads {find_kind(classifier.kind).plural}, but '{dataset.name}' holds "
            f"{find_kind(dataset.source.kind).plural}; "
            "open a model that was trained for this data set."
        )


def extract_features(
    classifier: Classifier,
    dataset: AttributeDataset,
    *,
    split: Split,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> FeatureSet:
    """Encode every sample of one split."""
    check_fit(classifier, dataset)
    rows = dataset.rows(split)
    features = encode_rows(classifier, dataset, rows, store=store, progress=progress)
    return FeatureSet(features, dataset.target.codes[rows], rows)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write encoder and head as safetensors."""
    tensors = {f"encoder.{name}": array for name, array in classifier.encoder_state.items()}
    tensors |= {f"head.{name}": array for name, array in classifier.head.arrays.items()}
    metadata = {
        "format": FORMAT,
        "architecture": classifier.architecture,
        "damping": repr(classifier.damping),
        "normalisation": classifier.preprocess.normalisation,
        "size": str(classifier.preprocess.size or ""),
        "feature_scale": repr(classifier.feature_scale),
        "name": classifier.name,
        "depth": classifier.depth,
        "trained_on": classifier.trained_on,
    }
    # not ascontiguousarray: it makes a list of one out of a counter, and that is another fingerprint
    save_file({name: np.asarray(array, order="C") for name, array in tensors.items()}, path, metadata)
    path.chmod(0o644)  # safetensors writes for the owner alone, and an image is served by another user


def load_classifier(path: Path) -> Classifier:
    """Open a classifier written by `save_classifier`. Nothing in the file is ever executed."""
    with _opened(path) as file:
        metadata, depth = _description(file, path.name)
        tensors = {name: frozen_array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    encoder = {name.removeprefix("encoder."): a for name, a in tensors.items() if name.startswith("encoder.")}
    bad = [name for name, array in encoder.items() if not np.isfinite(array).all()]
    if bad:
        raise ModelError(
            f"Layer '{bad[0]}' of '{path.name}' holds values that are not numbers; restore the original."
        )
    return Classifier(
        metadata["architecture"],
        encoder,
        _head(tensors),
        _positive(metadata, "damping", path.name),
        Preprocess(metadata.get("normalisation", "symmetric"), _side(metadata.get("size", ""))),
        _positive({"feature_scale": "1.0"} | metadata, "feature_scale", path.name),
        metadata.get("name", ""),
        depth,
        known_digest(metadata.get("trained_on", "")),
    )


def read_description(path: Path) -> dict[str, str]:
    """What `save_classifier` wrote beside the numbers, which stay unread: a list of models needs no more.

    Raises ModelError for a damaged header and for what FMD Studio did not write; numbers that are
    damaged are found by `load_classifier` alone.
    """
    with _opened(path) as file:
        return _description(file, path.name)[0]


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """A safetensors file; what goes wrong with it is a ModelError."""
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError as error:
        raise ModelError(
            f"The weights file '{path.name}' is missing; restore it and reload the page."
        ) from error
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:  # odd number types too
        raise ModelError(
            f"The weights file '{path.name}' is damaged or not a safetensors file; restore the original."
        ) from error


def _description(file: safe_open, name: str) -> tuple[dict[str, str], Depth]:
    """Metadata and depth of a classifier's file, by its header alone."""
    metadata: dict[str, str] = file.metadata() or {}
    whole = {"head.weight", "head.bias"} <= set(file.keys()) and {
        "architecture",
        "damping",
    } <= metadata.keys()
    depth = next((d for d in get_args(Depth) if d == metadata.get("depth", "last layer")), None)
    known = metadata.get("architecture") in ARCHITECTURES
    if metadata.get("format") != FORMAT or not whole or not known or depth is None:
        raise ModelError(f"The weights file '{name}' was not written by FMD Studio, or has no head.")
    return metadata, depth


def known_digest(text: str) -> str:
    """The fingerprint that a file names, '' for what is none."""
    return text if _DIGEST.fullmatch(text) else ""


def _head(tensors: dict[str, Array]) -> Head:
    last = LinearHead(tensors["head.weight"], tensors["head.bias"])
    if not {"head.hidden_weight", "head.hidden_bias"} <= tensors.keys():
        return last
    return MLPHead(tensors["head.hidden_weight"], tensors["head.hidden_bias"], last)


def _side(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 5 else None


def _positive(metadata: dict[str, str], key: str, file: str) -> float:
    try:
        value = float(metadata[key])
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise ModelError(
            f"The weights file '{file}' names the {key.replace('_', ' ')} {metadata[key][:40]!r}, "
            "which is not a number above 0."
        )
    return value


def head_to_safetensors(head: Head, metadata: dict[str, str]) -> bytes:
    """The head alone as a safetensors file: `head.weight` (K, d), `head.bias` (K,), float64; with two
    layers also `head.hidden_weight` (h, d) and `head.hidden_bias` (h,)."""
    return save({f"head.{name}": array for name, array in head.arrays.items()}, metadata)

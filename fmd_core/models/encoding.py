"""Samples of a data set to features: a batch at a time, kept on disk, spread over a cluster where there is one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from fmd_core.data import (
    Array,
    AttributeDataset,
    FeatureSet,
    FrameSource,
    Split,
    WholePictures,
    content_fingerprint,
    frozen_array,
    ignore_progress,
)
from fmd_core.errors import ModelError
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import KnowsRows
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.reading_ahead import read_ahead
from fmd_core.running import distributed

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore

Read = Callable[[Array], Array]
BATCH_PIXELS = 128 * 64 * 64  # of one batch: bounds memory, and the time until a stop takes effect
BATCH_ROWS = 512


def row_batches(n: int, side: int = 64) -> Iterator[slice]:
    """Slices that cover n rows, as many at a time as images of `side` pixels allow."""
    size = max(1, min(BATCH_ROWS, BATCH_PIXELS // max(side, 1) ** 2))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def batch_side(dataset: AttributeDataset, rows: Array, preprocess: Preprocess) -> int:
    """The side for `row_batches`: of images as they are read or as they are scaled to, the larger."""
    return find_kind(dataset.source.kind).side(dataset.source.read(rows[:1]), preprocess)


def read_inputs(
    classifier: Classifier,
    dataset: AttributeDataset,
    rows: Array,
    attribute: str = "",
    codes: Array | None = None,
    read: Read | None = None,
) -> Array:
    """What the classifier reads of `rows`, with `attribute` set to `codes` (m,) if they are given: the source's
    inputs, or what `read` gives in their place, or the columns of its frame that the encoder names, where the source
    has one (see `FrameSource`), or whole pictures as the classifier cuts them, where the source has them (see
    `WholePictures`)."""
    source, encoder = dataset.source, classifier.encoder
    columns = list(getattr(encoder, "wanted", ()) or getattr(encoder, "columns", ()))
    if (
        columns
        and isinstance(source, FrameSource)
        and set(columns) <= set(source.read_frame(rows[:1]).columns)
    ):
        frame = (
            source.read_frame(rows) if codes is None else source.counterfactual_frame(rows, attribute, codes)
        )
        return cast(Array, frame[columns])
    if codes is None and classifier.preprocess.is_read_whole and isinstance(source, WholePictures):
        return source.read_fitted(rows, classifier.preprocess.fitted)
    return (read or source.read)(rows) if codes is None else source.counterfactual(rows, attribute, codes)


def encode_rows(
    classifier: Classifier,
    dataset: AttributeDataset,
    rows: Array,
    *,
    attribute: str = "",
    codes: Array | None = None,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
    read: Read | None = None,
) -> Array:
    """Features (n, d) of `rows`, with `attribute` set to `codes` (n,) if one is named.

    Read and encoded a batch at a time, and `progress` told before each. With a `store` the
    features are kept on disk and found there the next time. On a cluster (see `fmd_core.running.distributed`)
    the workers encode what is read here: the files of a data set may lie on this machine alone. An encoder
    that knows the rows is asked for them. `read` gives what the source reads of some rows, for who keeps it. Raises
    ModelError where it cannot change the attribute.
    """
    if isinstance(classifier.encoder, KnowsRows):
        return _given(classifier, classifier.encoder, dataset, rows, attribute)
    if store is not None and not classifier.encoder_fingerprint:
        warnings.warn(
            f"The content of {classifier.title} cannot be told apart from another's, so its features are not stored.",
            stacklevel=2,
        )
        store = None

    def parts() -> list[slice]:
        return list(row_batches(len(rows), batch_side(dataset, rows, classifier.preprocess)))

    def inputs_of(part: slice) -> Array:
        changed = None if codes is None else codes[part]
        return read_inputs(classifier, dataset, rows[part], attribute, changed, read)

    def batches(told: Callable[[float], None]) -> Iterator[Array]:
        known = parts()
        with closing(read_ahead(inputs_of, known)) as inputs:  # a stop ends the readers as well
            for part, batch in zip(known, inputs, strict=True):
                told(part.start / len(rows))
                yield batch

    def on_cluster() -> Iterator[Array]:
        encode = partial(_encode_batch, replace(classifier))  # a copy, which holds no built network
        blocks = ((batch,) for batch in batches(ignore_progress))
        return distributed.map_blocks(encode, blocks, len(parts()), progress)

    if store is None:
        if distributed.is_on():
            return frozen_array(np.concatenate(list(on_cluster())))
        return classifier.encode(batches(progress))
    key = _stored_key(classifier, dataset, rows, attribute, codes)
    encoded = on_cluster if distributed.is_on() else lambda: classifier.encode_batches(batches(progress))
    return store.get_or_compute(key, len(rows), encoded, waiting=lambda: progress(0.0))


def store_features(
    classifier: Classifier, dataset: AttributeDataset, rows: Array, features: Array, store: FeatureStore
) -> None:
    """Put features (n, d) of `rows` that are known already where `encode_rows` looks for them."""
    if classifier.encoder_fingerprint:
        key = _stored_key(classifier, dataset, rows, "", None)
        store.get_or_compute(key, len(rows), lambda: [features])


def _stored_key(
    classifier: Classifier, dataset: AttributeDataset, rows: Array, attribute: str, codes: Array | None
) -> str:
    return content_fingerprint(
        classifier.encoder_fingerprint,
        dataset.source.fingerprint,
        rows,
        attribute,
        np.zeros(0) if codes is None else codes,
    )


def _given(
    classifier: Classifier, encoder: KnowsRows, dataset: AttributeDataset, rows: Array, attribute: str
) -> Array:
    if attribute:
        raise ModelError(
            f"Features were given for the samples as they are, so what the model makes of them with another "
            f"'{attribute}' is not known; use twins that are real people (pair_method='matched'), or wrap the model."
        )
    return frozen_array(encoder.encode_rows(dataset, rows) * np.float32(classifier.feature_scale), "float32")


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
    read: Read | None = None,
) -> FeatureSet:
    """Encode every sample of one split; `read` as for `encode_rows`."""
    check_fit(classifier, dataset)
    rows = dataset.rows(split)
    features = encode_rows(classifier, dataset, rows, store=store, progress=progress, read=read)
    return FeatureSet(features, dataset.target.codes[rows], rows)

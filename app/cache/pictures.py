"""Samples as they are shown, also as their own twins, and where in them a model looks."""

from __future__ import annotations

import numpy as np
from PIL import Image

import fmd_core as fmd
from app.cache import fixes, opened
from app.cache.bounded import kept
from app.record.review import Review
from app.record.variants import Variant
from fmd_core.data import Array, Split
from fmd_core.explain.attributions import Method, average_input, explain, methods
from fmd_core.imaging import data_uri
from fmd_core.kinds import Portrait, find_kind
from fmd_core.models.preprocess import Preprocess
from fmd_core.twins.pairs import counterpart_levels


@kept()
def portrait(data: str, row: int, attribute: str = "", code: int = 0, side: int = 128) -> Portrait:
    """A sample, with `attribute` set to `code` if one is named: a picture as a data URI or the text of
    a record; the other is empty."""
    source = opened.open_data(data).source
    return find_kind(source.kind).portrait(source.display(row, attribute, code), side)


@kept()
def counterparts(data: str, split: Split, attribute: str) -> Array:
    """The level that each sample of a split has to be shown with as its own twin, (m,)."""
    return counterpart_levels(opened.open_data(data), split, attribute)


@kept()
def _average(data: str) -> Array:
    return average_input(opened.open_data(data))


@kept()
def explainers(review: Review) -> tuple[Method, ...]:
    """Ways to show where the original model looks, and every variant, the one to begin with first."""
    return methods(opened.classifier(review), opened.dataset(review))


@kept()
def explanation(
    review: Review, variant: Variant | None, row: int, attribute: str, code: int, target: int, method: Method
) -> fmd.Explanation:
    """What in a sample, with `attribute` set to `code` if one is named, speaks for class `target`."""
    # as it is where no variant is in force: its encoder is built already
    original = opened.classifier(fixes.standing(review, variant))
    model = original if variant is None else original.with_head(fixes.head(review, variant))
    return explain(
        model, opened.dataset(review), row, target=target, method=method, attribute=attribute, code=code,
        baseline=_average(review.data),
    )  # fmt: skip


@kept()
def heat(
    review: Review, variant: Variant | None, row: int, attribute: str, code: int, target: int, method: Method,
    scale: float,
) -> str:  # fmt: skip
    """The same over the sample's picture, as a data URI; `scale` is the end of the colours."""
    from fmd_core.explain import heat_map

    values = explanation(review, variant, row, attribute, code, target, method).contributions
    picture = np.asarray(opened.dataset(review).source.display(row, attribute, code))
    seen = opened.classifier(review).preprocess
    if isinstance(seen, Preprocess) and seen.is_read_whole:  # squashed or padded: the map lies over all of it
        picture = seen.enlarged(heat_map.SIDE).fitted(Image.fromarray(picture))
    return data_uri(heat_map.overlay(picture, values, scale), heat_map.SIDE)

"""Patterns that channels of the original respond to, where samples show them, and how far answers hang on them."""

from __future__ import annotations

import numpy as np

from app.cache import opened
from app.cache.bounded import kept
from app.record.review import Review
from fmd_core.forget.channels import ChannelGroups, convolution_layers, heat_maps, pattern_reliance
from fmd_core.forget.channels import channel_groups as group_channels
from fmd_core.imaging import data_uri
from fmd_core.measure.changes import Change, mean_changes
from fmd_core.measure.counting import Counting


@kept()
def convolutions(review: Review) -> dict[str, tuple[int, int]]:
    """Height and width of the map of each convolution of the original, by name."""
    return convolution_layers(opened.classifier(opened.plain(review)), opened.dataset(review))


@kept()
def channel_groups(review: Review, layer: str, n_groups: int | None) -> ChannelGroups:
    """Channels of one convolution of the original, grouped by what they respond to."""
    return group_channels(
        opened.classifier(opened.plain(review)), opened.dataset(review), layer=layer, n_groups=n_groups
    )


@kept()
def pattern_pictures(
    review: Review, layer: str, n_groups: int | None, group: int, rows: tuple[int, ...]
) -> tuple[str, ...]:
    """Where samples show a group's pattern, over their pictures, as data URIs."""
    from fmd_core.explain import heat_map

    groups = channel_groups(review, layer, n_groups)
    maps = heat_maps(
        opened.classifier(opened.plain(review)), opened.dataset(review), groups, group, np.array(rows)
    )
    source = opened.dataset(review).source
    return tuple(
        data_uri(heat_map.overlay(np.asarray(source.display(row)), values, 2.0), heat_map.SIDE)
        for row, values in zip(rows, maps, strict=True)
    )


@kept()
def reliance(review: Review, layer: str, n_groups: int | None, group: int, changed: str) -> Change:
    """How far answers hang on a pattern, by the original and by a `changed` model, on test samples."""
    data, original = opened.dataset(review), opened.classifier(opened.plain(review))
    groups, rows = channel_groups(review, layer, n_groups), data.rows("test")
    models = original, opened.open_model(review.data, changed)
    told = [pattern_reliance(m, data, groups, group, rows, found_by=original) for m in models]
    row = ("reliance", np.ones(len(rows), dtype=bool), told[0], told[1])
    (found,) = mean_changes([row], counting=Counting.of(data, rows))
    return found


def is_reliance_known(review: Review, layer: str, n_groups: int | None, group: int, changed: str) -> bool:
    """Whether `reliance` costs nothing."""
    return reliance.holds(review, layer, n_groups, group, changed)

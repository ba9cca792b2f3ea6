"""The card that says how pictures are made ready for a model, with three of them as it sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

import streamlit as st

from app import cache
from app.record.review import Review
from app.view_models import models, preparation
from app.widgets import components, gallery
from fmd_core import FMDError
from fmd_core.data import WholePictures
from fmd_core.models.preprocess import (
    NORMALISATIONS,
    SIDES,
    Channels,
    Order,
    Preprocess,
    Resample,
    Resize,
)

RANGES = {1.0: "0 to 1", 255.0: "0 to 255"}


@dataclass(frozen=True)
class Fixed:
    """What the file says itself and nobody is asked; None where it does not."""

    size: int | None = None
    width: int | None = None
    grayscale: bool | None = None


def draw(review: Review, usual: Preprocess, key: str, fixed: Fixed | None = None) -> Preprocess | None:
    """The preparation as chosen, from `usual` on; None where it cannot be, and then it says why."""
    fixed = fixed or Fixed()
    with st.container(border=True):
        st.markdown("**How pictures are made ready**")
        st.caption("It must be as in the model's training: another crop or other colours change its answers.")
        try:
            chosen = _choices(review, usual, key, fixed)
            seen = preparation.as_seen(cache.dataset(review), chosen)
        except FMDError as problem:
            components.show_problem(problem)
            return None
        pictures = tuple(
            gallery.Tile(n, (gallery.Picture(one.source, one.alt, one.note),)) for n, one in enumerate(seen)
        )
        st.caption("Three training pictures as the model sees them, and between which numbers they lie:")
        gallery.show(list(pictures), key=f"seen_{key}", label="As the model sees them")
    return chosen


def _choices(review: Review, usual: Preprocess, key: str, fixed: Fixed) -> Preprocess:
    is_whole = isinstance(cache.dataset(review).source, WholePictures)
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    with left:
        ways = [way for way in get_args(Resize) if is_whole or way == "middle square"]
        resize: Resize = st.selectbox(
            "From the whole picture to the model's", ways, key=f"resize_{key}",
            index=ways.index(usual.resize) if usual.resize in ways else 0,
            format_func=lambda way: preparation.RESIZES[way],
        )  # fmt: skip
    with middle:
        size = st.number_input(
            "Pixels a side",
            *SIDES,
            fixed.size or usual.size or 64,
            key=f"side_{key}",
            disabled=fixed.size is not None,
        )
    scaled_to = None
    with right:
        if resize == "shorter side":
            scaled_to = int(
                st.number_input(
                    "Shorter side before the crop",
                    int(size),
                    1024,
                    max(usual.scaled_to or 0, int(size)),
                    key=f"scaled_{key}_{size}",
                )
            )
    mean, spread, white, named = _colours(usual, key)
    with st.expander("Channels, grayscale, and how pictures are scaled"):
        one, two, three = st.columns(3, vertical_alignment="bottom")
        with one:
            order: Order = st.selectbox(
                "Order of colours",
                get_args(Order),
                index=get_args(Order).index(usual.order),
                key=f"order_{key}",
            )
        with two:
            gray = st.toggle(
                "Grayscale: one channel", usual.grayscale if fixed.grayscale is None else fixed.grayscale,
                key=f"gray_{key}", disabled=fixed.grayscale is not None,
            )  # fmt: skip
        with three:
            how: Resample = st.selectbox(
                "Scaled by",
                get_args(Resample),
                index=get_args(Resample).index(usual.resample),
                key=f"resample_{key}",
            )
    return Preprocess(
        named, int(size), resize, scaled_to, how, mean, spread, order, gray, white,
        None if fixed.width is None or fixed.width == size else fixed.width,
    )  # fmt: skip


def _colours(usual: Preprocess, key: str) -> tuple[Channels | None, Channels | None, float, str]:
    """Mean and spread by a usual name, or six numbers; the range that they are in; the name."""
    names = [*NORMALISATIONS, preparation.NUMBERS]
    start = preparation.NUMBERS if usual.mean is not None else usual.normalisation
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        name = st.selectbox(
            "Colours as it was trained with them", names, index=names.index(start), key=f"colours_{key}",
            format_func=lambda one: models.NORMALISATION_TITLES.get(one, one),
        )  # fmt: skip
    if name != preparation.NUMBERS:
        return None, None, 1.0, name
    with right:
        white = st.selectbox(
            "Range before mean and spread",
            list(RANGES),
            index=list(RANGES).index(usual.white) if usual.white in RANGES else 0,
            format_func=RANGES.__getitem__,
            key=f"white_{key}",
        )
    low, high = ([number * white for number in numbers] for numbers in usual.colours)
    mean = _three("Mean", low, f"{key}_{white}")
    spread = _three("Spread", high, f"{key}_{white}")
    return mean, spread, float(white), "unit"


def _three(what: str, start: list[float], key: str) -> Channels:
    found = []
    for place, value, channel in zip(st.columns(3), start, ("first", "second", "third"), strict=True):
        with place:
            found.append(
                st.number_input(
                    f"{what}, {channel} channel",
                    value=float(value),
                    format="%.4f",
                    key=f"{what}_{channel}_{key}",
                )
            )
    return cast(Channels, tuple(float(one) for one in found))

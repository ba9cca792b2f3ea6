"""How alike two real people must be to count as twins: a setting of the whole review."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from app import cache
from app.record.review import Review
from app.session import state
from app.view_models import glossary

SHARES = (25, 50, 75, 100)  # per cent of the pairs, the most alike first
OTHER = 0  # a limit that is no share of these pairs: chosen for another attribute, or in an address


def draw(review: Review, attribute: str) -> None:
    """The choice, for matched twins only; a new choice changes every page."""
    if cache.dataset(review).pair_method != "matched":
        return
    distances = cache.pairs(replace(review, most_unlike=None), "test", attribute).distance
    limits = {share: float(np.percentile(distances, share)) for share in SHARES[:-1]}
    current = _share_of(review.most_unlike, limits)

    def name(share: int) -> str:
        if share == OTHER:
            return f"Chosen before (up to {review.most_unlike:.2f})"
        if share == SHARES[-1]:
            return f"All pairs (up to {distances.max():.2f})"
        return f"The {share} % most alike (up to {limits[share]:.2f})"

    options = SHARES if current in SHARES else (OTHER, *SHARES)
    chosen = st.selectbox(
        "Twins that count",
        options,
        index=options.index(current),
        format_func=name,
        key=f"likeness_{review.data}_{review.model}_{attribute}_{current}",
        width=280,
        help=f"{glossary.tip('Match distance')} Closer twins differ in less, but are fewer. The choice holds on every "
        "page.",
    )
    if chosen != current:
        state.open_review(replace(review, most_unlike=limits.get(chosen)))
        st.rerun()


def _share_of(limit: float | None, limits: dict[int, float]) -> int:
    if limit is None:
        return SHARES[-1]
    return next((share for share, of_share in limits.items() if of_share == limit), OTHER)

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


def draw(review: Review, attribute: str) -> None:
    """The choice, for matched twins only; a new choice changes every page."""
    if cache.dataset(review).pair_method != "matched":
        return
    distances = cache.pairs(replace(review, most_unlike=None), "test", attribute).distance
    limits = {share: float(np.percentile(distances, share)) for share in SHARES[:-1]}
    current = next((share for share, limit in limits.items() if limit == review.most_unlike), SHARES[-1])

    def name(share: int) -> str:
        if share == SHARES[-1]:
            return f"All pairs (up to {distances.max():.2f})"
        return f"The {share} % most alike (up to {limits[share]:.2f})"

    chosen = st.selectbox(
        "Twins that count",
        SHARES,
        index=SHARES.index(current),
        format_func=name,
        key=f"likeness_{review.data}_{review.model}_{attribute}",
        width=280,
        help=f"{glossary.tip('Match distance')} Closer twins differ in less, but are fewer. The choice holds on every "
        "page.",
    )
    if chosen != current:
        state.open_review(replace(review, most_unlike=limits.get(chosen)))
        st.rerun()

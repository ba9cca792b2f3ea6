"""The panel beside the gallery of harmful samples: one sample, large, beside its twin."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import cache, components, gallery, portraits
from app.review import Review
from app.view_models import harmful

LARGE = 256


def draw(review: Review, attribute: str, sample: harmful.Sample | None) -> None:
    """The selected sample, or what to do to see one."""
    with st.container(border=True, key="detail"):
        if sample is None:
            st.caption("Select a sample to see it large, beside its twin.")
            return
        words = harmful.explain(sample, attribute)
        st.subheader(components.plain(words.title), anchor=False)
        own = portraits.picture(review, sample.row, words.title, "as trained on", side=LARGE)
        twin = _twin(review, attribute, sample)
        gallery.show(
            [gallery.Tile(sample.row, (own, twin) if twin else (own,))],
            key="sample_and_twin",
            label="Sample and twin",
            size="pair",
        )
        for sentence in words.sentences:
            st.write(components.plain(sentence))
        if twin is None:
            st.caption("Nobody of this class is like it enough to be its twin.")


def _twin(review: Review, attribute: str, sample: harmful.Sample) -> gallery.Picture | None:
    """The same sample with another level, or the real person who is most like it."""
    data = cache.dataset(review)
    levels = data.attribute(attribute).levels
    if data.pair_method != "matched":
        code = int(cache.counterparts(review.data, "train", attribute)[sample.position])
        name = f"its twin, {levels[code]}"
        return portraits.picture(review, sample.row, name, name, attribute=attribute, code=code, side=LARGE)
    twins = cache.pairs(review, "train", attribute)
    found = np.flatnonzero(twins.rows == sample.row)
    if not len(found):
        return None
    row = int(twins.counterparts.rows[found[0]])
    name = f"most like it, {levels[int(twins.counterpart_codes[found[0]])]}"
    return portraits.picture(
        review, row, name, f"{name}, distance {twins.distance[found[0]]:.2f}", side=LARGE
    )

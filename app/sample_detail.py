"""The panel beside the gallery of harmful samples: one sample, large, beside its twin."""

from __future__ import annotations

import streamlit as st

from app import cache, gallery
from app.view_models import harmful


def draw(dataset: str, attribute: str, sample: harmful.Sample | None) -> None:
    """The selected sample, or what to do to see one."""
    with st.container(border=True, key="detail"):
        if sample is None:
            st.caption("Select a sample to see it large, beside its twin.")
            return
        words = harmful.explain(sample, attribute)
        code = int(cache.pairs(dataset, "train", attribute).counterpart_codes[sample.position])
        twin = f"its twin, {cache.dataset(dataset).attribute(attribute).levels[code]}"
        st.subheader(words.title, anchor=False)
        pictures = (
            gallery.Picture(cache.thumbnail(dataset, sample.row), words.title, "as trained on"),
            gallery.Picture(cache.thumbnail(dataset, sample.row, attribute, code), twin, twin),
        )
        gallery.show(
            [gallery.Tile(sample.row, pictures)], key="sample_and_twin", label="Sample and twin", size="pair"
        )
        for sentence in words.sentences:
            st.write(sentence)

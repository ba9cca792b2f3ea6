"""Texts in templates: one sentence for every group, and every kind of sentence, as the model answers them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app import cache
from app.record.review import Review
from app.record.variants import Variant
from app.view_models import charts, texts
from app.widgets import components, marked_text, panels


def draw(review: Review, attribute: str, variant: Variant | None) -> None:
    """The picture that opens a review of texts; nothing for other data."""
    data = cache.dataset(review)
    if data.source.kind != "text":
        return
    people, head = cache.features(review, "test"), cache.head(review, variant)
    one = texts.same_sentence(data, head, people, attribute)
    if one.rows:
        st.subheader(
            components.plain(f"One sentence: how sure is the model that it is {one.answer}?"), anchor=False
        )
        st.html(marked_text.answers(one.rows, one.answer))
    found = texts.case_map(data, head, people, attribute)
    if found is None:
        return
    st.subheader("By kind of sentence", anchor=False)
    st.write(components.plain(found.headline))
    table = pd.DataFrame(
        [[f"{100 * v:.0f} %" if np.isfinite(v) else "" for v in row] for row in found.values],
        columns=list(found.groups),
    )
    table.insert(0, "Kind of sentence", list(found.cases))
    figure = charts.heat_table(found.values, found.groups, found.cases)
    panels.picture(figure, found.summary, key="case_map")
    panels.folded_table(lambda: table, found.summary, key="case_map")

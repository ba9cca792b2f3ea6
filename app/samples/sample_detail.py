"""The panel beside a gallery: one sample or pair, large, and where the model looks in it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import cache
from app.record.review import Review
from app.samples import remarks, vetoes, where_it_looks
from app.session import state
from app.view_models import harmful, twins
from app.view_models.where_it_looks import Shown
from app.widgets import components, gallery, portraits
from fmd_core.data import Split

LARGE = 256


def draw(review: Review, attribute: str, sample: harmful.Sample | None) -> None:
    """The selected training sample beside its twin, or what to do to see one."""
    with st.container(border=True, key="detail"):
        if sample is None:
            st.caption("Select a sample to see it large, beside its twin, and where the model looks.")
            return
        with st.spinner("Fitting again without it"):
            measured = cache.measured_effect(review, state.aim(), sample.position)
        words = harmful.explain(sample, attribute, measured)
        st.subheader(components.plain(words.title), anchor=False)
        own = Shown(sample.row, "as trained on")
        found = _twin(review, attribute, sample)
        pictures = [portraits.picture(review, own.row, words.title, own.name, side=LARGE)]
        if found:
            pictures.append(_portrait(review, *found))
        _pair(sample.row, pictures)
        for sentence in words.sentences:
            st.write(components.plain(sentence))
        if found is None:
            st.caption("Nobody of this class is like it enough to be its twin.")
        remarks.draw(sample.row)
        label = cache.dataset(review).target.levels.index(sample.label)
        where_it_looks.draw(review, [own, found[0]] if found else [own], label)


def draw_pair(
    review: Review, attribute: str, split: Split, twin: twins.Twin | None, *, redrawn: bool
) -> None:
    """The selected twins, or what to do to see some."""
    with st.container(border=True, key="detail"):
        if twin is None:
            st.caption("Select a pair to see it large, and where the model looks.")
            return
        data = cache.dataset(review)
        st.subheader(
            components.plain(f"{data.unit.capitalize()} {twin.row}: truly {twin.label}"), anchor=False
        )
        sides = [
            (
                Shown(s.row, s.level, attribute if redrawn else "", s.code if redrawn else 0),
                f"says {s.answer}",
            )
            for s in (twin.favoured, twin.other)
        ]
        _pair(twin.row, [_portrait(review, shown, f"{shown.name}: {says}") for shown, says in sides])
        vetoes.leave_out(attribute, split, twin)
        where_it_looks.draw(review, [shown for shown, _ in sides], data.target.levels.index(twin.label))


def _portrait(review: Review, shown: Shown, note: str) -> gallery.Picture:
    return portraits.picture(
        review, shown.row, note, note, attribute=shown.attribute, code=shown.code, side=LARGE
    )


def _pair(key: int, pictures: list[gallery.Picture]) -> None:
    gallery.show(
        [gallery.Tile(key, tuple(pictures))], key="sample_and_twin", label="Sample and twin", size="pair"
    )


def _twin(review: Review, attribute: str, sample: harmful.Sample) -> tuple[Shown, str] | None:
    """The same sample with another level, or the real person who is most like it, and a line under it."""
    data = cache.dataset(review)
    levels = data.attribute(attribute).levels
    if data.pair_method != "matched":
        code = int(cache.counterparts(review.data, "train", attribute)[sample.position])
        twin = Shown(sample.row, f"its twin, {levels[code]}", attribute, code)
        return twin, twin.name
    pairs = cache.pairs(review, "train", attribute)
    found = np.flatnonzero(pairs.rows == sample.row)
    if not len(found):
        return None
    level = levels[int(pairs.counterpart_codes[found[0]])]
    twin = Shown(int(pairs.counterparts.rows[found[0]]), f"most like it, {level}")
    return twin, f"{twin.name}, distance {pairs.distance[found[0]]:.2f}"

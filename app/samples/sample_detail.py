"""The panel beside a gallery: one sample or pair, large, and where the model looks in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app import cache
from app.record.review import Aim, Review
from app.samples import remarks, vetoes, where_it_looks
from app.view_models import training_sample, twins
from app.view_models.where_it_looks import Shown
from app.widgets import components, gallery, portraits
from fmd_core.data import Split
from fmd_core.measure.verdict.sentences import attribute_name, level_name

LARGE = 256


def draw(review: Review, asked: Aim, samples: Sequence[training_sample.Sample], chosen: int | None) -> None:
    """The training sample in row `chosen` beside its twin; before one is chosen the first of them, in short."""
    if not samples:
        return
    sample, attribute = next((s for s in samples if s.row == chosen), None), asked.attribute
    called = attribute_name(cache.dataset(review), attribute)
    with st.container(border=True, key="detail"):
        if sample is None:
            _introduce(review, attribute, samples[0], training_sample.explain(samples[0], called))
            st.caption(
                f"Select any {cache.dataset(review).unit} to see where the model looks in it, and to mark, note or "
                "exclude it."
            )
            return
        with st.spinner("Fitting again without it"):
            measured = cache.measured_effect(review, asked, sample.position)
        own, twin = _introduce(review, attribute, sample, training_sample.explain(sample, called, measured))
        remarks.draw(sample.row)
        label = cache.dataset(review).target.levels.index(sample.label)
        where_it_looks.draw(review, [own, twin] if twin else [own], label)


def _introduce(
    review: Review, attribute: str, sample: training_sample.Sample, words: training_sample.Detail
) -> tuple[Shown, Shown | None]:
    """A training sample and its twin, if it has one, large and in words."""
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
    return own, found[0] if found else None


def draw_pair(
    review: Review,
    attribute: str,
    split: Split,
    pairs: Sequence[twins.Twin],
    chosen: int | None,
    *,
    redrawn: bool,
) -> None:
    """The twins in row `chosen`; before some are chosen the first of them, in short."""
    if not pairs:
        return
    twin = next((t for t in pairs if t.row == chosen), None)
    with st.container(border=True, key="detail"):
        if twin is None:
            _introduce_pair(review, attribute, pairs[0], redrawn=redrawn)
            st.caption("Select any pair to see where the model looks in it, and to leave it out.")
            return
        shown = _introduce_pair(review, attribute, twin, redrawn=redrawn)
        vetoes.leave_out(attribute, split, twin)
        label = cache.dataset(review).target.levels.index(twin.label)
        where_it_looks.draw(review, shown, label)


def _introduce_pair(review: Review, attribute: str, twin: twins.Twin, *, redrawn: bool) -> list[Shown]:
    """Both sides of a pair, large, with what the model says."""
    unit = cache.dataset(review).unit.capitalize()
    st.subheader(components.plain(f"{unit} {twin.row}: truly {twin.label}"), anchor=False)
    sides = (twin.favoured, twin.other)
    shown = [Shown(s.row, s.level, attribute if redrawn else "", s.code if redrawn else 0) for s in sides]
    pictures = [
        _portrait(review, one, f"{one.name}: says {side.answer}")
        for one, side in zip(shown, sides, strict=True)
    ]
    _pair(twin.row, pictures)
    return shown


def _portrait(review: Review, shown: Shown, note: str) -> gallery.Picture:
    return portraits.picture(
        review, shown.row, note, note, attribute=shown.attribute, code=shown.code, side=LARGE
    )


def _pair(key: int, pictures: list[gallery.Picture]) -> None:
    gallery.show(
        [gallery.Tile(key, tuple(pictures))], key="sample_and_twin", label="Beside its twin", size="pair"
    )


def _twin(review: Review, attribute: str, sample: training_sample.Sample) -> tuple[Shown, str] | None:
    """The same sample with another level, or the real person who is most like it, and a line under it."""
    data = cache.dataset(review)
    if data.pair_method != "matched":
        code = int(cache.counterparts(review.data, "train", attribute)[sample.position])
        if code == int(data.attribute(attribute).codes[sample.row]):
            return None  # a text that names nobody
        twin = Shown(sample.row, f"its twin, {level_name(data, attribute, code)}", attribute, code)
        return twin, twin.name
    pairs = cache.pairs(review, "train", attribute)
    found = np.flatnonzero(pairs.rows == sample.row)
    if not len(found):
        return None
    level = level_name(data, attribute, int(pairs.counterpart_codes[found[0]]))
    twin = Shown(int(pairs.counterparts.rows[found[0]]), f"most like it, {level}")
    return twin, f"{twin.name}, distance {pairs.distance[found[0]]:.2f}"

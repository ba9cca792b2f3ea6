"""Where the model looks in a sample and its twin, by the original model and by the variant in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter

import streamlit as st

from app import cache
from app.record.review import Review
from app.record.variants import Variant
from app.session import memory, state
from app.view_models import charts, glossary, where_it_looks
from app.view_models.where_it_looks import METHODS, Shown
from app.widgets import components, gallery, marked_text, panels, portraits
from fmd_core import Explanation, FMDError
from fmd_core.explain import heat_map
from fmd_core.kinds import find_kind
from fmd_core.models.sentence_encoder import INSTALL

ORIGINAL = "original"


def draw(review: Review, shown: Sequence[Shown], target: int, tried: Variant | None = None) -> None:
    """Maps of images, or bars of records, of what speaks for class `target`; a problem is one sentence.
    Beside the original stands the variant that is `tried`, or the one in force."""
    st.subheader(
        "Where the model looks",
        anchor=False,
        help=glossary.tip("Integrated gradients", "Grad-CAM", "Log-odds"),
    )
    try:
        _draw(review, shown, target, tried)
    except FMDError as error:
        components.show_problem(error)


def _draw(review: Review, shown: Sequence[Shown], target: int, tried: Variant | None) -> None:
    variant = tried or state.current()
    variants = [None] if variant is None else [None, variant]
    models = (
        [ORIGINAL]
        if variant is None
        else [ORIGINAL, "this variant" if tried else components.model_in_force()]
    )
    with st.spinner("Asking the model where it looks"):
        options = cache.explainers(review)
    reads_words = find_kind(cache.dataset(review).source.kind).reads_words
    if not options and reads_words:
        st.caption(
            components.plain(
                f"Which words count for the model is worked out by its sentence encoder: {INSTALL}"
            )
        )
        return
    if not options:
        st.caption("Where this model looks cannot be asked: only the features of given rows are known of it.")
        return
    method = options[0]
    if len(options) > 1:
        memory.keep_within("looks_method", options)
        chosen = st.segmented_control(
            "Method", options, format_func=METHODS.__getitem__, required=True, key="looks_method",
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        method = chosen or method
    with st.spinner("Asking the model where it looks"):
        questions = [
            [(review, r, s.row, s.attribute, s.code, target, method) for r in variants] for s in shown
        ]
        found = [[cache.explanation(*question) for question in own] for own in questions]
    data, everything = cache.dataset(review), [f for own in found for f in own]
    words = where_it_looks.words(data, target, everything)
    st.write(components.plain(words.shows))
    if words.caution:
        st.warning(components.plain(words.caution))
    if reads_words:
        _texts(where_it_looks.build_texts(data, shown, models, found), hidden=portraits.is_hidden(review))
    elif everything[0].columns:
        _bars(where_it_looks.build_bars(data, shown, models, found))
    else:
        above = st.container()
        st.html(_legend(signed=method != "grad-cam"))
        scales = _scales(found)
        maps = [[cache.heat(*q, s) for q, s in zip(own, scales, strict=True)] for own in questions]
        with above:
            _maps(where_it_looks.build_maps(data, shown, models, found), maps)
    st.caption(words.shows_not)


def _texts(views: Sequence[where_it_looks.Text], *, hidden: bool) -> None:
    for place, view in enumerate(views):
        st.markdown(f"**{components.plain(view.title)}**")
        for model, words in view.models:
            st.html(marked_text.weighed(words, model, blurred=hidden))
        if not hidden:
            st.caption(components.plain(view.summary))
            panels.folded_table(partial(attrgetter("table"), view), view.summary, key=f"words_{place}")


def _scales(found: Sequence[Sequence[Explanation]]) -> list[float]:
    """The end of the colours for each model: the same, unless the visitor wants the paler map stronger."""
    by_model = [heat_map.scale_of([own[i].contributions for own in found]) for i in range(len(found[0]))]
    alone = len(by_model) > 1 and st.toggle(
        "Each model on its own scale", key="looks_own_scale", persist_state="session",
        help="On one scale a model that is less sure looks paler. On its own scale you see where it looks, "
        "but not how much.",
    )  # fmt: skip
    return by_model if alone else [max(by_model)] * len(by_model)


def _maps(views: Sequence[where_it_looks.MapRow], maps: Sequence[Sequence[str]]) -> None:
    sources = iter(src for row in maps for src in row)
    for place, view in enumerate(views):
        if view.title:
            st.markdown(f"**{components.plain(view.title)}**")
        pictures = tuple(gallery.Picture(next(sources), told.alt, told.note) for told in view.maps)
        gallery.show(
            [gallery.Tile(0, pictures)], key=f"maps_{place}", label="Where the model looks", size="pair"
        )


def _bars(views: Sequence[where_it_looks.Bars]) -> None:
    every = [value for view in views for _, values in view.series for value in values]
    for place, view in enumerate(views):
        st.markdown(f"**{components.plain(view.title)}**")
        figure = charts.contributions(view.labels, view.series, reach=(min(every), max(every)))
        panels.picture(figure, view.summary, key=f"contributions_{place}")
        panels.folded_table(partial(attrgetter("table"), view), view.summary, key=f"contributions_{place}")


def _legend(*, signed: bool) -> str:
    """The colour scale as HTML, hidden from screen readers: each picture says in words what it shows."""
    ends = ("against", "for") if signed else ("nothing", "for")
    colors = f"{heat_map.AGAINST}, #f1f1f1, {heat_map.FOR}" if signed else f"#f1f1f1, {heat_map.FOR}"
    return (
        "<div aria-hidden='true' style='display: flex; align-items: center; gap: 8px; font-size: 12px'>"
        f"<span>{ends[0]}</span><span style='flex: 0 1 9rem; height: 8px; border-radius: 4px; "
        f"background: linear-gradient(to right, {colors})'></span><span>{ends[1]}</span></div>"
    )

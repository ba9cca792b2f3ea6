"""The controls of feature unlearning: what is to be forgotten, and how."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache
from app.record.review import Aim, Review
from app.record.trained import Pattern, Trained
from app.record.variants import Erasure, Retrained
from app.session import memory, state
from app.unlearning import forgetting_job
from app.view_models import charts
from app.view_models import feature_unlearning as words
from app.widgets import gallery, panels
from fmd_core.forget.adversarial import ADVERSARY, STRENGTHS
from fmd_core.forget.channels import PATTERN, ChannelGroups
from fmd_core.forget.erasure import ERASURE
from fmd_core.unlearn.guarded_path import TOLERANCE

EXAMPLES = 5
MOST_PATTERNS = 12
ROUNDS = {ADVERSARY.name: 20, PATTERN.name: 3}


def attributes(review: Review) -> tuple[str, ...]:
    """Which attributes are to be forgotten; the one under review unless others are chosen."""
    options = cache.changeable(cache.dataset(review))
    chosen = st.multiselect(
        "Forget", options, default=[state.attribute()] if state.attribute() in options else [],
        key=f"forget_{review.data}", persist_state="session",
        placeholder="choose an attribute",
    )  # fmt: skip
    return tuple(chosen)


def asked_about(review: Review) -> tuple[str, ...]:
    """Attributes that fresh readers are asked about beside a pattern, which has no annotation: none unless chosen."""
    chosen = st.multiselect(
        "Ask readers about (optional)", cache.changeable(cache.dataset(review)),
        key=f"ask_{review.data}", persist_state="session", placeholder="no attribute",
    )  # fmt: skip
    return tuple(chosen)


def aim(review: Review, names: tuple[str, ...]) -> Aim:
    """The bias that before and after, and the guard, are about: by what is forgotten, where that has twins."""
    testable = cache.testable(review)
    about = tuple(name for name in names if name in testable)
    return Aim(about, state.measure()) if about else state.aim()


def way() -> str:
    """How it is to be forgotten: the name of a method."""
    return str(
        st.segmented_control(
            "How",
            list(words.WAYS),
            format_func=words.WAYS.__getitem__,
            default=ERASURE.name,
            required=True,
            key="forget_way",
            persist_state="session",
        )
    )


def erase(review: Review, names: tuple[str, ...]) -> Erasure:
    """The closed form, at once."""
    form = st.selectbox(
        "What is erased", list(words.FORMS), format_func=words.FORMS.__getitem__, key="erase_form",
        persist_state="session",
    )  # fmt: skip
    st.caption(words.FORM_NOTES[form])
    return Erasure(review, aim(review, names), names, form, TOLERANCE)


def train(review: Review, names: tuple[str, ...]) -> Retrained | None:
    """Training against the attributes, as a job; what was trained before can be chosen."""
    pressure = st.selectbox(
        "Against what", list(words.PRESSURES), format_func=words.PRESSURES.__getitem__, key="forget_pressure",
        persist_state="session",
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        strength = st.number_input(
            "Strength", 0.05, 20.0, STRENGTHS[pressure], 0.5, key=f"forget_strength_{pressure}",
            help="How much forgetting weighs against the task.",
        )  # fmt: skip
    with right:
        epochs = st.number_input("Rounds", 1, 100, ROUNDS[ADVERSARY.name], key="forget_rounds")
    if st.button("Start training", type="primary", disabled=not names, icon=":material/play_arrow:"):
        forgetting_job.train(names, aim(review, names), pressure, float(strength), int(epochs), TOLERANCE)
    forgetting_job.follow()
    found = _trained(review, ADVERSARY.name)
    return found.variant if found else None


def forget_pattern(review: Review, beside: DeltaGenerator) -> Trained | None:
    """Patterns that channels respond to, without annotation, shown `beside`; one of them can be forgotten."""
    layers = cache.convolutions(review)
    layer = st.selectbox(
        "Layer", ["", *layers], format_func=lambda n: _layer_title(n, layers), key="pattern_layer",
        persist_state="session",
    )  # fmt: skip
    asked = st.selectbox(
        "Number of patterns", [0, *range(2, MOST_PATTERNS + 1)], key="pattern_groups", persist_state="session",
        format_func=lambda n: str(n) if n else "As many as the channels show",
    )  # fmt: skip
    n_groups = asked or None
    with st.spinner("Comparing what the channels respond to"):
        groups = cache.channel_groups(review, layer, n_groups)
    eigenvalues = groups.eigenvalues[: max(12, groups.n_groups + 2)].tolist()
    summary = words.spectrum_summary(groups.n_groups, len(groups.eigenvalues), by_hand=bool(asked))
    panels.picture(charts.spectrum(eigenvalues, groups.n_groups), summary, key="spectrum")
    panels.folded_table(lambda: words.spectrum_table(eigenvalues), summary, key="spectrum")
    with beside:
        for group in range(groups.n_groups):
            _show_pattern(review, Pattern(layer, n_groups, group), groups)
    chosen = st.selectbox(
        "Which pattern is to be forgotten?", range(groups.n_groups), format_func=lambda g: f"Pattern {g + 1}",
        key=f"pattern_of_{layer}_{groups.n_groups}",
    )  # fmt: skip
    epochs = st.number_input("Rounds", 1, 50, ROUNDS[PATTERN.name], key="pattern_rounds")
    if st.button("Forget this pattern", type="primary", icon=":material/play_arrow:"):
        forgetting_job.train_without(Pattern(layer, n_groups, int(chosen)), int(epochs), TOLERANCE)
    forgetting_job.follow()
    return _trained(review, PATTERN.name)


def _show_pattern(review: Review, pattern: Pattern, groups: ChannelGroups) -> None:
    """Where a few held-out images show it."""
    number, rows = pattern.group + 1, _examples(review)
    share = (
        f"{len(groups.members(pattern.group))} of {len(groups.groups)} channels; blue is where they respond"
    )
    st.markdown(f"**Pattern {number}** · {share}")
    pictures = cache.pattern_pictures(review, pattern.layer, pattern.n_groups, pattern.group, rows)
    tiles = [
        gallery.Tile(row, (gallery.Picture(src, f"Where image {row} shows pattern {number}, in blue"),))
        for row, src in zip(rows, pictures, strict=True)
    ]
    gallery.show(tiles, key=f"pattern_{number}", label=f"Pattern {number}", size="five")


def _layer_title(name: str, layers: dict[str, tuple[int, int]]) -> str:
    return (
        f"{name} ({layers[name][0]} × {layers[name][1]})" if name else "The last one that still shows places"
    )


def _examples(review: Review) -> tuple[int, ...]:
    """A few held-out images, evenly spread."""
    rows = cache.dataset(review).rows("test")
    return tuple(int(row) for row in rows[np.linspace(0, len(rows) - 1, EXAMPLES).astype(int)])


def _trained(review: Review, kind: str) -> Trained | None:
    """The latest of what was trained in this way, or the one that is chosen; its losses below."""
    found = [t for t in state.trained_here() if forgetting_job.is_about(t, review, kind)]
    if not found:
        return None
    latest = found[-1]
    chosen = latest
    if len(found) > 1:
        names = {trained.variant.what: trained for trained in found}
        memory.offer(f"trained_{kind}", tuple(names), latest.variant.what)
        chosen = names[st.selectbox("Trained so far", list(names), key=f"trained_{kind}")]
    _losses(chosen)
    if chosen.coverage is not None:
        st.caption(words.coverage_sentence(chosen.coverage))
    return chosen


def _losses(trained: Trained) -> None:
    with st.expander(f"How the training went ({trained.seconds:.0f} s)"):
        rounds = trained.rounds
        figure = charts.losses([r.task_loss for r in rounds], [r.forgetting_loss for r in rounds])
        panels.chart(figure, words.losses_summary(rounds), words.losses_table(rounds), key="losses")

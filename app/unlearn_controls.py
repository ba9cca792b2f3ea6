"""The controls of the Unlearn page: what to try, and the history with undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import streamlit as st

import fmd_core as fmd
from app import cache, components, glossary, panels, preparation, state
from app.history import History
from app.review import Review
from app.variants import Recipe, describe
from app.view_models import unlearn
from fmd_core import wording
from fmd_core.architectures import Depth
from fmd_core.unlearning import STRATEGIES, USES_K

DEPTHS: dict[Depth, str] = {
    "last layer": "The last layer",
    "concatenated": "The last two layers, side by side",
    "two layers": "The last two layers, in full (slow)",
}


def opened() -> Review:
    """The review, open as deep as was chosen, with everything computed that the page shows."""
    review = state.review()
    state.keep_within("depth", cache.depths(review))
    review = replace(review, depth=state.depth())
    preparation.require(review)
    preparation.require_path(review, state.joint_aim(), *state.strategy())
    return review


def choose(review: Review) -> tuple[fmd.UnlearningPath, fmd.PathPoint, Recipe]:
    """Attributes, strategy, K, tolerance and strength; the path they lead along and the point chosen on it."""
    more = [name for name in cache.changeable(cache.dataset(review)) if name != state.attribute()]
    if more:
        state.keep_among("also", tuple(more))
        st.multiselect(
            f"Take out {components.plain(state.attribute())}, and also",
            more,
            key="also",
            persist_state="session",
            placeholder="nothing else",
            help="Several attributes are unlearned at once; the bias that is shown and guarded is their mean, and none "
            "of them may rise.",
        )
    aim = state.joint_aim()
    strategy = st.selectbox(
        "How",
        STRATEGIES,
        format_func=wording.STRATEGY_TITLES.__getitem__,
        key="strategy",
        persist_state="session",
        help=glossary.tip("Unlearning", "Last layer"),
    )
    st.caption(wording.strategy_note(strategy, aim.measure))
    if len(cache.depths(review)) > 1:
        st.selectbox(
            "What may change",
            cache.depths(review),
            format_func=DEPTHS.__getitem__,
            key="depth",
            persist_state="session",
            help="One layer is quickest. Two reach what the last one cannot see, and often keep more accuracy; side by "
            "side means that the last layer also reads what goes into the layer below it.",
        )
    k = 0
    if strategy in USES_K:
        k = st.number_input(
            "Harmful samples to unlearn (K)",
            min_value=0,
            value=state.DEFAULT_K,
            step=10,
            key="unlearn_k",
            persist_state="session",
            help=glossary.tip("K", "Harmful sample"),
        )
    tolerance = st.slider(
        "Overall accuracy you allow it to cost, points",
        0.0,
        5.0,
        1.0,
        0.5,
        key="tolerance",
        persist_state="session",
        help=glossary.tip("Guard"),
    )
    asked = replace(review, depth=state.depth()), aim, strategy, k
    if asked not in cache.solved() and state.is_first_time(asked):
        st.rerun()  # the page sees to it first, with progress and a way to stop
    path = cache.path(review, aim, strategy, k, tolerance / 100)
    stops, key = unlearn.stops(path), state.stop_key()
    state.settle_slider(key)
    if state.has(key) and state.value(key, "") not in stops:
        gone = str(state.value(key, ""))[:60]
        st.info(components.plain(f"There is no strength '{gone}' here, so this is the original."))
    state.keep_within(key, tuple(stops))
    stop = st.select_slider(
        "Strength",
        tuple(stops),
        key=key,
        persist_state="session",
        help=glossary.tip("Strength", "Part of the way", "Step share"),
    )
    best = _stop_of(path)
    st.button("Go to our suggestion", on_click=state.setter(key, best), disabled=stop == best)
    choice = stops[stop]
    variant = Recipe(review, aim, strategy, k, choice.result.strength, choice.result.blend, tolerance / 100)
    return path, choice, variant


def history_panel(path: fmd.UnlearningPath, choice: fmd.PathPoint, variant: Recipe) -> None:
    """Apply, undo, redo, back to the original, and everything done so far."""
    past = state.history()
    head, tried = cache.head(state.review(), past.current), cache.head(variant.review, variant)
    with st.container(border=True):
        st.markdown(f"**In force:** {components.plain(_called(past))}")
        with st.container(horizontal=True):
            same = tried.fingerprint == head.fingerprint
            if choice is path.original is not path.suggested and past.current is None:
                best = path.suggested.result
                suggested = replace(variant, strength=best.strength, blend=best.blend)
                _act("Apply our suggestion", _apply_at, suggested, _stop_of(path), primary=True)
            else:
                label = "Apply although refused" if choice.refusal else "Apply this"
                _act(label, state.apply, variant, disabled=same, primary=not choice.refusal)
            _act("Undo", state.undo, disabled=not past.can_undo)
            _act("Redo", state.redo, disabled=not past.can_redo)
            _act("Back to original", state.back_to_original, disabled=past.current is None)
        if past.current and not same:
            st.caption(
                "Applying replaces what is in force: every variant starts from the original model. All that were in "
                "force are kept on the Compare page."
            )
        st.caption(
            f"Fingerprint of the last layer in force: {head.fingerprint[:16]}",
            help=glossary.tip("Fingerprint"),
        )
        if past.log:
            st.table(
                panels.plain_cells(unlearn.history_table(past)),
                border="horizontal",
                hide_index=True,
                alt="History",
            )


def _called(past: History) -> str:
    """What is in force by name, and how it was made."""
    if past.current is None:
        return "the original model"
    return f"{past.name(past.current)}, {describe(past.current)}"


def _stop_of(path: fmd.UnlearningPath) -> str:
    return next(name for name, point in unlearn.stops(path).items() if point is path.suggested)


def _apply_at(variant: Recipe, stop: str) -> None:
    """Put a variant in force and let the slider stand on it at the next drawing."""
    state.apply(variant)
    state.move_slider(stop)


def _act(
    label: str, action: Callable[..., None], *args: object, disabled: bool = False, primary: bool = False
) -> None:
    """A button whose effect the whole app must see, the sidebar too."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=kind, disabled=disabled):
        action(*args)
        st.rerun()

"""The controls of the Unlearn page: what to try."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

import fmd_core as fmd
from app import cache
from app.jobs import preparation
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.session import memory, state
from app.unlearning.history_panel import Shortcut
from app.view_models import glossary, unlearn
from app.widgets import components
from fmd_core import wording
from fmd_core.guarded_path import TOLERANCE
from fmd_core.models.depth import find_depth
from fmd_core.unlearning import STRATEGIES, USES_K, StrategyName

Asked = tuple[Review, Aim, StrategyName, int]  # the int is K


def opened() -> Review:
    """The review, open as deep as was chosen, with everything computed that the page shows."""
    review = state.review()
    memory.keep_within("depth", cache.depths(review))
    review = replace(review, depth=state.depth())
    preparation.require(review)
    preparation.require_path(review, state.joint_aim(), *state.strategy())
    return review


def choose(review: Review) -> tuple[fmd.UnlearningPath, fmd.PathPoint, Recipe]:
    """Attributes, strategy, K, tolerance and strength; the path they lead along and the point chosen on it."""
    _choose_attributes(review)
    aim = state.joint_aim()
    strategy = _choose_strategy(aim)
    _choose_depth(review)
    k = _choose_k() if strategy in USES_K else 0
    tolerance = _choose_tolerance()
    asked = replace(review, depth=state.depth()), aim, strategy, k
    if not cache.is_solved(*asked) and memory.is_first_time(asked):
        st.rerun()  # the page sees to it first, with progress and a way to stop
    path = cache.path(review, aim, strategy, k, tolerance)
    choice = _choose_strength(path, asked)
    variant = Recipe(review, aim, strategy, k, choice.result.strength, choice.result.blend, tolerance)
    return path, choice, variant


def _choose_attributes(review: Review) -> None:
    """What is taken out beside the attribute under review."""
    more = [name for name in cache.testable(review) if name != state.attribute()]
    if not more:
        return
    memory.keep_among("also", tuple(more))
    st.multiselect(
        f"Take out {components.plain(state.attribute())}, and also",
        more,
        key="also",
        persist_state="session",
        placeholder="nothing else",
        help="Several attributes are unlearned at once; the bias that is shown and guarded is their mean, and none "
        "of them may rise.",
    )


def _choose_strategy(aim: Aim) -> StrategyName:
    strategy = st.selectbox(
        "How",
        STRATEGIES,
        format_func=wording.STRATEGY_TITLES.__getitem__,
        key="strategy",
        persist_state="session",
        help=glossary.tip("Unlearning", "Last layer"),
    )
    st.caption(wording.strategy_note(strategy, aim.measure))
    return strategy


def _choose_depth(review: Review) -> None:
    names = cache.depths(review)
    if len(names) == 1:
        return
    st.selectbox(
        "What may change",
        names,
        format_func=lambda name: find_depth(name).title,
        key="depth",
        persist_state="session",
        help=" ".join(find_depth(name).note for name in names),
    )


def _choose_k() -> int:
    return st.number_input(
        "Harmful samples to unlearn (K)",
        min_value=0,
        value=state.DEFAULT_K,
        step=10,
        key="unlearn_k",
        persist_state="session",
        help=glossary.tip("K", "Harmful sample"),
    )


def _choose_tolerance() -> float:
    """The share of accuracy that the guard may let go."""
    points = st.slider(
        "Overall accuracy you allow it to cost, points",
        0.0,
        5.0,
        100 * TOLERANCE,
        0.5,
        key="tolerance",
        persist_state="session",
        help=glossary.tip("Guard"),
    )
    return points / 100


def _choose_strength(path: fmd.UnlearningPath, asked: Asked) -> fmd.PathPoint:
    """A point of the path; what was chosen on another path is said to be gone if it is."""
    stops, key = unlearn.stops(path), state.stop_key()
    _follow(key, asked)
    if not memory.has(key) and (begins := unlearn.stop_of(path, _made_here(asked))):
        memory.put(key, begins)
    if memory.has(key) and memory.value(key, "") not in stops:
        gone = str(memory.value(key, ""))[:60]
        st.info(components.plain(f"There is no strength '{gone}' here, so this is the original."))
    memory.keep_within(key, tuple(stops))
    stop = st.select_slider(
        "Strength",
        tuple(stops),
        key=key,
        persist_state="session",
        help=glossary.tip("Strength", "Part of the way", "Step share"),
    )
    best = _stop_of(path)
    st.button("Go to our suggestion", on_click=memory.setter(key, best), disabled=stop == best)
    return stops[stop]


def _follow(key: str, asked: Asked) -> None:
    """Let the slider go where a step has led: to the original, or to a variant that was made by what is on screen."""
    at, current = asked[0].key, state.current()
    seen_at, seen = memory.value("followed", (at, current))
    if seen_at == at and seen != current and (current is None or _made_here(asked)):
        memory.forget(key)
    memory.put("followed", (at, current))


def _made_here(asked: Asked) -> Recipe | None:
    """The variant in force if it was made by what is asked for on screen, but for its strength."""
    current = state.current()
    if not isinstance(current, Recipe):
        return None
    made = current.review, current.aim, current.strategy, current.k
    return current if made == asked else None


def suggestion(path: fmd.UnlearningPath, choice: fmd.PathPoint, variant: Recipe) -> Shortcut | None:
    """The way to our suggestion in one step, while the slider stands on the original and that is in force."""
    if choice is not path.original or path.suggested is path.original or state.current() is not None:
        return None
    best = path.suggested.result
    wanted = replace(variant, strength=best.strength, blend=best.blend)
    return Shortcut("Apply our suggestion", lambda: state.apply(wanted))


def _stop_of(path: fmd.UnlearningPath) -> str:
    return next(name for name, point in unlearn.stops(path).items() if point is path.suggested)

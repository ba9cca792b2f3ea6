"""The controls of the Unlearn page: what to try."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

import fmd_core as fmd
from app import cache
from app.jobs import preparation
from app.record.review import Aim, Review
from app.record.variants import Recipe, Sweep
from app.session import memory, state
from app.unlearning import aimed
from app.unlearning.history_panel import Shortcut
from app.view_models import blame, glossary, unlearn
from app.widgets import components
from fmd_core import figures
from fmd_core.data import PairMethod
from fmd_core.method import Strategy, default_strategy, find_strategy, strategies
from fmd_core.models.depth import find_depth
from fmd_core.report import wording
from fmd_core.unlearn.guarded_path import TOLERANCE


def require_sweep() -> None:
    """Have everything computed that the page shows of what is chosen."""
    state.settle_sweep()
    memory.keep_within("depth", cache.depths(state.review()))
    sweep = state.sweep()
    preparation.require(sweep.review)
    preparation.require_path(*sweep)


@dataclass(frozen=True)
class Chosen:
    """A path and how it was chosen; the strength is chosen next."""

    path: fmd.UnlearningPath
    sweep: Sweep
    tolerance: float

    def recipe(self, choice: fmd.PathPoint) -> Recipe:
        """A point of the path as a variant."""
        return Recipe(*self.sweep, choice.result.strength, choice.result.blend, self.tolerance)


def choose_what_improves(review: Review) -> None:
    """What a fix is for: what counts as bias, or whoever is served worst, with who that is."""
    named = blame.IMPROVEMENTS
    memory.keep_within(state.IMPROVES, tuple(named))
    st.selectbox(
        "What should improve", tuple(named), format_func=named.__getitem__, key=state.IMPROVES,
        persist_state="session", help=glossary.tip("Worst group"),
    )  # fmt: skip
    if state.improves() == "worst group":
        attribute = state.attribute()
        group = cache.worst_served(review, attribute)
        told = blame.served_worst(
            cache.dataset(review), attribute, group, cache.groups_unsaid(review, attribute),
            alike=0 if group is None else cache.as_badly_served(review, attribute),
            parts=cache.who_choose(review),
        )  # fmt: skip
        st.caption(components.plain(told))


def choose_way() -> Chosen:
    """Attributes, strategy, depth, K and tolerance, and the path they lead along.

    The controls come first and `state.sweep` is read once, after them: what is shown, applied and written into the
    address is one recipe, also where the page runs for a control alone.
    """
    review = state.review()
    _choose_attributes(review)
    strategy = _choose_strategy(state.joint_aim(), cache.dataset(review).pair_method)
    _choose_depth(review)
    if strategy.uses_k:
        _choose_k()
    tolerance = _choose_tolerance()
    sweep = state.sweep()
    if not cache.is_solved(*sweep) and memory.is_first_time(sweep):
        st.rerun()  # the page sees to it first, with progress and a way to stop
    return Chosen(cache.path(*sweep, tolerance, aimed.goal(sweep.aim)), sweep, tolerance)


def choose_strength(chosen: Chosen) -> fmd.PathPoint:
    """The point of the path that the slider stands on."""
    name = find_strategy(chosen.sweep.strategy).strength_name
    return _choose_strength(chosen.path, chosen.sweep, name)


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


def _choose_strategy(aim: Aim, twins: PairMethod) -> Strategy:
    names = tuple(strategy.name for strategy in strategies())
    memory.offer("strategy", names, default_strategy(twins))
    name = st.selectbox(
        "How",
        names,
        format_func=lambda name: find_strategy(name).title,
        key="strategy",
        persist_state="session",
        help=glossary.tip("Unlearning", "Last layer"),
    )
    strategy = find_strategy(name)
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


def _choose_k() -> None:
    st.number_input(
        f"Harmful {figures.many(cache.dataset(state.review()).unit)} to unlearn (K)",
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


def _choose_strength(path: fmd.UnlearningPath, sweep: Sweep, label: str) -> fmd.PathPoint:
    """A point of the path; what was chosen on another path is said to be gone if it is."""
    stops, key = unlearn.stops(path), state.stop_key()
    _follow(key, sweep)
    memory.settle(key)
    if goes := state.slider_goes():
        memory.put(key, _stop_of(path) if goes == "best" else next(iter(stops)))
    if not memory.has(key) and (begins := unlearn.stop_of(path, _made_here(sweep))):
        memory.put(key, begins)
    if memory.has(key) and memory.value(key, "") not in stops:
        gone = str(memory.value(key, ""))[:60]
        st.info(components.plain(f"There is no strength '{gone}' here, so this is the original."))
    memory.keep_within(key, tuple(stops))
    best = _stop_of(path)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        stop = st.select_slider(
            label.capitalize(),
            tuple(stops),
            key=key,
            persist_state="session",
            help=glossary.tip("Strength", "Part of the way", "Step share"),
        )
        st.button("Go to our suggestion", on_click=memory.setter(key, best), disabled=stop == best)
    return stops[stop]


def _follow(key: str, sweep: Sweep) -> None:
    """Let the slider go where a step has led: to the original, or to a variant that was made by what is on screen."""
    at, current = sweep.review.key, state.current()
    seen_at, seen = memory.value("followed", (at, current))
    if seen_at == at and seen != current and (current is None or _made_here(sweep)):
        memory.forget(key)
    memory.put("followed", (at, current))


def _made_here(sweep: Sweep) -> Recipe | None:
    """The variant in force if it is a point of the path on screen."""
    current = state.current()
    return current if isinstance(current, Recipe) and current.sweep == sweep else None


def suggestion(path: fmd.UnlearningPath, choice: fmd.PathPoint, variant: Recipe) -> Shortcut | None:
    """The way to our suggestion in one step, while the slider stands on the original and that is in force."""
    if choice is not path.original or path.suggested is path.original or state.current() is not None:
        return None
    best = path.suggested.result
    wanted = replace(variant, strength=best.strength, blend=best.blend)
    return Shortcut("Apply our suggestion", lambda: state.apply(wanted))


def _stop_of(path: fmd.UnlearningPath) -> str:
    return next(name for name, point in unlearn.stops(path).items() if point is path.suggested)

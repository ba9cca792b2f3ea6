"""Take the bias out: strengths, the guard, before and after, undo."""

import streamlit as st

from app import cache
from app.opening import permalink
from app.record.review import Aim
from app.session import state
from app.unlearning import aimed, before_after, deeper, history_panel, roads, stage, trade_off
from app.unlearning.unlearn_controls import choose_strength, choose_way, require_sweep, suggestion
from app.view_models import aiming, glossary, unlearn
from app.view_models.before_after import BeforeAfter
from app.widgets import components, panels
from fmd_core import FMDError, PathPoint, UnlearningPath

require_sweep()


@components.fragment
def conversation() -> None:
    """The slider and everything that it moves."""
    if state.is_going():
        st.rerun()  # the whole page: sidebar and controls stand elsewhere
    top = st.container()
    left, right = st.container(key="fix").columns([5, 11], gap="medium")
    try:
        with left, st.spinner("Trying every strength"):
            offered = st.container()
            with st.expander("Choose by hand"):
                chosen = choose_way()
        with right, st.container(border=True, key=stage.SLIDER):
            choice = choose_strength(chosen)
    except FMDError:  # the sentence stands below; the page keeps its question
        with top:
            components.header("Unlearn · against the original model", "This cannot be tried.")
        raise
    path, variant = chosen.path, chosen.recipe(choice)
    review, aim = variant.review, variant.aim  # not the page's: it runs less often than this part of it
    limit = state.limits().of_aim(aim.measure)
    with right:  # the twins move first; held-out people are asked next
        stage.twins(path, variant)
        curved, sloped = st.columns(2, gap="small")
        with curved, st.container(border=True, height="stretch"):
            curve = draw_curve(path, choice, aim)
    data = cache.dataset(review)
    comparison = cache.comparison(review, variant, aim.attribute)
    with sloped, st.container(border=True, height="stretch"):
        stage.slopes(comparison)
    others = cache.other_biases(review, variant, aim.attribute)
    result = BeforeAfter(data, comparison, others)
    with top:
        elsewhere = unlearn.standing_on_original(path, choice, state.history())
        was_for = aiming.concerned(aimed.finding(aim), data, comparison, aimed.verdict().references)
        said = was_for or aiming.still_beyond(comparison, limit), result.who_pays
        components.header(
            "Fix · preview, against the original model",
            elsewhere or result.headline,
            aimed.sentence(aim) if comparison.verdict == "unchanged" else " ".join(filter(None, said)),
        )
        aimed.propose(aim)
    with offered:
        stage.target(limit)
        stage.cards(path, variant, limit)
        if curve.warning:
            st.warning(components.plain(curve.warning))
        history_panel.draw(
            variant, refused=bool(choice.refusal), shortcut=suggestion(path, choice, variant),
            is_original=choice is path.original,
        )  # fmt: skip
        within = unlearn.within_limit(cache.audit(review, None), aimed.verdict(), aim, limit)
        if within:
            st.info(components.plain(within))
    panels.cards(result.cards)
    with st.expander("Our suggestion, and why: what validation people say"):
        st.caption(
            components.plain(f"Our suggestion: {curve.reason}"), help=glossary.tip("Our suggestion", "Guard")
        )
    roads.draw(variant)
    deeper.draw(variant.tolerance)
    if comparison.verdict == "unchanged":
        st.info("Move the strength, or choose one of the offers, and see before and after here.")
    else:
        proof = before_after.did_it_work(state.review(), variant, comparison)
        before_after.draw("unlearn", review, result, proof)
    permalink.write()


def draw_curve(path: UnlearningPath, choice: PathPoint, aim: Aim) -> unlearn.CurveView:
    """What validation people say of every strength."""
    named = unlearn.axes(path, aim.measure)
    axis = trade_off.choose_axis(named)
    curve = unlearn.build_curve(path, choice, axis, named[axis])
    trade_off.draw(curve, lambda: unlearn.curve_table(path, aim.measure), slider=stage.SLIDER)
    return curve


conversation()
components.next_step("app_pages/report.py", "Write the report")

"""Take the bias out: strengths, the guard, before and after, undo."""

import streamlit as st

from app import cache
from app.opening import permalink
from app.session import state
from app.unlearning import aimed, before_after, deeper, history_panel, roads, trade_off
from app.unlearning.unlearn_controls import choose, require_sweep, suggestion
from app.view_models import aiming, glossary, unlearn
from app.view_models.before_after import BeforeAfter
from app.widgets import components, panels
from fmd_core import FMDError

require_sweep()


@components.fragment
def conversation() -> None:
    """The slider and everything that it moves."""
    if state.is_going():
        st.rerun()  # the whole page: sidebar and controls stand elsewhere
    top = st.container()
    left, right = st.columns([2, 3], gap="large")
    try:
        with left, st.spinner("Trying every strength"):
            path, choice, variant = choose()
    except FMDError:  # the sentence stands below; the page keeps its question
        with top:
            components.header("Unlearn · against the original model", "This cannot be tried.")
        raise
    review, aim = variant.review, variant.aim  # not the page's: it runs less often than this part of it
    with right:  # the curve moves first; held-out people are asked next
        named = unlearn.axes(path, aim.measure)
        axis = trade_off.choose_axis(named)
        curve = unlearn.build_curve(path, choice, axis, named[axis])
        trade_off.draw(curve, lambda: unlearn.curve_table(path, aim.measure))
    data = cache.dataset(review)
    comparison = cache.comparison(review, variant, aim.attribute)
    others = cache.other_biases(review, variant, aim.attribute)
    result = BeforeAfter(data, comparison, others)
    limit = state.limits().of_aim(aim.measure)
    with top:
        elsewhere = unlearn.standing_on_original(path, choice, state.history())
        was_for = aiming.concerned(aimed.finding(aim), data, comparison, aimed.verdict().references)
        said = was_for or aiming.still_beyond(comparison, limit), result.who_pays
        components.header(
            "Unlearn · against the original model",
            elsewhere or result.headline,
            aimed.sentence(aim) if comparison.verdict == "unchanged" else " ".join(filter(None, said)),
        )
        panels.cards(result.cards)
        aimed.propose(aim)
    with left:
        within = unlearn.within_limit(cache.audit(review, None), aimed.verdict(), aim, limit)
        if within:
            st.info(components.plain(within))
        if curve.warning:
            st.warning(components.plain(curve.warning))
        with st.expander("Our suggestion, and why: what validation people say"):
            st.caption(
                components.plain(f"Our suggestion: {curve.reason}"),
                help=glossary.tip("Our suggestion", "Guard"),
            )
    history_panel.draw(
        variant, refused=bool(choice.refusal), shortcut=suggestion(path, choice, variant),
        is_original=choice is path.original,
    )  # fmt: skip
    roads.draw(variant)
    deeper.draw(variant.tolerance)
    if comparison.verdict == "unchanged":
        st.info("Move the strength, or go to our suggestion, and see before and after here.")
    else:
        proof = before_after.did_it_work(state.review(), variant, comparison)
        before_after.draw("unlearn", review, result, proof)
    permalink.write()


conversation()
components.next_step("app_pages/report.py", "Write the report")

"""Take the bias out: strengths, the guard, before and after, undo."""

import streamlit as st

from app import cache
from app.opening import permalink
from app.record.review import Aim
from app.record.variants import Recipe, Variant
from app.session import state
from app.unlearning import (
    aimed,
    before_after,
    deeper,
    history_panel,
    learned_runs,
    network_stage,
    roads,
    stage,
    trade_off,
)
from app.unlearning.unlearn_controls import (
    Chosen,
    choose_strength,
    choose_way,
    choose_what_improves,
    require_sweep,
    suggestion,
)
from app.view_models import aiming, glossary, unlearn
from app.view_models.before_after import BeforeAfter
from app.widgets import components, panels
from fmd_core import FMDError, PathPoint, UnlearningPath, figures
from fmd_core.measure.verdict.sentences import attribute_name

try:
    require_sweep()
except FMDError as error:  # something else can improve
    if state.improves() != "worst group":
        raise
    components.header("Unlearn · against the original model", "This cannot be tried.")
    choose_what_improves(state.review())
    components.show_problem(error)
    st.stop()


@components.fragment
def conversation() -> None:
    """The slider and everything that it moves."""
    if state.is_going():
        st.rerun()  # the whole page: sidebar and controls stand elsewhere
    top = st.container()
    left, right = st.container(key="fix").columns([5, 11], gap="medium")
    run = learned_runs.on_stage(state.review())
    try:
        with left, st.spinner("Trying every strength"):
            with (offered := st.container()):
                choose_what_improves(state.review())
            with st.expander("Choose by hand"):
                chosen = choose_way()
        with right, st.container(border=True, key=stage.SLIDER):
            standing = network_stage.choose(run, chosen.tolerance) if run else None
            choice = chosen.path.original if standing else choose_strength(chosen)
    except FMDError:  # the sentence stands below; the page keeps its question
        with top:
            components.header("Unlearn · against the original model", "This cannot be tried.")
        raise
    path, recipe = chosen.path, chosen.recipe(choice)
    variant = (standing and standing.variant) or recipe
    is_original, refusal = variant is recipe and choice is path.original, choice.refusal
    review, aim = recipe.review, recipe.aim  # not the page's: it runs less often than this part of it
    limit = state.limits().of_aim(aim.measure)
    with right:  # the twins move first; held-out people are asked next
        if standing:
            stage.twins(path, recipe, standing.beside, standing.way)
        else:
            stage.twins(path, recipe)
        curved, sloped = st.columns(2, gap="small")
        with curved, st.container(border=True, height="stretch"):
            if standing:
                standing.draw_curve()
                reason, warning, refusal = standing.reason, standing.refusal, standing.refusal
            else:
                curve = draw_curve(path, choice, aim)
                reason, warning = curve.reason, curve.warning
    data = cache.dataset(review)
    comparison = cache.comparison(review, variant, aim.attribute)
    with sloped, st.container(border=True, height="stretch"):
        stage.slopes(comparison)
    others = cache.other_biases(review, variant, aim.attribute)
    result = BeforeAfter(data, comparison, others)
    with top:
        draw_head(chosen, recipe, variant, result, is_original=is_original)
    with offered:
        stage.target(limit)
        first = st.container()
        reaches = stage.cards(path, recipe, limit, is_shown=standing is None)
        deep = st.container() if reaches else first
        if warning:
            st.warning(components.plain(warning))
        shortcut = None if standing else suggestion(path, choice, recipe)
        history_panel.draw(variant, refused=bool(refusal), shortcut=shortcut, is_original=is_original)
        called = attribute_name(data, aim.attribute)
        within = unlearn.within_limit(cache.audit(review, None), aimed.verdict(), aim, limit, called)
        if within:
            st.info(components.plain(within))
    panels.cards(result.cards)
    with st.expander(f"Our suggestion, and why: what validation {figures.many(data.unit)} say"):
        st.caption(components.plain(reason), help=glossary.tip("Our suggestion", "Guard"))
    roads.draw(recipe)
    deeper.draw(recipe.tolerance)
    if comparison.verdict == "unchanged":
        st.info("Move the strength, or choose one of the offers, and see before and after here.")
    else:
        proof = before_after.did_it_work(state.review(), variant, comparison)
        before_after.draw("unlearn", review, result, proof)
    permalink.write()
    with deep:  # last: what a network would take is measured once
        network_stage.offer(state.review(), aim, recipe.tolerance, limit, run if standing else None)


def draw_head(
    chosen: Chosen, recipe: Recipe, variant: Variant, result: BeforeAfter, *, is_original: bool
) -> None:
    """What this does and whom it is for; and what is worst, where that is something else and stays so."""
    path, review, aim = chosen.path, recipe.review, recipe.aim
    data, verdict, finding = cache.dataset(review), aimed.verdict(), aimed.finding(aim)
    limit, comparison = state.limits().of_aim(aim.measure), result.comparison
    shown, made, would_stay, missed = comparison, variant, "", ""
    elsewhere = unlearn.standing_on_original(state.history()) if is_original else ""
    if is_original and not elsewhere:
        elsewhere = unlearn.would_be("")
        if path.suggested is not path.original:
            made = chosen.recipe(path.suggested)
            shown = cache.comparison(review, made, aim.attribute)
            elsewhere = unlearn.would_be(BeforeAfter(data, shown).headline)
            would_stay = aiming.would_stay(finding, data, shown, verdict.references, limit)
    head = elsewhere or result.headline
    within_too = aiming.brought_within(verdict, aim, data, shown, is_suggested=shown is not comparison)
    if comparison.verdict == "unchanged":
        missed = "" if within_too else aiming.missed(verdict, aim, aimed.goal(aim))
        said = [head if missed else "", "" if within_too else aimed.sentence(aim), would_stay]
    else:
        was_for = aiming.concerned(finding, data, comparison, verdict.references)
        said = [was_for or aiming.still_beyond(comparison, limit), result.who_pays]
    then = ""
    if within_too or (not missed and aiming.is_brought_within(finding, data, shown, verdict.references)):
        after = cache.verdict(review, made, state.criteria())
        then = aiming.worst_then(after, is_suggested=shown is not comparison)
    components.header(
        "Fix · preview, against the original model",
        missed or head, " ".join(filter(None, [*said, within_too, then])),
    )  # fmt: skip
    if not within_too:
        aimed.propose(aim, is_told=bool(missed))


def draw_curve(path: UnlearningPath, choice: PathPoint, aim: Aim) -> unlearn.CurveView:
    """What validation people say of every strength."""
    named = unlearn.axes(path, aim.measure)
    axis = trade_off.choose_axis(named)
    curve = unlearn.build_curve(path, choice, cache.dataset(state.review()).unit, axis, named[axis])
    trade_off.draw(curve, lambda: unlearn.curve_table(path, aim.measure), slider=stage.SLIDER)
    return curve


conversation()
components.next_step("app_pages/report.py", "Write the report")

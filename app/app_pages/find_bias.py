"""What a reviewer must know first: the worst of everything that was measured."""

from functools import partial

import streamlit as st

from app import cache
from app.opening import permalink
from app.record.review import Aim
from app.samples import sentences
from app.session import memory, state, worst_finding
from app.view_models import aiming, criteria, find_bias, glossary, opening_picture
from app.view_models import verdict as verdicts
from app.widgets import (
    components,
    criteria_form,
    figure_tools,
    findings_list,
    panels,
    portraits,
    without_model,
)
from app.widgets import opening as opening_widget
from fmd_core import BiasReport, Verdict, figures
from fmd_core.measure.verdict.values import Judges

REVIEW = state.review()
IS_OF_MODEL = not REVIEW.is_of_another_system
data, matched = cache.dataset(REVIEW), cache.dataset(REVIEW).pair_method == "matched"


def go_on_with(aim: Aim) -> None:
    """From the headline to what helps the people it is about, without a walk down the page."""
    if st.button("Unlearn this", key="unlearn_worst", icon=":material/arrow_forward:", icon_position="right"):
        state.aim_at(aim)
        st.switch_page("app_pages/unlearn.py")


def opening(verdict: Verdict, at: int) -> None:
    """Two who are answered differently: of the worst finding, or of the line that was chosen."""
    if not verdict.findings:
        return
    current, finding = state.current(), verdict.findings[at]
    head = pairs = None
    single = (
        len(finding.attributes) == 1 and finding.attribute not in cache.untested(REVIEW)
        if IS_OF_MODEL
        else False
    )
    if single and cache.judges(REVIEW, current) is Judges.HELD_OUT:
        head = cache.head(REVIEW, current)
        pairs = cache.pairs(cache.standing(REVIEW, current), "test", finding.attribute)
    flips = opening_picture.flips_of(verdict.findings, finding)
    view = opening_picture.build(data, finding, cache.answered(REVIEW, current), head, pairs, flips)
    if view is not None:
        with st.container(gap=None, horizontal_alignment="right"):
            with st.container(key="opening"):
                opening_widget.draw(REVIEW, view)
            figure_tools.offer("opening", "The worst finding")
        portraits.offer_to_show(REVIEW)


@components.fragment
def findings() -> None:
    """Everything that the limits, the good answer and the references change."""
    top = st.container()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.header("What was found, most serious first", anchor=False)
    lines = st.container()
    with right.popover("Limits", icon=":material/tune:", width="stretch"):
        st.slider(
            f"Limit: how many points may {'twins, or two groups,' if IS_OF_MODEL else 'two groups'} be apart?",
            1, 50, 10, key="threshold", persist_state="session",
            help=glossary.tip("Limit"),
        )  # fmt: skip
        below = st.container()
        criteria_form.draw(data, cache.verdict(REVIEW, state.current()).favourable, twins=IS_OF_MODEL)
    verdict = cache.verdict(REVIEW, state.current(), state.criteria())
    said = verdicts.build(data, verdict)
    if worst_finding.keep(said.decisive):
        st.rerun()  # the whole page: the sidebar names it too
    if in_force := criteria.in_force(verdict, state.threshold()):
        below.caption(components.plain(in_force))
    with lines:
        chosen = findings_list.show(
            said.findings.rows, key="findings_list", label="What was found, most serious first"
        )
        figure_tools.caption(said.findings.summary, "findings_list", "What was found")
    with top:
        aim = aiming.aim_behind(verdict) if IS_OF_MODEL else None
        told(said, aim)
        opening(verdict, chosen)
    with st.expander(f"All {figures.counted(len(verdict.findings), 'comparison')} as a table"):
        st.table(
            panels.plain_cells(said.findings.table),
            border="horizontal",
            hide_index=True,
            alt=said.findings.summary,
        )
    next_steps(aim)
    if IS_OF_MODEL:
        sentences.draw(REVIEW, state.attribute(), state.current())
    st.header("Every group", anchor=False, help=glossary.tip(*find_bias.GROUP_TERMS))
    st.caption(components.plain(said.groups_summary))
    st.dataframe(said.groups, hide_index=True, alt=said.groups_summary)
    if said.not_tested_summary:
        with st.expander("What was not tested, and what is not read"):
            st.caption(components.plain(said.not_tested_summary))
            st.dataframe(said.not_tested, hide_index=True, alt=said.not_tested_summary)
    if audit is not None:
        by_attribute(verdict, audit)
    permalink.write()


def told(said: verdicts.VerdictView, aim: Aim | None) -> None:
    """The headline, what must be known with it, and whom the other pages are about."""
    terms = find_bias.terms(state.measure(), matched=matched) if IS_OF_MODEL else find_bias.GROUP_TERMS
    n = len(said.findings.rows)
    worst = "the worst finding" if n and aim else "what was found"
    with st.container(key="answer"):
        components.header(
            f"Find · {worst} · {components.model_in_force()}",
            said.headline,
            said.lead,
            help=glossary.tip(*terms),
        )
    if said.judged_by:
        st.caption(components.plain(said.judged_by))
    for sentence in said.warnings:
        st.warning(components.plain(sentence))


def next_steps(aim: Aim | None) -> None:
    """On to those who taught it, or straight to the fix."""
    if not IS_OF_MODEL:
        return
    with st.container(horizontal=True, key="steps_on"):
        components.next_step(
            "app_pages/harmful.py",
            "Look at who taught it that",
            first=partial(state.aim_at, aim) if aim else None,
        )
        if aim:
            go_on_with(aim)


def by_attribute(verdict: Verdict, audit: BiasReport) -> None:
    """One kind of difference for every attribute, the one that unlearning aims at."""
    axis, limit = find_bias.axis(state.measure(), matched=matched), state.limits().of_aim(state.measure())
    view = find_bias.build_findings(audit, limit, state.measure())
    st.header("By attribute", anchor=False)
    apart = find_bias.measured_apart(verdict, data, audit.accuracy.n)
    st.caption(components.plain(f"One kind of what is compared above: {axis}.{apart}"))
    panels.bar_chart(view.attributes, key="bias", axis=axis, limit=limit)


audit = None
if IS_OF_MODEL:
    with st.spinner("Asking the model about every twin"):
        audit = cache.audit(REVIEW, state.current())
findings()
if audit is None:
    without_model.way_on()
    components.next_step("app_pages/report.py", "Take the report away")
    st.stop()
for name, why in cache.untested(REVIEW).items():
    st.info(components.plain(f"Not tested by {name}. {why}"))
flags = find_bias.build_flags(cache.red_flags(REVIEW, state.current()), data.unit)


def open_story() -> None:
    """Review the attribute of the row that was selected."""
    rows = memory.selected_rows("red_flags")
    if rows:
        memory.put("attribute", flags.attributes[rows[0]])


st.header("Everybody at once", anchor=False, help=glossary.tip("Adjusted for looking at many"))
if flags.headline:
    st.write(components.plain(flags.headline))
st.caption(components.plain(flags.summary))
st.dataframe(
    flags.table,
    hide_index=True,
    alt=flags.summary,
    key="red_flags",
    on_select=open_story,
    selection_mode="single-row",
)
service = find_bias.build_service(audit, state.attribute(), data.unit)
st.header(
    components.plain(f"Who is served how well, by {state.attribute()}"),
    anchor=False,
    help=glossary.tip("The pattern", *find_bias.GROUP_TERMS),
)
left, right = st.columns([2, 3], gap="large")
with left:
    panels.bar_chart(service.groups, key="groups", axis="accuracy, %")
with right:
    panels.bar_chart(service.metrics, key="metrics", axis="points, 0 is even", signed=True)
pooled = " The group metrics pool the classes, one against the rest." if len(data.target.levels) > 2 else ""
st.caption(
    f"Measured on {figures.count(audit.accuracy.n)} held-out test {figures.many(data.unit)}; whiskers and "
    f"brackets are 95 % intervals.{pooled}"
)

"""Forget an attribute in the features themselves, and keep the task; fresh readers are the judge."""

import streamlit as st

from app import cache
from app.jobs import preparation
from app.record.trained import Trained
from app.record.variants import Erasure, Retrained
from app.samples import where_it_looks
from app.session import state
from app.unlearning import before_after, forgetting_forms, history_panel
from app.unlearning.pattern_reliance import with_reliance
from app.view_models import charts, feature_unlearning, glossary
from app.view_models.before_after import BeforeAfter
from app.view_models.where_it_looks import Shown
from app.widgets import components, panels
from fmd_core import FMDError
from fmd_core.forget.channels import PATTERN
from fmd_core.forget.erasure import ERASURE
from fmd_core.report import wording

REVIEW = state.review()
KICKER = "Feature unlearning · against the original model"
FACES = 2


# A variant, the attributes that readers are asked about, and the training where it left a pattern out.
Chosen = tuple[Erasure | Retrained | None, tuple[str, ...], Trained | None]


def chosen(way: str) -> Chosen:
    """What the controls lead to; None while there is no variant yet."""
    if way == PATTERN.name:
        asked = forgetting_forms.asked_about(REVIEW)
        trained = forgetting_forms.forget_pattern(REVIEW, beside=right)
        return trained.variant if trained else None, asked, trained
    names = forgetting_forms.attributes(REVIEW)
    if not names:
        st.info("Choose an attribute that the model is to forget.")
        return None, (), None
    if way == ERASURE.name:
        return forgetting_forms.erase(REVIEW, names), names, None
    variant = forgetting_forms.train(REVIEW, names)
    return variant, tuple(dict.fromkeys((*(variant.forgotten if variant else ()), *names))), None


def account(variant: Erasure | Retrained, names: tuple[str, ...], trained: Trained | None) -> None:
    """What is forgotten, what it costs, and who pays."""
    with st.spinner("Asking fresh readers" if names else "Asking both models with and without the pattern"):
        found = cache.forgetting(variant, names)
        view = feature_unlearning.build(
            found if trained is None else with_reliance(found, trained), cache.dataset(state.review()).unit
        )
    aim, point = variant.aim, cache.point(variant)
    comparison = cache.comparison(REVIEW, variant, aim.attribute)
    result = BeforeAfter(
        cache.dataset(REVIEW), comparison, cache.other_biases(REVIEW, variant, aim.attribute)
    )
    with top:
        components.header(
            KICKER, view.headline, view.lead, help=glossary.tip("Fresh reader", "Feature unlearning")
        )
    if view.labels:
        with right:
            figure = charts.readings(view.labels, view.before, view.after, view.chances)
            panels.picture(figure, view.summary, key="readings")
        st.table(panels.plain_cells(view.table), border="horizontal", hide_index=True, alt=view.summary)
    st.caption(components.plain(view.classes_summary))
    st.table(panels.plain_cells(view.classes), border="horizontal", hide_index=True, alt=view.classes_summary)
    if point.refusal:
        st.warning(components.plain(wording.guard_refusal(point.refusal)))
    history_panel.draw(variant, refused=bool(point.refusal))
    st.header("What it does to the answers", anchor=False)
    if names and aim.attribute not in names:
        told = f"By {' and '.join(names)} nobody can be compared here, so this is about {aim.attribute}."
        st.info(components.plain(told))
    st.write(components.plain(f"{result.headline} {result.who_pays}"))
    panels.cards(result.cards)
    before_after.draw("features", REVIEW, result)
    label = len(cache.dataset(REVIEW).target.levels) - 1
    rows = cache.dataset(REVIEW).rows("test")
    shown = [
        Shown(int(row), f"held-out {row}") for row in rows if cache.dataset(REVIEW).target.codes[row] == label
    ]
    where_it_looks.draw(REVIEW, shown[:FACES], label, variant)


top = st.container()
left, right = st.columns([2, 3], gap="large")
try:
    with left:
        way = forgetting_forms.way()
        variant, names, trained = chosen(way)
    if variant is None:
        with top:
            question, lead = feature_unlearning.question(way, names)
            components.header(KICKER, question, lead, help=glossary.tip("Feature unlearning"))
    else:
        preparation.require_forgetting(variant, names)
        account(variant, names, trained)
except FMDError as error:
    with top:
        components.header(KICKER, "This cannot be forgotten.")
    components.show_problem(error)
components.next_step("app_pages/compare.py", "Compare the variants")

"""Forget an attribute in the features themselves, and keep the task; fresh readers are the judge."""

import streamlit as st

from app import cache
from app.jobs import preparation
from app.record.variants import Erasure, Retrained
from app.samples import where_it_looks
from app.session import state
from app.unlearning import before_after, forgetting_forms, history_panel
from app.view_models import charts, feature_unlearning, glossary
from app.view_models.before_after import BeforeAfter
from app.view_models.where_it_looks import Shown
from app.widgets import components, panels
from fmd_core import FMDError
from fmd_core.forget.adversarial import ADVERSARY
from fmd_core.forget.erasure import ERASURE
from fmd_core.report import wording

REVIEW = state.review()
KICKER = "Feature unlearning · against the original model"
FACES = 2


def chosen(way: str, names: tuple[str, ...]) -> Erasure | Retrained | None:
    """The variant that the controls lead to, None while there is none."""
    if not names:
        st.info("Choose an attribute that the model is to forget.")
        return None
    if way == ERASURE.name:
        return forgetting_forms.erase(REVIEW, names)
    if way == ADVERSARY.name:
        return forgetting_forms.train(REVIEW, names)
    return forgetting_forms.forget_pattern(REVIEW, beside=right)


def account(variant: Erasure | Retrained, names: tuple[str, ...]) -> None:
    """What is forgotten, what it costs, and who pays."""
    with st.spinner("Asking fresh readers"):
        view = feature_unlearning.build(cache.forgetting(variant, names))
    aim, point = variant.aim, cache.point(variant)
    comparison = cache.comparison(REVIEW, variant, aim.attribute)
    result = BeforeAfter(
        cache.dataset(REVIEW), comparison, cache.other_biases(REVIEW, variant, aim.attribute)
    )
    with top:
        components.header(
            KICKER, view.headline, view.lead, help=glossary.tip("Fresh reader", "Feature unlearning")
        )
    with right:
        figure = charts.readings(view.labels, view.before, view.after, view.chances)
        st.plotly_chart(figure, key="readings", config=charts.CONFIG, alt=view.summary)
        st.caption(components.plain(view.summary))
    st.table(panels.plain_cells(view.table), border="horizontal", hide_index=True, alt=view.summary)
    if point.refusal:
        st.warning(components.plain(wording.guard_refusal(point.refusal)))
    history_panel.draw(variant, refused=bool(point.refusal))
    st.header("What it does to the answers", anchor=False)
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
        names = forgetting_forms.attributes(REVIEW)
        variant = chosen(forgetting_forms.way(), names)
    if variant is None:
        with top:
            question = (
                f"Can the model forget {' and '.join(names)}?"
                if names
                else "Can the model forget an attribute?"
            )
            components.header(
                KICKER, question, "It should no longer tell the attribute from the picture, and still do its task.",
                help=glossary.tip("Feature unlearning"),
            )  # fmt: skip
    else:
        preparation.require_forgetting(variant, names)
        account(variant, names)
except FMDError as error:
    with top:
        components.header(KICKER, "This cannot be forgotten.")
    components.show_problem(error)
components.next_step("app_pages/compare.py", "Compare the variants")

"""What is under review, on every page."""

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache
from app.record.variants import describe
from app.session import memory, state, worst_finding
from app.view_models import glossary
from app.view_models.blame import MEASURE_NAMES
from app.widgets import components, copy_link
from fmd_core.measure.bias_functions import MEASURES


def draw(*, with_steps: bool = True) -> DeltaGenerator | None:
    """Data, model in force, the attribute to look at and what counts as bias; undo and redo `with_steps`. Returns the
    place of what `name_the_worst` says, once the page has been drawn."""
    place = None
    worst_finding.begin()
    data = cache.dataset(state.review())
    memory.settle("attribute")
    memory.settle("measure")
    memory.settle(state.IMPROVES)
    memory.keep_within("attribute", tuple(data.attributes))
    state.keep_criteria_within(
        data.target.levels, {name: column.levels for name, column in data.attributes.items()}
    )
    memory.put("title", data.name)
    with st.sidebar:
        st.html(
            f"<div class='fmd-kicker' style='margin:0 0 .3rem'>This review</div>"
            f"<div style='font-weight:650'><bdi>{escape(data.name)}</bdi></div>"
            f"<div style='font-size:.87rem'>{escape(_who_answers())}</div>"
        )
        if not state.review().is_of_another_system:
            place = _aim(tuple(data.attributes))
        if state.current():
            st.caption(components.plain(describe(state.current())))
        if with_steps:
            _steps()
        copy_link.draw()
    return place


def name_the_worst(place: DeltaGenerator) -> None:
    """Under the attribute that the next steps look at, the one that the worst finding is about, where that is another:
    the headline and the sidebar would else seem to disagree."""
    worst_finding.told()
    worst, looked_at = worst_finding.said(), memory.value("attribute", "")
    if worst in ("", looked_at):
        return
    with place:
        said = f"The next steps look at {looked_at}. The worst finding is about {worst}."
        st.caption(components.plain(said))
        st.button(
            components.plain(f"Review {worst} instead"),
            key="review_decisive",
            on_click=memory.setter("attribute", worst),
        )


def _who_answers() -> str:
    if state.review().is_of_another_system:
        return "Another system answers"
    return f"In force: {components.model_in_force()}" if state.review().has_model else "No model yet"


def _aim(attributes: tuple[str, ...]) -> DeltaGenerator:
    """The bias under review, which only a model can be asked about and only a model can unlearn. Returns a place under
    the attribute."""
    st.selectbox(
        "Attribute under review",
        attributes,
        format_func=str.capitalize,
        key="attribute",
        help=glossary.tip("Protected attribute"),
        persist_state="session",
    )
    place = st.container(gap="small")
    st.selectbox(
        "What counts as bias",
        MEASURES,
        format_func=MEASURE_NAMES.__getitem__,
        key="measure",
        help="It chooses what unlearning aims at and by what those who taught it are scored. It hides no finding.\n\n"
        + glossary.tip(
            "Counterfactual bias", "Demographic parity", "Equal opportunity", "Predictive equality"
        ),
        persist_state="session",
    )
    return place


def _steps() -> None:
    """Undo and redo, on every page, once there is something to take back."""
    past = state.history()
    if not past.steps:
        return
    with st.container(horizontal=True):
        for label, act, what in (("Undo", state.undo, past.last), ("Redo", state.redo, past.next)):
            icon = f":material/{label.lower()}:"
            help = f"{label}: {what}" if what else None
            st.button(
                label, icon=icon, key=f"{label.lower()}_step", on_click=act, disabled=not what, help=help
            )

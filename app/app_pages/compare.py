"""Any two variants or models side by side, and the variants that were kept."""

import streamlit as st

from app import cache
from app.jobs import preparation
from app.opening import model_forms, permalink
from app.record.review import Review
from app.session import memory, state
from app.unlearning import before_after, kept_variants, stage
from app.view_models import compare
from app.view_models.before_after import BeforeAfter
from app.widgets import components, panels
from fmd_core import figures

REVIEW = state.review()
UNIT = cache.dataset(REVIEW).unit
KICKER = f"Compare · on held-out {figures.many(UNIT)}"
found = compare.sides(REVIEW.model, state.history(), model_forms.on_this_machine(REVIEW))
# What each is called, by what it is in the address: so another browser opens the same comparison.
names_of = {compare.address_of(side, REVIEW.model): name for name, side in found.items()}


def choose() -> list[str | None]:
    """Which two, by name."""
    options = tuple(names_of)
    chosen = []
    firsts = [
        name and compare.address_of(found[name], REVIEW.model)
        for name in compare.first_choice(found, state.history())
    ]
    for column, key, label, first in zip(
        st.columns(2), ("compare_first", "compare_second"), ("Compare", "with"), firsts, strict=True
    ):
        memory.offer(key, options, first)
        with column:
            option = st.selectbox(
                label, options, index=None if first is None else 0, format_func=names_of.__getitem__,
                placeholder="Choose a model", key=key, persist_state="session",
            )  # fmt: skip
            name = None if option is None else names_of[option]
            if name is not None:
                st.caption(components.plain(compare.made(found[name], state.history())))
            chosen.append(name)
    permalink.compared()
    return chosen


def evidence(names: tuple[str, str]) -> None:
    """What the second does to the people of the first."""
    first, second = (found[name] for name in names)
    for side in (first, second):
        if side.model != REVIEW.model:
            preparation.require(Review(REVIEW.data, side.model))
    about = state.attribute(), state.measure()
    with st.spinner(f"Asking both about every held-out {UNIT}"):
        comparison = cache.side_by_side(REVIEW, first, second, *about)
        others = cache.side_by_side_biases(REVIEW, first, second, *about)
    result = BeforeAfter(cache.dataset(REVIEW), comparison, others, names)
    with top:
        lead = compare.who_gained_and_lost(comparison, result)
        components.header(KICKER, compare.headline(comparison, names, UNIT), lead)
        if said := compare.refusals((first, second), names, state.history()):
            st.warning(components.plain(said))
    if comparison.verdict == "unchanged":
        panels.cards(result.cards)
        return
    left, right = st.columns(2, gap="large")
    with left:
        stage.slopes(comparison)
    with right:
        panels.cards(result.cards)
    before_after.draw("compare", REVIEW, result, names=names)


top = st.container()
if len(found) == 1:
    with top:
        components.header(
            "Compare", "There is nothing to compare yet.",
            "Every variant that you apply on the Fix page is kept here, and so is every other model that was "
            "trained or opened for this data.",
        )  # fmt: skip
    kept_variants.draw()
    components.next_step("app_pages/unlearn.py", "Make a variant")
    st.stop()
one, other = choose()
if one is None or other is None or found[one] == found[other]:
    with top:
        components.header(
            KICKER,
            "Which one is better?",
            compare.ASK if None in (one, other) else compare.SAME,
        )
else:
    evidence((one, other))
kept_variants.draw()
if other is None:
    components.next_step("app_pages/unlearn.py", "Make a variant")
else:
    components.next_step("app_pages/report.py", "Write the report")

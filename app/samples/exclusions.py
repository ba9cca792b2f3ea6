"""The training samples that the reviewer excluded, and what fitting again without them does."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.record.review import Review
from app.record.variants import Exclusion
from app.session import state
from app.view_models import harmful
from app.widgets import components
from fmd_core import FMDError
from fmd_core.report import wording
from fmd_core.unlearn.guarded_path import TOLERANCE


def draw(review: Review) -> None:
    """Nothing while none is excluded."""
    rows = state.history().now.excluded
    if not rows:
        return
    st.header("What you excluded", anchor=False)
    variant = Exclusion(review, state.aim(), rows, TOLERANCE)
    is_possible = _told(variant)
    with st.container(horizontal=True):
        if is_possible and st.button(
            "Apply this fit", type="primary", disabled=state.current() == variant, key="apply_exclusion"
        ):
            state.apply(variant, cache.point(variant).refusal)
            st.rerun()
        if st.button("Let all count again", key="include_all"):
            state.include(rows, cache.dataset(review).unit)
            st.rerun()


def _told(variant: Exclusion) -> bool:
    """Say what the fit does; False where it cannot be done, which is said too."""
    review, aim = variant.review, variant.aim
    try:
        with st.spinner("Fitting again without them"):
            point, comparison = cache.point(variant), cache.comparison(review, variant, aim.attribute)
    except FMDError as error:  # too many of a class: the list stays, and some can be taken back
        components.show_problem(error)
        return False
    st.write(components.plain(harmful.exclusion_sentence(comparison, variant.k, cache.dataset(review).unit)))
    if point.refusal:
        st.warning(components.plain(wording.guard_refusal(point.refusal)))
    return True

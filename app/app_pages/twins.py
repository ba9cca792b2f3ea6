"""The pairs themselves."""

import streamlit as st

from app import cache
from app.samples import likeness_of_twins, sample_detail, vetoes
from app.session import state
from app.view_models import glossary, twins
from app.widgets import components, gallery, portraits
from fmd_core.kinds import find_kind

REVIEW = state.review()
attribute, variant = state.attribute(), state.current()
SIZE: gallery.Size = "pairs" if find_kind(cache.dataset(REVIEW).source.kind).has_pictures else "wide"
with st.spinner("Drawing the twins"):
    head = cache.head(REVIEW, variant)


def picture(side: twins.TwinSide, redrawn: bool) -> gallery.Picture:
    """One side of a pair with the model's answer."""
    alt, note = f"{side.level}, model says {side.answer}", f"{side.level}: says {side.answer}"
    return portraits.picture(
        REVIEW, side.row, alt, note, attribute=attribute if redrawn else "", code=side.code if redrawn else 0
    )


@components.fragment
def pairs_in_order() -> None:
    """Everything that order and filter change."""
    top = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Order", twins.ORDERS, key="twins_order", persist_state="session", width=260)
        only = st.toggle(
            "Only where the answer flips",
            key="twins_flips",
            persist_state="session",
            help=glossary.tip("Decision flip"),
        )
        most = st.selectbox("Show", (12, 24, 60, 120), key="twins_most", persist_state="session", width=110)
        split = st.selectbox(
            "Whose twins",
            tuple(twins.PARTS),
            format_func=twins.PARTS.__getitem__,
            key="twins_split",
            persist_state="session",
            width=210,
            help=glossary.tip("Four parts of the data"),
        )
    with st.spinner("Drawing the twins"):
        likeness_of_twins.draw(REVIEW, attribute)  # first: where no pair is left, this is the way out
        seen = cache.standing(REVIEW, variant)
        pairs, placebo = cache.pairs(seen, split, attribute), cache.placebo(seen, split, attribute)
    view = twins.build(
        cache.dataset(REVIEW), head, pairs, order=order, only_flips=only, most=most, part=split, placebo=placebo
    )  # fmt: skip
    with top:
        components.header(
            f"Twins · {components.model_in_force()}", view.headline, view.lead, help=glossary.tip("Twin")
        )
    portraits.offer_to_show(REVIEW)
    tiles = [
        gallery.Tile(
            t.row,
            (picture(t.favoured, view.redrawn), picture(t.other, view.redrawn)),
            f"truly {t.label}",
            twins.sureness(t),
        )
        for t in view.twins
    ]
    if not tiles:
        st.info("No pair matches: the model gives both sides of every pair the same answer.")
    vetoes.left_out(REVIEW, attribute)
    left, right = st.columns([3, 5], gap="medium")
    with right:
        chosen = gallery.show(tiles, key="twins_gallery", label="Twin pairs", size=SIZE, selectable=True)
    with left:
        sample_detail.draw_pair(REVIEW, attribute, split, view.twins, chosen, redrawn=view.redrawn)
    with st.expander("The same as a table"):
        st.dataframe(view.table, hide_index=True, alt="Twin pairs with the model's answers")


pairs_in_order()
components.next_step("app_pages/harmful.py", "See who taught it that")

"""The stage of the Unlearn page: a target and what is offered to reach it, and what the slider moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape

import streamlit as st

import fmd_core as fmd
from app import cache
from app.record.variants import Recipe, Variant
from app.session import memory, state
from app.unlearning import aimed, learned_runs
from app.view_models import glossary, offers, stage, unlearn
from app.widgets import components, figure_tools, twin_stage
from fmd_core import figures
from fmd_core.measure.verdict.sentences import attribute_name
from fmd_core.measure.verdict.values import family_of_aim

SHOWN = 24  # twins on the stage
SLIDER = "slider"  # the container with the slider that everything here follows
REACH_WORDS = {
    "reaches": "reaches {}",
    "stays within": "stays within {}",
    "misses": "misses {}",
    "cannot be said": "cannot be said",
    "refused": "refused",
}
STYLE = """<style>
.fmd-offer { display: grid; grid-template-columns: 4.6rem 1fr; gap: 1px 8px; font-size: .87rem; line-height: 1.45;
  margin: 0; padding: 0; }
[class*=st-key-offer_] { gap: .35rem; padding: .6rem .8rem; }
[class*=st-key-offer_] button { min-height: 2rem; padding: .1rem .5rem; }
.fmd-offer span { overflow-wrap: anywhere; } .fmd-offer span:nth-child(odd) { opacity: .8; }
.fmd-moved { font-size: 1.35rem; font-weight: 700; line-height: 1.2; }
.fmd-moved span { font-size: .9rem; font-weight: 400; }
.fmd-reach { float: right; padding: 1px 10px; border-radius: 999px; font-size: .8rem; font-weight: 500;
  background: light-dark(#e8ecf4, #1f2740); }
.fmd-reach.reaches { background: light-dark(#eaf5ef, #16302a); color: light-dark(#14683d, #5bd69b); }
.fmd-reach.refused { background: light-dark(#fbe3cb, #4a3420); }
</style>"""


def target(limit: float) -> None:
    """Under how many points the bias is to be brought: the limit of its kind, which holds on every page."""
    key = state.limit_key(family_of_aim(state.improves()).name.lower())
    memory.put("target", 100 * limit)

    def keep() -> None:
        memory.put(key, memory.chosen("target"))

    st.number_input(
        "Bring it under, points", 0.0, 100.0, step=1.0, format="%g", key="target", on_change=keep,
        help=glossary.tip("Limit"),
    )  # fmt: skip


def cards(path: fmd.UnlearningPath, variant: Recipe, limit: float, *, is_shown: bool) -> bool:
    """The last layer's offers side by side: one click moves the slider there. `is_shown`: the slider is theirs now.
    Returns whether one that the guard admits reaches the target."""
    key, review = state.stop_key(), variant.review
    st.html(STYLE)
    if path.suggested is path.original:
        st.caption(
            "Recommended: leave it as it is. No setting here that the guard admits serves people better."
        )
    else:
        st.caption(components.plain(unlearn.chosen_by(path, cache.dataset(review).unit)))
    if other := unlearn.counted_in(variant.aim.measure):
        st.caption(other)
    reaches = False
    for offer in offers.offers(path):
        made = offer.point.result
        offered = Recipe(
            review, variant.aim, variant.strategy, variant.k, made.strength, made.blend, variant.tolerance
        )
        card = judged(offer, offered, f"{review.depth}, {offer.stop}")
        reaches |= card.reach in ("reaches", "stays within")
        show(card, limit, is_shown and memory.value(key, "") == offer.stop, _go(key, offer.stop))
    return reaches


def judged(offer: offers.Offer, offered: Variant, how: str) -> offers.Card:
    """What an offer does to held-out people."""
    review, goal = replace(offered.review, beside=""), aimed.goal(offered.aim)
    comparison = cache.comparison(review, offered, offered.aim.attribute)
    ends = (None, None) if goal is None else (
        cache.reached(review, None, goal), cache.reached(review, offered, goal)
    )  # fmt: skip
    return offers.card(offer, comparison, *ends, how)


def show(card: offers.Card, limit: float, chosen: bool, go: Callable[[], None]) -> None:
    """A card with its button."""
    name = card.title.lower()
    with st.container(border=True, key=f"offer_{name}"):
        st.html(_card(card, f"{100 * limit:g}"))
        st.button(
            "Shown now" if chosen else f"Show “{card.title}”", key=f"show_{name}", on_click=go,
            disabled=chosen, width="stretch",
        )  # fmt: skip


def _go(key: str, stop: str) -> Callable[[], None]:
    def go() -> None:
        learned_runs.put_on_stage("")
        memory.put(key, stop)

    return go


def _card(card: offers.Card, limit: str) -> str:
    rows = "".join(
        f"<span>{escape(name)}</span><span>{escape(figures.unbroken(text))}</span>"
        for name, text in card.rows
    )
    reach = REACH_WORDS[card.reach].format(f"{limit} and its ratio" if card.by_ratio else limit)
    return (
        f"<span class='fmd-reach {card.reach.split()[0]}'>{escape(reach)}</span><strong>{card.title}</strong>"
        f"<div class='fmd-moved'>{escape(card.moved)} <span>points</span></div><div class='fmd-offer'>{rows}</div>"
    )


def twins(
    path: fmd.UnlearningPath,
    variant: Recipe,
    beside: str = "",
    way: Mapping[str, Variant | None] | None = None,
) -> None:
    """The twins on the stage with what they are answered at every stop of the slider: along the last layer's `path`, or
    along the `way` to the network `beside` the original. They are the same whichever it is: the path casts them."""
    review, attribute, best = variant.review, variant.aim.attribute, path.suggested.result
    points: Mapping[str, Variant | None] = way or {
        stop: replace(variant, strength=point.result.strength, blend=point.result.blend)
        for stop, point in unlearn.stops(path).items()
    }
    fix = replace(variant, strength=best.strength, blend=best.blend) if best.strength else None
    pairs = cache.stage(review, attribute, fix, SHOWN, beside)
    before, *said = cache.stage_answers(review, attribute, fix, SHOWN, (None, *points.values()), beside)
    data = cache.dataset(review)
    view = stage.build(data, pairs, before, dict(zip(points, said, strict=True)))
    kind = f"Same {data.unit}, other" if view.redrawn else "Most alike, other"
    kind = f"{kind} {attribute_name(data, attribute)}; framed: two answers; underlined: wrong"
    twin_stage.show(review, attribute, view, key="twin_stage", slider=SLIDER, kind=kind)


def slopes(comparison: fmd.Comparison) -> None:
    """Who gains and who pays."""
    view = stage.build_slopes(comparison)
    st.markdown("**Who gains, who pays** :small[:gray[right, %]]")
    if view.lines:
        twin_stage.slopes(view, key="slopes")
        figure_tools.caption(view.summary, "slopes", "Who gains, who pays")
    else:
        st.caption(components.plain(view.summary))

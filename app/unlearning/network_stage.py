"""A network that learned on, on the Fix page's stage: the card that offers it, and the slider on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import streamlit as st

from app import cache
from app.jobs import job_words
from app.record.review import Aim, Review
from app.record.variants import Retrained, Variant
from app.session import memory
from app.unlearning import deeper_job, learned_runs, stage, trade_off
from app.unlearning.learned_runs import Run
from app.view_models import deeper as words
from app.view_models import glossary, learning_on, offers
from app.view_models import network_stage as said
from app.widgets import components
from fmd_core.report import wording
from fmd_core.study.debiasing import Change
from fmd_core.unlearn.deeper.choosing import DeeperPath, DeeperPoint
from fmd_core.unlearn.deeper.settings import REACHES, Improve, Reach

USUAL: Reach = "last block"
THOROUGH: Reach = "whole network"
PATIENT_SECONDS = 30.0
"""The whole network is offered where it learns within this, else the last block."""
ROUNDED_TO = 5  # seconds


@dataclass(frozen=True)
class Standing:
    """Where the slider stands on the way to a network."""

    run: Run
    path: DeeperPath
    point: DeeperPoint
    tolerance: float

    @property
    def variant(self) -> Retrained | None:
        """What stands there; None for the original."""
        return at(self.run, self.tolerance, self.point.share)

    @property
    def beside(self) -> str:
        """The name of the network."""
        return self.run.variant.review.beside

    @property
    def way(self) -> dict[str, Variant | None]:
        """What stands at every stop of the slider."""
        return {
            words.stop_label(point.share): at(self.run, self.tolerance, point.share)
            for point in self.path.points
        }

    @property
    def refusal(self) -> str:
        """Why the guard refuses it, in a sentence; '' where it does not."""
        return wording.guard_refusal(self.point.refusal) if self.point.refusal else ""

    @property
    def reason(self) -> str:
        """What those who choose would choose, and why."""
        return words.suggestion(self.path, self.run.improve)

    def draw_curve(self) -> None:
        """What those who choose say of every point on the way."""
        data, aim = cache.dataset(self.run.variant.review), self.run.variant.aim
        attribute, named = aim.attribute, said.axes(self.path, aim.measure)
        axis = trade_off.choose_axis(named)
        view = said.build_curve(
            self.path, self.point, data.unit, axis, named[axis], self.run.judged_by, aim.measure
        )
        trade_off.draw(
            view, lambda: words.points_table(self.path, data, attribute), slider=stage.SLIDER, large=said.WAY
        )


def at(run: Run, tolerance: float, share: float) -> Retrained | None:
    """A point on the way to a network; None for the original."""
    return replace(run.variant, tolerance=tolerance, share=share) if share else None


def choose(run: Run, tolerance: float) -> Standing | None:
    """The slider, and where it stands; None while everybody is asked for the first time on this machine."""
    if not deeper_job.have_asked(run.variant):
        return None
    path = learned_runs.path_of(run, tolerance)
    share = how_far(run, path, learned_runs.in_force(run, tolerance))
    return Standing(run, path, next(p for p in path.points if p.share == share), tolerance)


def how_far(run: Run, path: DeeperPath, standing: float | None) -> float:
    """The slider. It begins where the model in force stands, or at our suggestion."""
    key = learned_runs.slider_key(run)
    stops = {words.stop_label(point.share): point.share for point in path.points}
    suggested = words.suggested_stop(path)
    memory.offer(key, tuple(stops), suggested if standing is None else words.stop_label(standing))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        stop = st.select_slider(
            "How far", tuple(stops), key=key, help=glossary.tip("Part of the way"),
        )  # fmt: skip
        st.button(
            "Go to the suggestion", on_click=memory.setter(key, suggested), disabled=stop == suggested,
            key="deeper_suggestion",
        )  # fmt: skip
    return stops[str(stop)]


# --- the card


def offer(review: Review, aim: Aim, tolerance: float, limit: float, shown: Run | None) -> None:
    """The card: what a network that learned on does to held-out people, or that none did yet and what it would take."""
    runs = learned_runs.runs(review)
    if deeper_job.follow():
        return
    run = shown or (runs[-1] if runs else None)
    if run is None:
        _propose(review, aim, tolerance)
    elif not deeper_job.is_known(run.variant):
        with st.container(border=True, key="offer_deeper"):
            st.markdown(f"**{said.TITLE}**")
            st.caption(components.plain(f"Kept on this machine: {said.how(run.changed, 1.0)}."))
            st.button("Open it", key="show_deeper", on_click=_go(run), width="stretch")
    else:
        _judged(run, tolerance, limit, is_shown=shown is not None)


def _judged(run: Run, tolerance: float, limit: float, *, is_shown: bool) -> None:
    """Our suggestion on the way to a network, beside the offers of the last layer."""
    best = learned_runs.path_of(run, tolerance).chosen
    variant = at(run, tolerance, best.share)
    stop = words.stop_label(best.share)
    key = learned_runs.slider_key(run)
    if variant is None:
        with st.container(border=True, key="offer_deeper"):
            st.markdown(f"**{said.TITLE}**")
            st.caption(said.STAYS)
            st.button("Look at it", key="show_deeper", on_click=_go(run), disabled=is_shown, width="stretch")
        return
    with st.spinner("Comparing before and after"):
        card = stage.judged(
            offers.Offer(said.TITLE, stop, best.refusal), variant, said.how(run.changed, best.share)
        )
    chosen = is_shown and memory.value(key, stop) == stop
    stage.show(card, limit, chosen, _go(run, stop))


def _go(run: Run, stop: str = "") -> Callable[[], None]:
    """Let the slider lead to the network, and go to a stop of it."""

    def go() -> None:
        learned_runs.put_on_stage(run.variant.review.beside)
        if stop:
            memory.put(learned_runs.slider_key(run), stop)

    return go


def _propose(review: Review, aim: Aim, tolerance: float) -> None:
    """That the network below the last layer can learn on, how long that takes here, and the button."""
    changes = cache.changes(review)
    if learning_on.why_cannot(changes):
        return  # the section below says why
    data, improve = cache.dataset(review), said.improve_for(cache.dataset(review), aim)
    with st.container(border=True, key="offer_deeper"):
        st.markdown(f"**{said.TITLE}** :small[:gray[not tried yet]]")
        with st.spinner("Measuring how long a few steps take"):
            change, seconds = _choose_change(review, aim.attribute, improve, changes)
        st.caption(components.plain(said.proposal(data, change, improve, time_words(seconds))))
        if st.button("Let it learn on", key="learn_on_here", icon=":material/play_arrow:", width="stretch"):
            deeper_job.begin(change, improve, tolerance)


def _choose_change(
    review: Review, attribute: str, improve: Improve, changes: dict[Change, str]
) -> tuple[Reach, float]:
    """The deepest that learns while somebody waits, and how many seconds that is about."""
    options = [reach for reach in REACHES if not changes[reach]]
    if THOROUGH in options:
        seconds = cache.deeper_seconds(review, attribute, THOROUGH, improve)
        if seconds <= PATIENT_SECONDS:
            return THOROUGH, seconds
    usual = USUAL if USUAL in options else options[-1]
    return usual, cache.deeper_seconds(review, attribute, usual, improve)


def time_words(seconds: float) -> str:
    """A time as it is said: no more exact than it is known."""
    return job_words.duration_words(
        timedelta(seconds=max(ROUNDED_TO, ROUNDED_TO * round(seconds / ROUNDED_TO)))
    )

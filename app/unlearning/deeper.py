"""Deeper: let the network learn on, and choose how far to go towards what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import streamlit as st

from app import cache
from app.cache.fixes import GUARDED_ALONE
from app.jobs import job_panel
from app.record.review import Review
from app.record.variants import Retrained
from app.session import memory, state
from app.unlearning import beside, deeper_job, history_panel
from app.unlearning.model_files import network_file, network_onnx, why_no_file
from app.view_models import charts, glossary
from app.view_models import deeper as words
from app.view_models.before_after import BeforeAfter
from app.widgets import components, panels
from fmd_core.data import Split
from fmd_core.report import wording
from fmd_core.study.debiasing import VALIDATION, Change
from fmd_core.study.deeper import take_turns
from fmd_core.unlearn.deeper.choosing import SHARES
from fmd_core.unlearn.deeper.improving import improvements, in_the_data_s_words
from fmd_core.unlearn.deeper.training import Improve, usual_improve, why_only_groups

USUAL: Change = "last block"
ROUNDED_TO = 5  # seconds


@dataclass(frozen=True)
class Run:
    """A network that learned on from the model under review."""

    variant: Retrained
    """The whole way to it."""
    improve: Improve
    """What was to improve; the usual where nobody remembers."""
    judged_by: tuple[Split, ...] = VALIDATION
    """The parts of the data whose people choose."""


def draw(tolerance: float) -> None:
    """The section, which costs nothing until somebody opens it."""
    fold = st.expander(words.TITLE, key="deeper", on_change="rerun")
    if not fold.open:
        return

    @components.fragment
    def panel() -> None:
        _panel(tolerance)

    with fold:
        panel()


def _panel(tolerance: float) -> None:
    review = state.review()
    with st.spinner("Looking at the network"):
        changes = cache.changes(review)
    st.markdown(components.plain(words.LEAD), help=glossary.tip("Learning on"))
    if why := words.why_cannot(changes):
        st.info(components.plain(why))
        return
    runs = _runs(review)
    _begin(review, changes, tolerance, is_first=not runs)
    run = _choose(runs) if runs else None
    if run is not None and deeper_job.have_asked(run.variant):
        _results(run, tolerance)
        beside.draw(tolerance, run.improve, run.variant.review)
    else:
        beside.draw(tolerance, usual_improve(cache.dataset(review), state.attribute()))


# --- before


def _begin(review: Review, changes: dict[Change, str], tolerance: float, *, is_first: bool) -> None:
    """What may change, what should improve, what it costs, and the button."""
    data, attribute = cache.dataset(review), state.attribute()
    left, right = st.columns(2, gap="large")
    with left:
        options = words.can_change(changes)
        if memory.value("deeper_reach", None) not in options:
            memory.put("deeper_reach", USUAL if USUAL in options else options[0])
        change = st.radio(
            "What may change", options, format_func=words.CHANGES.__getitem__, key="deeper_reach",
            persist_state="session",
        )  # fmt: skip
        if closed := words.closed(changes):
            st.caption(components.plain(closed))
    with right:
        improve = _what_improves(review, change)
    live = deeper_job.follow()
    if live:
        return
    time, done = "", (0, 0)
    if change != "threshold":
        with st.spinner("Measuring how long a few steps take"):
            time = _time_words(cache.deeper_seconds(review, attribute, change, improve))
        done = cache.deeper_done(review, attribute, deeper_job.SETTINGS(change, improve))
    in_turns = take_turns(data, attribute, improve)
    said = words.cost(data, change, improve, time, in_turns=in_turns), words.goes_on(done)
    st.caption(components.plain(" ".join(filter(None, said))))
    kind: Literal["primary", "secondary"] = "primary" if is_first else "secondary"
    label = "Go on" if done[0] else "Move the thresholds" if change == "threshold" else "Let it learn on"
    if st.button(label, type=kind, icon=":material/play_arrow:", key="learn_on"):
        deeper_job.begin(change, improve, tolerance)


def _what_improves(review: Review, change: Change) -> Improve:
    data, attribute = cache.dataset(review), state.attribute()
    aims = {aim.name: aim for aim in improvements(data, attribute)}
    memory.keep_within("deeper_improve", tuple(aims))
    improve: Improve = st.radio(
        "What should improve", tuple(aims), format_func=lambda name: aims[name].title, key="deeper_improve",
        persist_state="session", help=glossary.tip("Every group counted alike", "Twin"),
    )  # fmt: skip
    worst = cache.served_worst(review, attribute) if improve == "worst group" else None
    whom = in_the_data_s_words(improve, data, attribute, worst)
    note = "" if change == "threshold" else aims[improve].note
    said = " ".join(filter(None, (note, f"Here: {whom}." if whom else "")))
    if said:
        st.caption(components.plain(said))
    if why := why_only_groups(data, attribute):
        st.caption(components.plain(words.only_groups(data, attribute, why)))
    return improve


def _time_words(seconds: float) -> str:
    return job_panel.duration_words(
        timedelta(seconds=max(ROUNDED_TO, ROUNDED_TO * round(seconds / ROUNDED_TO)))
    )


# --- after


def _runs(review: Review) -> list[Run]:
    """Networks that learned on from this model or were trained beside it, about the attribute under review: those on
    this machine, those in the history, and those that learned in this session; the latest that learned on last."""
    attribute, usual = state.attribute(), usual_improve(cache.dataset(review), state.attribute())
    runs: dict[str, Run] = {}

    def add(run: Run) -> None:
        runs.pop(run.variant.review.beside, None)
        runs[run.variant.review.beside] = run

    kept = {found.id: found for found in cache.learned(review) if found.attribute == attribute}
    for found in sorted(
        kept.values(), key=lambda found: not found.method
    ):  # ours come last, and are shown first
        there = replace(review, beside=found.id)
        made = Retrained(there, state.aim(), words.way_of(found), words.named(found), found.tolerance)
        add(Run(made, found.improve, found.judged_by))
    for past in state.history().kept:
        variant = past.variant
        if (
            isinstance(variant, Retrained)
            and variant.way in GUARDED_ALONE
            and variant.review.beside not in kept
        ):
            add(Run(replace(variant, share=1.0), usual))
    for trained in state.trained_here():
        if trained.learnt is not None:
            known = kept.get(trained.variant.review.beside)
            add(Run(trained.variant, trained.learnt.improve, known.judged_by if known else VALIDATION))
    return [
        replace(run, variant=_today(run.variant, review))
        for run in runs.values()
        if run.variant.aim.attribute == attribute
    ]


def _today(variant: Retrained, review: Review) -> Retrained:
    """The same with the twins that count today, against the bias that is meant today."""
    return replace(variant, review=replace(review, beside=variant.review.beside), aim=state.aim())


def _choose(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    names = {run.variant.what: run for run in runs}
    memory.offer("deeper_run", tuple(names), runs[-1].variant.what)
    return names[st.selectbox("Networks so far", list(names), key="deeper_run")]


def _results(run: Run, tolerance: float) -> None:
    review, data = run.variant.review, cache.dataset(run.variant.review)
    attribute = run.variant.aim.attribute
    with st.spinner("Asking validation people"):
        path = cache.deeper_path(review, attribute, run.improve, tolerance, _shares(run, tolerance))
        simpler = cache.deeper_baselines(state.review(), attribute, run.improve, tolerance)
    standing = _in_force(run, tolerance)
    share = _how_far(run, standing, [point.share for point in path.points], words.suggested_stop(path))
    variant = replace(run.variant, tolerance=tolerance, share=share or 1.0)
    tests = tuple(cache.deeper_figures(review, attribute, at) for at in (0.0, share))
    others = [*simpler.values(), *beside.judged(attribute, run.improve, tolerance)]
    view = words.build(data, attribute, path, share, (tests[0], tests[1]), others, run.improve, run.judged_by)
    st.caption(components.plain(view.suggestion), help=glossary.tip("Learning on"))
    _before_and_after(variant if share else None, attribute)
    if view.refusal:
        st.warning(components.plain(wording.guard_refusal(view.refusal)))
    _act(variant if share else None, refused=bool(view.refusal), in_force=standing == share)
    st.caption(components.plain(view.choosers))
    shares = [point.share for point in path.points]
    figure = charts.along_the_way(shares, view.series, path.chosen.share)
    panels.picture(figure, view.summary, key="deeper_way")
    panels.folded_table(lambda: view.points, view.summary, key="deeper_way")
    st.markdown(components.plain(view.judges))
    st.table(panels.plain_cells(view.fixes), border="horizontal", hide_index=True, alt=view.fixes_summary)
    if view.simpler_is_enough:
        st.info(components.plain(view.simpler_is_enough))
    st.caption(
        components.plain(" ".join(filter(None, (view.fixes_summary, view.nobody_large, words.SURENESS)))),
        help=glossary.tip("Every group counted alike", "Calibrated bias", "Decision flip"),
    )


def _in_force(run: Run, tolerance: float) -> float | None:
    """How far on the way the model in force stands; None where it is another, or the same network under another aim,
    tolerance or other data."""
    current = state.current()
    if not isinstance(current, Retrained) or replace(current, share=1.0) != replace(
        run.variant, tolerance=tolerance
    ):
        return None
    return current.share


def _shares(run: Run, tolerance: float) -> tuple[float, ...]:
    """The points on the way: the usual ones, and where the model in force stands."""
    return tuple(sorted({*SHARES, _in_force(run, tolerance) or 1.0}))


def _how_far(run: Run, standing: float | None, shares: list[float], suggested: str) -> float:
    """The slider. It begins where the model in force stands, or at our suggestion."""
    key = f"deeper_share_{run.variant.review.beside}"
    stops = {words.stop_label(share): share for share in shares}
    first = suggested if standing is None else words.stop_label(standing)
    memory.offer(key, tuple(stops), first)
    stop = st.select_slider(
        "How far", tuple(stops), key=key, help=glossary.tip("Part of the way"),
    )  # fmt: skip
    st.button(
        "Go to the suggestion", on_click=memory.setter(key, suggested), disabled=stop == suggested,
        key="deeper_suggestion",
    )  # fmt: skip
    return stops[str(stop)]


def _before_and_after(variant: Retrained | None, attribute: str) -> None:
    """What the point does to held-out test people, and who gained and lost."""
    if variant is None:
        st.markdown("**The slider stands on the original.**")
        return
    data = cache.dataset(variant.review)
    with st.spinner("Comparing before and after"):
        comparison = cache.comparison(state.review(), variant, attribute)
        others = cache.other_biases(state.review(), variant, attribute)
    result = BeforeAfter(data, comparison, others)
    st.markdown(f"**{components.plain(result.headline)}**", help=glossary.tip("Verdict", "Held-out people"))
    if result.who_pays:
        st.write(components.plain(result.who_pays))


def _act(variant: Retrained | None, *, refused: bool, in_force: bool) -> None:
    """Put it in force, and keep it as a file."""
    why = "" if variant is None else why_no_file(variant)
    with st.container(horizontal=True):
        label = "Apply although refused" if refused else "Apply this network"
        kind: Literal["primary", "secondary"] = "secondary" if refused else "primary"
        if st.button(label, type=kind, disabled=variant is None or in_force, key="apply_deeper") and variant:
            history_panel.apply(variant)
            st.rerun()
        if variant is not None and not why:
            st.download_button(
                "Keep as a file", lambda: network_file(variant), "model.safetensors", "application/octet-stream",
                icon=":material/download:", on_click="ignore", key="deeper_file",
                help="Opens here again, and runs as plain PyTorch: docs/debiased_model.md has the lines.",
            )  # fmt: skip
            st.download_button(
                "Keep as ONNX", lambda: network_onnx(variant), "model.onnx", "application/octet-stream",
                icon=":material/download:", on_click="ignore", key="deeper_onnx",
                help="For programs that know neither FMD Studio nor PyTorch.",
            )  # fmt: skip
    if why:
        st.caption(components.plain(why))
    if in_force:
        st.caption("This network is in force: every page speaks of it. Undo stands above.")

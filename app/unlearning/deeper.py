"""Deeper: let the network learn on, and choose how far to go towards what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st

from app import cache
from app.record.review import Review
from app.record.variants import Retrained
from app.session import memory, state
from app.unlearning import beside, deeper_job, learned_runs, network_stage
from app.unlearning.learned_runs import Run
from app.unlearning.model_files import network_file, network_onnx, why_no_file
from app.view_models import charts, glossary, learning_on
from app.view_models import deeper as words
from app.widgets import components, panels
from fmd_core.measure.group_loss import nobody_large
from fmd_core.study.debiasing import Change
from fmd_core.study.deeper import take_turns
from fmd_core.unlearn.aiming import FEWEST
from fmd_core.unlearn.deeper.choosing import DeeperPath
from fmd_core.unlearn.deeper.improving import improvements, in_the_data_s_words
from fmd_core.unlearn.deeper.settings import Improve, usual_improve, why_only_groups

USUAL: Change = "last block"
ROUNDED_TO = 5  # seconds


def draw(tolerance: float) -> None:
    """The section, which costs nothing until somebody opens it."""
    fold = st.expander(learning_on.TITLE, key="deeper", on_change="rerun")
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
    st.markdown(components.plain(learning_on.LEAD), help=glossary.tip("Learning on"))
    if why := learning_on.why_cannot(changes):
        st.info(components.plain(why))
        return
    runs = learned_runs.runs(review)
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
        options = learning_on.can_change(changes)
        if memory.value("deeper_reach", None) not in options:
            memory.put("deeper_reach", USUAL if USUAL in options else options[0])
        change = st.radio(
            "What may change", options, format_func=learning_on.CHANGES.__getitem__, key="deeper_reach",
            persist_state="session",
        )  # fmt: skip
        if closed := learning_on.closed(changes):
            st.caption(components.plain(closed))
    with right:
        improve = _what_improves(review, change)
    if deeper_job.is_live():
        return  # its panel stands above
    time, done = "", (0, 0)
    if change != "threshold":
        with st.spinner("Measuring how long a few steps take"):
            time = network_stage.time_words(cache.deeper_seconds(review, attribute, change, improve))
        done = cache.deeper_done(review, attribute, deeper_job.SETTINGS(change, improve))
    in_turns = take_turns(cache.study(review), attribute, improve)
    said = learning_on.cost(data, change, improve, time, in_turns=in_turns), learning_on.goes_on(done)
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
    worst = cache.worst_served(review, attribute) if improve == "worst group" else None
    whom = in_the_data_s_words(improve, data, attribute, worst)
    note = "" if change == "threshold" else aims[improve].note
    unsaid = nobody_large(data, attribute, FEWEST) if improve == "worst group" and worst is None else ""
    said = " ".join(filter(None, (note, f"Here: {whom}." if whom else "", unsaid)))
    if said:
        st.caption(components.plain(said))
    if why := why_only_groups(data, attribute):
        st.caption(components.plain(learning_on.only_groups(data, attribute, why)))
    return improve


# --- after


def _choose(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    names = learned_runs.by_name(runs)
    memory.offer("deeper_run", tuple(names), list(names)[-1])
    return names[st.selectbox("Networks so far", list(names), key="deeper_run")]


def _results(run: Run, tolerance: float) -> None:
    review, data = run.variant.review, cache.dataset(run.variant.review)
    attribute = run.variant.aim.attribute
    with st.spinner("Asking validation people"):
        path = learned_runs.path_of(run, tolerance)
        simpler = cache.deeper_baselines(state.review(), attribute, run.improve, tolerance)
    share = _standing(run, path, tolerance)
    variant = replace(run.variant, tolerance=tolerance, share=share or 1.0)
    tests = tuple(cache.deeper_figures(review, attribute, at) for at in (0.0, share))
    others = [*simpler.values(), *beside.judged(attribute, run.improve, tolerance)]
    view = words.build(data, attribute, path, share, (tests[0], tests[1]), others, run.improve, run.judged_by)
    st.caption(components.plain(view.suggestion), help=glossary.tip("Learning on"))
    _keep(variant if share else None)
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


def _standing(run: Run, path: DeeperPath, tolerance: float) -> float:
    """How far on the way the slider above stands, or our suggestion where it leads elsewhere."""
    shown = learned_runs.on_stage(state.review())
    if shown is not None and shown.variant.review.beside == run.variant.review.beside:
        return learned_runs.share_on_stage(run, path, tolerance)
    beside = run.variant.review.beside
    st.button(
        "Show it above, with the slider", key="show_above", on_click=learned_runs.put_on_stage, args=(beside,),
        icon=":material/tune:",
    )  # fmt: skip
    return path.chosen.share


def _keep(variant: Retrained | None) -> None:
    """Keep it as a file."""
    why = "" if variant is None else why_no_file(variant)
    if why:
        st.caption(components.plain(why))
    elif variant is not None:
        with st.container(horizontal=True):
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

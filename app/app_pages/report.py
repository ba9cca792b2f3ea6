"""Hand over what was found, done and measured; open such a report again."""

import streamlit as st

from app import cache
from app.record.variants import Retrained
from app.reporting import audit_files, decision_form, gathering, report_reader
from app.reporting.downloads import save
from app.session import state
from app.unlearning.model_files import network_file, onnx_file, why_no_file
from app.view_models import report
from app.widgets import components
from fmd_core.models.depth import LAST_LAYER, find_depth

REVIEW = state.review()
if REVIEW.is_of_another_system:
    audit_files.draw(REVIEW)
    st.stop()


top = st.container()
write, read = st.tabs(["This review", "Open a report"])
with write:
    left, right = st.columns([3, 2], gap="large")
with left:
    st.header("Your decision", anchor=False)
    decision = decision_form.draw(REVIEW, cache.head(REVIEW, state.current()).fingerprint)
with top, st.spinner("Writing the report"):
    view = report.build(gathering.gather(REVIEW, decision))
    components.header(f"Report · {report.decided(decision)}", view.headline, view.lead)
    if view.note:
        st.info(view.note)
with right:
    st.header("Files", anchor=False)
    if decision_form.is_draft(REVIEW):
        st.warning(decision_form.NOT_SAVED)
    save(
        "Report (HTML)",
        view.html,
        "fairness-report.html",
        "Reads in any browser and prints well.",
        first=True,
    )
    save("Figures (JSON)", view.json, "fairness-report.json", "Opens here again.")
    in_force = state.current()
    if isinstance(in_force, Retrained):
        if why := why_no_file(in_force):
            st.caption(components.plain(why))
        else:
            whole = network_file(in_force)
            save(
                "Model (safetensors)",
                whole,
                "model.safetensors",
                "The whole network in force; it opens here again.",
            )
    else:
        depth = find_depth(LAST_LAYER if in_force is None else in_force.review.depth)
        label = f"{depth.layers.capitalize()} (safetensors)"
        save(label, view.head, "head.safetensors", "The weights in force; all else is as it was.")
        if onnx := onnx_file(REVIEW, in_force):
            save(
                "Model (ONNX)",
                onnx,
                "model.onnx",
                "The whole file with the last layer in force; all else is byte for byte.",
            )
with write:
    st.header("Preview", anchor=False)
    with st.container(border=True):
        st.iframe(report.in_frame(view.html), height=900)
with read:
    report_reader.draw(view.report)

"""Hand over what was found, done and measured."""

import streamlit as st

import fmd_core as fmd
from app import cache, components, state
from app.review import Aim
from app.view_models import report

REVIEW = state.review()
recipe = state.current()
aim = recipe.aim if recipe else state.aim()
with st.spinner("Writing the report"):
    past, model = state.history(), cache.classifier(REVIEW)
    evidence = fmd.Evidence(
        dataset=cache.dataset(REVIEW),
        classifier=model,
        audit=cache.audit(REVIEW, None),
        threshold=state.threshold(),
        scores=cache.scores(REVIEW, Aim((aim.attribute,), aim.measure)),
        top_k=50,
        history=report.steps(past, {e.recipe: cache.result(REVIEW, e.recipe) for e in past.log}),
        point=cache.point(recipe) if recipe else None,
        tolerance=recipe.tolerance if recipe else None,
        comparison=cache.comparison(recipe, aim.attribute) if recipe else None,
        audit_after=cache.audit(REVIEW, recipe) if recipe else None,
        measure=aim.measure,
    )
    view = report.build(evidence)
components.header("Report", view.headline, view.lead)
if view.note:
    st.info(view.note)
with st.container(horizontal=True):
    icon = ":material/download:"
    st.download_button(
        "Report (HTML)",
        view.html,
        "fairness-report.html",
        "text/html",
        type="primary",
        icon=icon,
        on_click="ignore",
    )
    st.download_button(
        "Figures (JSON)", view.json, "fairness-report.json", "application/json", icon=icon, on_click="ignore"
    )
    st.download_button(
        "Last layer (safetensors)", view.head, "head.safetensors", "application/octet-stream", icon=icon,
        on_click="ignore", help="The last layer in force: head.weight and head.bias. All else is as it was.",
    )  # fmt: skip
st.header("Preview", anchor=False)
with st.container(border=True):
    st.iframe(view.html, height=900)

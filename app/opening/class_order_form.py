"""Which class each output of an opened model stands for: shown, asked and changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd
import streamlit as st

from app import cache
from app.record.review import Review
from app.session import access, state
from app.view_models import class_order as view
from app.widgets import components
from fmd_core import ModelError
from fmd_core.models.class_order import Outputs, Reason, reordered
from fmd_core.models.shelf import keep_model

IN_A_ROW = 4


def outputs_of(review: Review) -> Outputs | None:
    """What is known of the outputs of the model under review; None of one that was trained here, or is gone."""
    if not review.has_model:
        return None
    try:
        model = cache.classifier(replace(review, beside=""))
    except ModelError:  # said where the model is named
        return None
    known = model.outputs
    return None if known is None or (known.reason is Reason.OURS and model.trained_on) else known


def ask(review: Review) -> bool:
    """The question that stands before every figure; whether it was drawn."""
    data, outputs = cache.dataset(review), outputs_of(review)
    asked = view.question(data, outputs)
    if asked is None or outputs is None:
        return False
    components.header("Model · before the first figure", asked.headline, asked.lead)
    if not access.may_change():
        st.info("A reviewer has to answer this.")
        return True
    with st.container(horizontal=True):
        for number, choice in enumerate(asked.choices):
            if st.button(
                components.plain(choice.label),
                key=f"order_{number}",
                type="primary" if number == 0 else "secondary",
            ):
                _use(review, choice.meaning)
    st.caption("Another order can be given on the Model page.")
    return True


def draw(review: Review) -> None:
    """The order as it is read, to change."""
    data, outputs = cache.dataset(review), outputs_of(review)
    if outputs is None:
        return
    st.subheader("What each output means", anchor=False)
    st.write(components.plain(view.sentence(data.target.levels, outputs)))
    st.caption(components.plain(f"{view.WHY[outputs.reason]} {view.own_names(outputs)}"))
    asked = view.question(data, outputs)
    if asked is not None:
        st.warning(components.plain(asked.lead))
        with st.container(horizontal=True):
            for number, choice in enumerate(asked.choices):
                kind: Literal["primary", "secondary"] = "primary" if number == 0 else "secondary"
                if st.button(components.plain(choice.label), key=f"model_order_{number}", type=kind):
                    _use(review, choice.meaning)
    with st.expander("Change the order"):
        _change(review, data.target.levels, outputs)


def _change(review: Review, levels: tuple[str, ...], outputs: Outputs) -> None:
    named = list(outputs.of_places(levels))
    picked = _few(review, levels, named) if len(levels) <= IN_A_ROW else _many(review, levels, named)
    meaning = view.chosen(levels, picked)
    if meaning is None:
        st.caption("Each class must be named once.")
    ready = meaning is not None and (meaning != outputs.meaning or not outputs.is_confirmed)
    if (
        st.button("Read the outputs in this order", key="use_order", disabled=not ready)
        and meaning is not None
    ):
        _use(review, meaning)


def _few(review: Review, levels: tuple[str, ...], named: list[str]) -> list[str]:
    picked = []
    for j, (place, name) in enumerate(zip(st.columns(len(named)), named, strict=True)):
        with place:
            picked.append(
                st.selectbox(
                    f"Output {j}", levels, index=levels.index(name), key=f"output_{review.model}_{j}"
                )
            )
    return picked


def _many(review: Review, levels: tuple[str, ...], named: list[str]) -> list[str]:
    column = st.column_config.SelectboxColumn("Class", options=list(levels), required=True)
    edited = st.data_editor(
        pd.DataFrame({"Output": range(len(named)), "Class": named}), key=f"outputs_{review.model}", hide_index=True,
        disabled=["Output"], column_config={"Class": column},
    )  # fmt: skip
    return [str(name) for name in edited["Class"]]


def _use(review: Review, meaning: tuple[int, ...]) -> None:
    """Keep the model with its outputs read like this, and look at it; what was done with the one before stays."""
    access.require_change()
    data, model = cache.dataset(review), cache.classifier(Review(review.data, review.model))
    kept = keep_model(data, reordered(model, meaning))
    passport = state.passport(review.model)
    if passport is not None:
        state.keep_passport(kept, passport)
    state.open_review(Review(review.data, kept))
    st.rerun()

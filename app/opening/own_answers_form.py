"""The owner's own answers, to see that the model was opened as it was meant."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import cache
from app.opening import class_order_form, uploads
from app.record.review import BUNDLED, Review
from app.session import access
from app.view_models import own_answers as view
from app.widgets import components
from fmd_core import FMDError
from fmd_core.models.encoding import encode_rows
from fmd_core.models.own_answers import Agreement, agreement, read_answers, spread_out
from fmd_core.models.shelf import agreement_of, keep_agreement


def draw(review: Review) -> None:
    """What was found when the owner's answers were given, and the place to give them."""
    if not review.has_model or review.model == BUNDLED or class_order_form.outputs_of(review) is None:
        return
    data = cache.dataset(review)
    known = agreement_of(data, review.model)
    if known is not None:
        said = components.plain(view.sentence(known, data.unit))
        (st.success if known.is_equal else st.warning)(said)
    with st.expander("Check it against your own answers", expanded=False):
        st.write(
            "Ten answers of yours are enough: a CSV with a header, the file name or row number (counted from 0) first, "
            "then the class or its probability; or a .npy file with an entry for each row."
        )
        if not access.may_change():
            return
        given = st.file_uploader(
            "Your own answers",
            type=["csv", "txt", "tsv", "npy"],
            key=f"own_answers_{review.model}",
            max_upload_size=64,
        )
        if given is not None and st.button("Compare", key="compare_own_answers"):
            try:
                with st.spinner("Asking the model about the same rows"):
                    keep_agreement(data, review.model, _compared(review, given))
            except FMDError as problem:
                components.show_problem(problem)
            else:
                st.rerun()


def _compared(review: Review, given: UploadedFile) -> Agreement:
    data, model = cache.dataset(review), cache.classifier(Review(review.data, review.model))
    paths = [str(path) for path in getattr(data.source, "paths", ())]
    own = spread_out(read_answers(given.getvalue(), uploads.shown_name(given), data, paths))
    rows, place = np.unique(own.rows, return_inverse=True)
    features = encode_rows(model, data, rows, store=cache.store())
    return agreement(own, model.head.probabilities(features.astype("float64"))[place])

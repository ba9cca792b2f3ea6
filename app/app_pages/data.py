"""Choose the data: public sets on this machine, or a reviewer's own."""

import streamlit as st

from app.opening import data_forms, import_form, import_job
from app.view_models import glossary
from app.widgets import components

FORMS = {
    "CelebA": data_forms.celeba,
    "Coloured MNIST": data_forms.colored_mnist,
    "Adult": data_forms.adult,
    "Your table": import_form.table,
    "Your pictures": import_form.pictures,
    "Demos": data_forms.demos,
}

components.header(
    "Data",
    "Which people, and what should not matter about them?",
    "Everything stays on this machine. A data set is shared out in four: one part taught the model, one decides the "
    "fix, one guards it and one judges it.",
    help=glossary.tip("Protected attribute", "Four parts of the data"),
)
family = st.segmented_control(
    "Kind of data", list(FORMS), default="CelebA", required=True, key="family", persist_state="session"
)
components.fragment(FORMS[family])()
import_job.follow()

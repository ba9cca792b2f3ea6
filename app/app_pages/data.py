"""Choose the data: public sets on this machine, or a reviewer's own."""

import streamlit as st

from app.jobs import job_panel
from app.opening import answers_form, data_forms, import_form, import_job, pictures_form
from app.view_models import glossary
from app.widgets import components

FORMS = {
    "celeba": ("CelebA", data_forms.celeba),
    "colored_mnist": ("Coloured MNIST", data_forms.colored_mnist),
    "adult": ("Adult", data_forms.adult),
    "table": ("Your table", import_form.table),
    "pictures": ("Your pictures", pictures_form.pictures),
    "texts": ("Your texts", import_form.texts),
    "demos": ("Demos", data_forms.demos),
}

importing = import_job.under_way()
if importing is None:
    components.header(
        "Data",
        "Which people, and what should not matter about them?",
        "Everything stays on this machine. A data set is shared out in four: one part taught the model, one decides "
        "the fix, one guards it and one judges it.",
        help=glossary.tip("Protected attribute", "Four parts of the data"),
    )
else:
    components.header("Data", *job_panel.heading(importing, "What came in is shown here."))
    import_job.follow()
    st.subheader("Other data", anchor=False)
components.fragment(answers_form.draw)()
family = st.segmented_control(
    "Kind of data", list(FORMS), format_func=lambda family: FORMS[family][0], default="celeba", required=True,
    key="family", persist_state="session",
)  # fmt: skip
components.fragment(FORMS[family][1])()
if importing is None:
    import_job.follow()

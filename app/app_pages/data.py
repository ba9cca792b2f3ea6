"""Choose the data: public sets on this machine, or a reviewer's own."""

import streamlit as st

from app import cache
from app.jobs import job_words
from app.opening import answers_form, data_forms, import_form, import_job, pictures_form
from app.record.review import Review
from app.session import state
from app.view_models import glossary, start
from app.widgets import components, gallery, portraits
from fmd_core import FMDError
from fmd_core.kinds import find_kind

MOST_WIDE = 4  # records or texts, of which one fills the place of three pictures
FORMS = {
    "celeba": ("CelebA", data_forms.celeba),
    "colored_mnist": ("Coloured MNIST", data_forms.colored_mnist),
    "adult": ("Adult", data_forms.adult),
    "table": ("Your table", import_form.table),
    "pictures": ("Your pictures", pictures_form.pictures),
    "texts": ("Your texts", import_form.texts),
    "demos": ("Demos", data_forms.demos),
}


def under_review() -> None:
    """What the review is about now; data that cannot be opened are said to be so, and others can be chosen."""
    review = state.review()
    terms = glossary.tip("Protected attribute", "Four parts of the data")
    try:
        said = start.about(cache.dataset(review), another_system=review.is_of_another_system)
    except FMDError as error:
        components.header("Data · under review", "The data under review cannot be opened.", help=terms)
        components.show_problem(error)
    else:
        components.header("Data · under review", *said, help=terms)
        samples(review)


def samples(review: Review) -> None:
    """A few that teach a model, each class in turn."""
    data = cache.dataset(review)
    rows, names = start.samples(data)
    wide = portraits.reads_words(review) or not find_kind(data.source.kind).has_pictures
    tiles = [
        gallery.Tile(row, (portraits.picture(review, row, f"{data.target.name} {name}", name),))
        for row, name in list(zip(rows, names, strict=True))[: MOST_WIDE if wide else start.ON_CARD]
    ]
    gallery.show(tiles, key="data_samples", label="Some that teach a model", size="wide" if wide else "ten")
    portraits.offer_to_show(review)


importing = import_job.under_way()
if importing is None:
    under_review()
else:
    components.header("Data", *job_words.heading(importing, "What came in is shown here."))
    import_job.follow()
components.fragment(answers_form.draw)()
st.subheader("Other data, or your own", anchor=False)
family = st.segmented_control(
    "Kind of data", list(FORMS), format_func=lambda family: FORMS[family][0], key="family", persist_state="session",
    label_visibility="collapsed",
)  # fmt: skip
if family is None:
    st.caption("Choose a kind, and what can be asked of it comes up. Everything stays on this machine.")
else:
    components.fragment(FORMS[family][1])()
if importing is None:
    import_job.follow()

"""Forms that open the public data sets; each ends in a review of that data."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import cache
from app.jobs import job_panel
from app.jobs.job import Progress
from app.record.review import ANOTHER_SYSTEM, NO_MODEL, Review
from app.session import memory, state
from app.widgets import components
from fmd_core import DataError
from fmd_core.datasets.families import reference
from fmd_core.datasets.public.adult import PROTECTED, fetch_adult
from fmd_core.datasets.public.celeba import celeba_attributes, download_celeba
from fmd_core.datasets.public.colored_mnist import ALIGNED
from fmd_core.home import data_folder
from fmd_core.models.shelf import shelved_models


def open_data(chosen: str) -> None:
    """Put a data set under review: by what another system answered where that came with it, else with the latest model
    that was trained on it if there is one."""
    with st.spinner("Opening the data"):
        review = latest_review(chosen)
        state.open_review(review)
    st.switch_page("app_pages/find_bias.py" if review.is_of_another_system else "app_pages/model.py")


def ask_for_other_data() -> None:
    """Whoever asks for other data finds the first form open, unless another was open before."""
    if memory.value("family", None) is None:
        memory.put("family", "celeba")


def latest_review(chosen: str) -> Review:
    """A data set with the model that ships with it or what another system answered, else with the model that was
    trained on it last. One that learned from other data is only offered: what is held out here may have taught it."""
    shipped = Review(chosen)
    if shipped.has_model:
        return shipped
    data = cache.open_data(chosen)
    if data.answered is not None:
        return Review(chosen, ANOTHER_SYSTEM)
    own = [model.id for model in shelved_models(data) if model.trained_on == data.fingerprint]
    return Review(chosen, own[0] if own else NO_MODEL)


def _open_button(chosen: str, *, disabled: bool = False) -> None:
    if st.button(
        "Open this data", type="primary", icon=":material/arrow_forward:", icon_position="right", disabled=disabled,
        key="open",
    ):  # fmt: skip
        open_data(chosen)


def celeba() -> None:
    """20,000 or 202,599 faces with 40 attributes."""
    st.write(
        "Photographs of faces with 40 yes-or-no attributes. A twin is a real person of the same answer with the other "
        "attribute, the one most alike; placebo twins who share the attribute show what matching alone costs."
    )
    folder = data_folder() / "celeba"
    try:
        names = celeba_attributes(folder)
    except DataError as error:
        components.show_problem(error)
        _fetch("celeba", "Download CelebA (1.4 GB)", "Downloading CelebA", lambda _: download_celeba(folder))
        return
    left, right = st.columns(2)
    with left:
        target = st.selectbox(
            "The model predicts",
            names,
            index=names.index("Blond_Hair"),
            format_func=_spaced,
            key="celeba_target",
        )
    with right:
        others = [name for name in names if name != target]
        default = [name for name in ("Male",) if name != target]
        protected = st.multiselect(
            "Should not matter", others, default=default, format_func=_spaced, key="celeba_protected"
        )
    size = st.select_slider("Pixels a side that the model sees", (32, 48, 64, 96, 128), 64, key="celeba_size")
    if not protected:
        st.info("Choose at least one attribute that should not matter.")
    chosen = reference("celeba", target=target, protected=",".join(protected) or "Male", size=str(size))
    _open_button(chosen, disabled=not protected)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def colored_mnist() -> None:
    """70,000 digits in colour."""
    st.write(
        "The 70,000 digits of MNIST, each class tied to an ink in training, as in the paper; elsewhere every digit has "
        "an ink drawn at random. A twin is the same digit in another ink."
    )
    aligned = st.select_slider(
        "Share of training digits in their own ink", sorted(ALIGNED), 0.99, key="mnist_aligned",
        format_func=lambda share: f"{100 * share:g} %",
    )  # fmt: skip
    _open_button(reference("colored_mnist", aligned=f"{aligned:g}"))


def adult() -> None:
    """48,842 people of a census."""
    st.write(
        "A census of 1994: does a person earn over 50,000 dollars a year? A twin is the same record with one entry "
        "changed, and with it what would give the change away (Husband and Wife)."
    )
    folder = data_folder() / "adult"
    if not (folder / "adult.data").is_file():
        st.info("Adult is not on this machine.")
        _fetch("adult", "Fetch Adult from OpenML", "Fetching Adult", lambda _: fetch_adult(folder))
        return
    protected = st.multiselect("Should not matter", PROTECTED, default=list(PROTECTED), key="adult_protected")
    _open_button(reference("adult", protected=",".join(protected) or "sex"), disabled=not protected)


def demos() -> None:
    """The data sets that ship with FMD Studio, to train another model on."""
    st.write("The bundled demos, to train a model of your own on them.")
    names = {
        "colored_digits": "Coloured digits",
        "synthetic_faces": "Synthetic faces",
        "hate_texts": "Words and groups",
    }
    chosen = st.radio("Demo", list(names), format_func=names.__getitem__, key="demo", horizontal=True)
    _open_button(chosen)


def _fetch(family: str, label: str, title: str, work: Callable[[Progress], object]) -> None:
    """A button that starts the download of a public set as a job; the sidebar's list follows it."""
    if st.button(label, icon=":material/download:", key="fetch"):
        job = job_panel.start_job(f"fetch {family}", title, work)
        state.show_job("download", job.id)
        st.rerun()
    running = state.shown_job("download")
    if running:
        job_panel.draw(running)

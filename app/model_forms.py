"""Forms of the Model page: choose a model that is here, train one, open weights."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

import fmd_core as fmd
from app import cache, components, job_panel, state, uploads
from app.review import Review
from app.view_models import models
from fmd_core import ModelError, intake
from fmd_core.architectures import ARCHITECTURES
from fmd_core.jobs import Job, Progress
from fmd_core.model_shelf import BUNDLED, keep_model, shelved_models
from fmd_core.models import NORMALISATIONS


def choose(review: Review) -> None:
    """Models that are here already, if there is any choice."""
    data = cache.dataset(review)
    found = {shelved.id: shelved.name for shelved in shelved_models(data)}
    if Review(review.data).has_model:
        found = {BUNDLED: "The model that ships with the demo", **found}
    if len(found) < 1 + (review.model in found):
        return
    ids = list(found)
    chosen = st.selectbox(
        "Models on this machine for this task", ids, format_func=found.__getitem__,
        index=ids.index(review.model) if review.model in found else None, placeholder="Choose a model",
        key=f"model_of_{review.data}",
    )  # fmt: skip
    if chosen is not None and chosen != review.model:
        _use(review, chosen)


def name_of(review: Review) -> str:
    """The model under review, by name; one that is gone is no longer chosen."""
    if not review.has_model:
        return "No model is chosen yet."
    try:
        cache.classifier(review)
    except ModelError as error:
        components.show_problem(error)
        return "This model cannot be opened."
    return cache.classifier(review).name or f"The model that ships with {cache.dataset(review).name}."


def _use(review: Review, model: str) -> None:
    state.open_review(Review(review.data, model))
    state.forget(f"model_of_{review.data}")
    st.rerun()


def train(review: Review) -> None:
    """Fit a network of the registry on the training part, as a job."""
    data = cache.dataset(review)
    fitting = [name for name, found in ARCHITECTURES.items() if found.kind == data.source.kind]
    suggested = models.suggested_architecture(data)
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    with left:
        architecture = st.selectbox(
            "Network", fitting, index=fitting.index(suggested), key=f"network_{data.source.kind}",
            format_func=lambda name: ARCHITECTURES[name].title,
        )  # fmt: skip
    with middle:
        epochs = st.number_input(
            "Rounds over the data", 1, 100, models.suggested_epochs(data), key=f"epochs_{review.data}"
        )
    with right:
        seed = st.number_input(
            "Seed", 0, 10_000, 0, key="train_seed", help="The same seed gives the same model."
        )
    if st.button("Train", type="primary", icon=":material/play_arrow:", key="train"):
        place = f"train_{review.data}"
        job = _start_training(review, architecture, int(epochs), int(seed))
        state.show_job(place, job.id)
        st.rerun()
    _follow(review, f"train_{review.data}")


def _start_training(review: Review, architecture: str, epochs: int, seed: int) -> Job:
    data = cache.dataset(review)
    size = ARCHITECTURES[architecture].size
    preprocess = fmd.Preprocess("imagenet", size) if size > 200 else fmd.Preprocess()
    name = f"{ARCHITECTURES[architecture].title}, {epochs} rounds, seed {seed}"

    def work(progress: Progress) -> str:
        model = fmd.train_classifier(
            data, architecture=architecture, epochs=epochs, seed=seed, preprocess=preprocess,
            progress=lambda step: progress(0.97 * step.share, models.step_words(step)),
        )  # fmt: skip
        return keep_model(data, replace(model, name=name))

    return job_panel.start_job(f"train {review.data} {name}", f"Training for {data.name}", work)


def _follow(review: Review, place: str) -> None:
    """The panel of a job that makes a model; its model is opened as soon as it is there."""
    running = state.shown_job(place)
    if not running:
        return
    job = job_panel.draw(running)
    if job is not None and job.state == "finished" and isinstance(job.result, str):
        state.show_job(place, "")
        _use(review, job.result)


def open_weights(review: Review) -> None:
    """A weights file, opened in a process of its own."""
    data = cache.dataset(review)
    st.write(
        "A safetensors file or a plain state dict. It is opened apart from this server, with limits on memory and "
        "time; nothing in it is ever run."
    )
    given = st.file_uploader(
        "Weights", type=["safetensors", "pt", "pth", "bin"], key="weights", max_upload_size=1024
    )
    fitting = [name for name, found in ARCHITECTURES.items() if found.kind == data.source.kind]
    left, middle, right = st.columns(3)
    with left:
        architecture = st.selectbox(
            "Network", fitting, key="weights_network", format_func=lambda name: ARCHITECTURES[name].title
        )
    with middle:
        normalisation = st.selectbox(
            "Colours as the network expects them", list(NORMALISATIONS), key="weights_normalisation",
            format_func=models.NORMALISATION_TITLES.__getitem__,
        )  # fmt: skip
    with right:
        size = st.number_input(
            "Pixels a side",
            8,
            512,
            ARCHITECTURES[architecture].size or 64,
            key=f"weights_size_{architecture}",
        )
    output = st.number_input(
        "Which output answers this (only for a network with several yes-or-no answers; 0 is the first)",
        0, 10_000, None, key="weights_output", placeholder="not needed",
    )  # fmt: skip
    if given is not None and st.button("Open these weights", type="primary", key="open_weights"):
        is_table = data.source.kind == "table"
        with uploads.on_disk(given) as path, st.spinner("Looking at the file"):
            try:
                passport = intake.open_weights(
                    path, architecture=architecture, n_classes=len(data.target.levels),
                    n_inputs=cache.n_inputs(review) if is_table else 0, size=None if is_table else int(size),
                    normalisation=normalisation, output=output, out=path.with_name("opened.safetensors"),
                )  # fmt: skip
                model = fmd.load_classifier(path.with_name("opened.safetensors"))
            except intake.IntakeRefusal as refusal:
                components.show_problem(refusal)
                if refusal.converter:
                    st.caption("Run this where the model was made, then open the file that it writes:")
                    st.code(refusal.converter, language="python")
                return
        scaled = models.with_unit_features(model, data)
        state.keep_passport(keep_model(data, replace(scaled, name=given.name[:80])), passport)
        _use(review, keep_model(data, replace(scaled, name=given.name[:80])))
    kept = state.passport(review.model)
    if kept is not None:
        st.subheader("Passport of the model in force", anchor=False)
        st.table(
            models.passport_rows(kept),
            border="horizontal",
            hide_header=True,
            hide_index=True,
            alt="Passport",
        )
        with st.expander("What was checked"):
            for check in kept.checks:
                st.text(check)

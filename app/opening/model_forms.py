"""Forms of the Model page: choose a model that is here, or train one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

import fmd_core as fmd
from app import cache
from app.jobs import job_panel
from app.jobs.registry import REGISTRY, Job, Progress
from app.opening import data_forms, model_look
from app.record.review import ANOTHER_SYSTEM, BUNDLED, NO_MODEL, Review
from app.session import state
from app.view_models import glossary, models
from app.widgets import components
from fmd_core import ModelError, figures
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES
from fmd_core.models.sentence_encoder import INSTALL, NAME, is_installed
from fmd_core.models.shelf import keep_model, shelved_models
from fmd_core.models.text_training import train_text_classifier
from fmd_core.models.training import suggested_architecture, suggested_epochs


def choose(review: Review) -> None:
    """Models that are here already, if there is any choice, and which may know the held-out samples."""
    found = dict(on_this_machine(review))
    if len(found) >= 1 + (review.model in found):
        _choose(review, found)
    data = cache.dataset(review)
    without_passport = [model for model in shelved_models(data) if state.passport(model.id) is None]
    told = models.caution(data, without_passport)
    if told:
        st.caption(components.plain(told))


def _choose(review: Review, found: Mapping[str, str]) -> None:
    ids = list(found)
    chosen = st.selectbox(
        "Models on this machine for this task", ids, format_func=found.__getitem__,
        index=ids.index(review.model) if review.model in found else None, placeholder="Choose a model",
        key=f"model_of_{review.data}_{review.model}",  # or the browser's old choice would come back
    )  # fmt: skip
    if chosen is not None and chosen != review.model:
        _use(review, chosen)


def on_this_machine(review: Review) -> list[tuple[str, str]]:
    """Id and name of every model for the task at hand."""
    found = [(shelved.id, models.shelved_name(shelved)) for shelved in shelved_models(cache.dataset(review))]
    if Review(review.data).has_model:
        return [(BUNDLED, "The model that ships with the demo"), *found]
    return found


def name_of(review: Review) -> str:
    """The model under review, by name; one that is gone is no longer chosen."""
    if review.is_of_another_system:
        return "Another system answers: what it said came with the data."
    if not review.has_model:
        return "No model is chosen yet."
    try:
        cache.classifier(review)
    except ModelError as error:
        components.show_problem(error)
        return "This model cannot be opened."
    return cache.classifier(review).name or f"The model that ships with {cache.dataset(review).name}."


def another_system(review: Review) -> None:
    """The way back to what another system answered, where that came with the data."""
    if cache.dataset(review).answered is not None and st.button(
        "Go back to the other system's answers", icon=":material/undo:", key="another_system"
    ):
        _use(review, ANOTHER_SYSTEM)


def facts(review: Review) -> None:
    """What the model under review is, and how often it is right once that is known."""
    try:
        model = cache.classifier(review)
    except ModelError:  # `name_of` has said so
        return
    audit = cache.audit(review, None) if cache.is_warm(review) else None
    rows = models.fact_rows(cache.dataset(review), model, audit)
    st.table(rows, border="horizontal", hide_header=True, hide_index=True, alt="The model under review")


def _use(review: Review, model: str) -> None:
    state.open_review(Review(review.data, model))
    st.rerun()


def train(review: Review) -> None:
    """Fit a network of the registry on the training part, as a job."""
    data = cache.dataset(review)
    if find_kind(data.source.kind).reads_words:
        _train_on_texts(review)
        return
    networks = models.fitting(data)
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    with left:
        architecture = st.selectbox(
            "Network", networks, index=networks.index(suggested_architecture(data)),
            key=f"network_{data.source.kind}", format_func=lambda name: ARCHITECTURES[name].title,
        )  # fmt: skip
    with middle:
        epochs = st.number_input(
            "Rounds over the data", 1, 100, suggested_epochs(data), key=f"epochs_{review.data}"
        )
    with right:
        seed = st.number_input("Seed", 0, 10_000, 0, key="train_seed", help=glossary.tip("Seed"))
    pretrained = ARCHITECTURES[architecture].pretrained and st.toggle(
        "Start from published weights (torchvision downloads them once)", key="pretrained"
    )
    if st.button(
        "Train",
        type="primary" if review.model == NO_MODEL else "secondary",
        icon=":material/play_arrow:",
        key="train",
    ):
        show(review, _start_training(review, architecture, int(epochs), int(seed), pretrained))


def _train_on_texts(review: Review) -> None:
    """Fit a head on the sentence encoder."""
    if not is_installed():
        st.info(
            components.plain(
                f"Reading texts needs a sentence encoder, which is not installed here: {INSTALL}"
            )
        )
        return
    n = len(cache.dataset(review).rows("train"))
    st.write(
        components.plain(
            f"The sentence encoder {NAME} reads {figures.count(n)} texts, about 100 a second on a free processor; "
            "a last layer is fitted on what it makes of them."
        )
    )
    if st.button(
        "Train",
        type="primary" if review.model == NO_MODEL else "secondary",
        icon=":material/play_arrow:",
        key="train",
    ):
        show(review, _start_on_texts(review))


def _start_on_texts(review: Review) -> Job:
    data = cache.dataset(review)

    def work(progress: Progress) -> models.Made:
        model = train_text_classifier(
            data, store=cache.store(), progress=lambda share: progress(0.95 * share, "Reading the texts")
        )
        progress(0.99, "Keeping the model")
        return models.Made(review.data, keep_model(data, replace(model, name=f"Last layer on {NAME}")))

    return job_panel.start_job(
        f"train {review.data} texts", f"Training for {data.name}", work, models.ModelFor(review.data)
    )


def _start_training(review: Review, architecture: str, epochs: int, seed: int, pretrained: bool) -> Job:
    data = cache.dataset(review)
    name = f"{ARCHITECTURES[architecture].title}, {epochs} round{'s' * (epochs > 1)}, seed {seed}"
    name += ", from published weights" * pretrained

    def work(progress: Progress) -> models.Made:
        progress(0, "Reading the first samples")
        model = fmd.train_classifier(
            data, architecture=architecture, epochs=epochs, seed=seed, pretrained=pretrained,
            progress=lambda step: progress(0.97 * step.share, models.step_words(step)),
        )  # fmt: skip
        progress(0.99, "Keeping the model")
        return models.Made(review.data, keep_model(data, replace(model, name=name)))

    return job_panel.start_job(
        f"train {review.data} {name}", f"Training for {data.name}", work, models.ModelFor(review.data)
    )


def show(review: Review, job: Job) -> None:
    """Let the page follow a job that makes a model for this data."""
    job_panel.follow(job)
    state.show_job(_place(review), job.id)
    st.rerun()


def _place(review: Review) -> str:
    return f"model_{review.data}"


def adopt_named_job() -> None:
    """After a refresh, or in another tab: look at the data whose model the job in the address makes."""
    named = st.query_params.get("job", "")
    job = REGISTRY.find(named)
    about = job.about if job else None
    if (
        isinstance(about, models.ModelFor) and named not in state.jobs()
    ):  # who knows the job has a choice made
        review = data_forms.latest_review(about.data)
        state.open_review(review)
        state.show_job(_place(review), named)


def follow(review: Review) -> None:
    """The panel of the job that makes a model for this data; the model is opened once it is there."""
    running = state.shown_job(_place(review))
    if not running:
        return
    job = REGISTRY.find(running)
    made = job.result if job else None
    if isinstance(made, models.Made):
        state.show_job(_place(review), "")
        if made.passport is not None:
            state.keep_passport(made.model, made.passport)
        _use(review, made.model)
    elif isinstance(made, models.Refused):
        model_look.show_refusal(made)
    else:
        job_panel.draw(running)

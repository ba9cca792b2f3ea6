"""Forms of the Model page: choose a model that is here, or train one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

import fmd_core as fmd
from app import cache
from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.opening import data_forms, model_look, training_card
from app.record.review import ANOTHER_SYSTEM, BUNDLED, NO_MODEL, Review
from app.session import state
from app.view_models import glossary, models, training
from app.widgets import components
from fmd_core import ModelError, figures
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES
from fmd_core.models.sentence_encoder import INSTALL, NAME, is_installed
from fmd_core.models.shelf import keep_model, shelved_models
from fmd_core.models.text_training import train_text_classifier
from fmd_core.models.training import suggested_architecture, suggested_epochs

ON_TEXTS = training.Asked(NAME, f"A last layer on {NAME}", None)


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
    rows = models.fact_rows(cache.dataset(review), model, right(review))
    st.table(rows, border="horizontal", hide_header=True, hide_index=True, alt="The model under review")


def right(review: Review) -> str:
    """How often the model under review is right, in a sentence, once it has read those who judge; else ''."""
    known = _so_far(review)
    return "" if known is None else training.right_sentence(known.right, cache.dataset(review).unit)


def found(review: Review) -> tuple[str | tuple[tuple[str, str], ...], str, str]:
    """Head and lead of the Model page, and the model's name: how often it is right and for whom least, once that is
    known; before, or where nobody can say, the name is the head."""
    name, known = name_of(review), _so_far(review)
    if known is None:
        return name, "", ""
    head = training.right_headline(
        known.right, known.least, cache.dataset(review).unit, is_doubted=bool(known.doubt)
    )
    said = (
        known.doubt, training.majority_sentence(known.right),
        training.least_sentence(known.right, known.least, known.too_few, cache.dataset(review).unit), known.judged_by,
    )  # fmt: skip
    return head, " ".join(filter(None, said)), name.rstrip(".")


def _so_far(review: Review) -> cache.SoFar | None:
    try:
        return cache.so_far(review) if review.has_model else None
    except ModelError:  # `name_of` has said so
        return None


def _use(review: Review, model: str) -> None:
    state.open_review(Review(review.data, model))
    st.rerun()


def train(review: Review, *, with_plan: bool = True) -> None:
    """Fit a network of the registry on the training part, as a job; it says before what that will be, unless one that
    is under way says it already."""
    data = cache.dataset(review)
    if find_kind(data.source.kind).reads_words:
        _train_on_texts(review, with_plan=with_plan)
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
    asked = training.Asked(architecture, ARCHITECTURES[architecture].title, int(epochs))
    if with_plan:
        training_card.draw(review, asked)
    pretrained = ARCHITECTURES[architecture].pretrained and st.toggle(
        "Start from published weights (torchvision downloads them once)", key="pretrained"
    )
    if st.button(
        "Train",
        type="primary" if review.model == NO_MODEL else "secondary",
        icon=":material/play_arrow:",
        key="train",
    ):
        show(review, _start_training(review, asked, int(seed), pretrained))


def _train_on_texts(review: Review, *, with_plan: bool) -> None:
    """Fit a head on the sentence encoder."""
    if not is_installed():
        st.info(
            components.plain(
                f"Reading texts needs a sentence encoder, which is not installed here: {INSTALL}"
            )
        )
        return
    if with_plan:
        training_card.draw(review, ON_TEXTS)
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
        return _kept(review.data, replace(model, name=f"Last layer on {NAME}"), progress.part(0.95, 1))

    return job_panel.start_job(
        f"train {review.data} texts", f"Training for {data.name}", work, models.ModelFor(review.data, ON_TEXTS),
        training_card.size_of(ON_TEXTS, data),
    )  # fmt: skip


def _start_training(review: Review, asked: training.Asked, seed: int, pretrained: bool) -> Job:
    data, epochs = cache.dataset(review), asked.epochs or 1
    name = f"{asked.title}, {epochs} round{'s' * (epochs > 1)}, seed {seed}"
    name += ", from published weights" * pretrained
    about = models.ModelFor(review.data, asked)

    def told(step: fmd.TrainingStep, progress: Progress) -> None:
        if step.accuracy is not None and len(about.rounds) < step.epoch:
            about.rounds.append(step.accuracy)
        progress(0.95 * step.share, models.step_words(step))

    def work(progress: Progress) -> models.Made:
        progress(0, f"Reading the first {figures.many(data.unit)}")
        model = fmd.train_classifier(
            data, architecture=asked.network, epochs=epochs, seed=seed, pretrained=pretrained,
            progress=lambda step: told(step, progress),
        )  # fmt: skip
        progress(0.96, "Keeping the model")
        return _kept(review.data, replace(model, name=name), progress.part(0.96, 1))

    return job_panel.start_job(
        f"train {review.data} {name}",
        f"Training for {data.name}",
        work,
        about,
        training_card.size_of(asked, data),
    )


def _kept(data: str, model: fmd.Classifier, progress: Progress) -> models.Made:
    """Keep a trained model, and ask it about the held-out samples: how often it is right is said when it is opened."""
    opened = cache.open_data(data)
    made = models.Made(data, keep_model(opened, model))
    asking = f"Asking held-out {figures.many(opened.unit)}"
    cache.features(Review(data, made.model), "test", lambda share: progress(share, asking))
    return made


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


def under_way(review: Review) -> Job | None:
    """The job that makes a model for this data, while it waits or runs and this visitor waits for it."""
    job = REGISTRY.find(state.shown_job(_place(review)))
    return job if job is not None and job.live and not state.has_left(job.id) else None


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
    elif job is not None and job.live:
        training_card.draw_running(review, job)
    else:
        job_panel.draw(running)

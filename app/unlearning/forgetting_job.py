"""Train a model on until it forgets, as a job: what comes of it is a model on the shelf, and the losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from app import cache
from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.record.trained import Pattern, Trained
from app.record.variants import Retrained
from app.session import access, state
from app.view_models import charts
from app.view_models import feature_unlearning as words
from app.widgets import components
from fmd_core import figures
from fmd_core.forget.adversarial import (
    ADVERSARY,
    AdversarySettings,
    ForgottenModel,
    Variant,
    forget_by_adversary,
)
from fmd_core.forget.channels import PATTERN, ForgottenPattern, forget_pattern
from fmd_core.forget.finetuning import ForgettingStep
from fmd_core.models.shelf import keep_model

PLACE = "forgetting"
LIVE_SECONDS = 1.0
Told = Callable[[ForgettingStep], None]


_live: dict[str, list[tuple[float, float]]] = {}  # losses of jobs that run, by key


def train(
    attributes: tuple[str, ...], aim: Aim, pressure: Variant, strength: float, epochs: int, tolerance: float
) -> None:
    """Begin to train against attributes; `aim` is the bias that the guard looks at."""
    review, names = state.review(), " and ".join(attributes)
    way = f"{words.PRESSURES[pressure].lower()}, strength {strength:g}, {figures.counted(epochs, 'round')}"
    what = f"{names} forgotten by training: {way}"
    settings = AdversarySettings(strength=strength, epochs=epochs)

    def forget(told: Told, reading: Callable[[float], None]) -> ForgottenModel:
        return forget_by_adversary(
            cache.classifier(review), cache.dataset(review), attributes, variant=pressure, settings=settings,
            store=cache.store(), progress=told, reading=reading,
        )  # fmt: skip

    variant = Retrained(review, aim, ADVERSARY.name, what, tolerance, attributes)
    _begin(f"Training against {names}", variant, forget)


def train_without(pattern: Pattern, epochs: int, tolerance: float) -> None:
    """Begin to train without a pattern."""
    review, aim = state.review(), state.aim()
    groups = cache.channel_groups(review, pattern.layer, pattern.n_groups)
    name = words.pattern_name(pattern.group, groups.n_groups, groups.layer)
    what = f"{name} forgotten by training, {figures.counted(epochs, 'round')}"

    def forget(told: Told, _reading: Callable[[float], None]) -> ForgottenPattern:
        return forget_pattern(
            cache.classifier(review),
            cache.dataset(review),
            groups,
            pattern.group,
            epochs=epochs,
            progress=told,
        )

    variant = Retrained(review, aim, PATTERN.name, what, tolerance, (name,))
    _begin(f"Training without pattern {pattern.group + 1}", variant, forget, pattern)


def _begin(
    title: str,
    variant: Retrained,
    forget: Callable[[Told, Callable[[float], None]], ForgottenModel | ForgottenPattern],
    pattern: Pattern | None = None,
) -> None:
    access.require_change()
    original = cache.classifier(variant.review).name
    reading = f"Reading every {cache.dataset(variant.review).unit}"
    review, key = variant.review, f"forget {variant.review.data} {variant.review.model} {variant.what}"

    def work(progress: Progress) -> Trained:
        losses = _live[key] = []

        def told(step: ForgettingStep) -> None:
            if step.share >= len(losses) / 100:  # a hundred points make a curve
                losses.append((step.task_loss, step.forgetting_loss))
            progress(0.1 + 0.85 * step.share, words.step_words(step))

        try:
            found = forget(told, lambda share: progress(0.1 * share, reading))
            progress(0.97, "Keeping the model")
            name = f"{original or found.classifier.architecture}, {variant.what}"  # tells it from other trainings
            changed = keep_model(cache.dataset(review), replace(found.classifier, name=name))
        finally:
            _live.pop(key, None)
        made = replace(variant, review=replace(review, beside=changed))
        coverage = found.coverage if isinstance(found, ForgottenPattern) else None
        return Trained(made, found.rounds, found.seconds, pattern, coverage)

    state.show_job(PLACE, job_panel.start_job(key, title, work).id)
    st.rerun()


def follow() -> None:
    """The panel of the training that goes on; what came of it is kept and shown."""
    job = REGISTRY.find(state.shown_job(PLACE))
    if job is None:
        return
    if isinstance(job.result, Trained):
        state.show_job(PLACE, "")
        state.remember_trained(job.result)
        st.rerun()
    job_panel.draw(job.id)
    _live_curve(job)
    if job.state == "stopped":
        st.info("Stopped. The model is as it was.")


def _live_curve(job: Job) -> None:
    """The losses so far, again and again while the job lives."""

    def draw() -> None:
        losses = list(_live.get(job.key, ()))
        if len(losses) > 1:
            figure = charts.losses([task for task, _ in losses], [forgetting for _, forgetting in losses])
            told = f"Task loss {losses[-1][0]:.3f}, forgetting loss {losses[-1][1]:.3f} so far."
            st.plotly_chart(figure, key="live_losses", config=charts.CONFIG, alt=told)
            st.caption(components.plain(told))

    st.fragment(draw, run_every=LIVE_SECONDS if job.live else None)()


def is_about(trained: Trained, review: Review, way: str) -> bool:
    """Whether something that was trained belongs to a way of forgetting, in the review at hand."""
    return trained.variant.way == way and trained.variant.review.key == review.key

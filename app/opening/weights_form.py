"""The form that opens a reviewer's own model file, as a job, and its passport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

import fmd_core as fmd
from app import cache
from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.opening import model_forms, model_look, onnx_form, own_answers_form, preparation_card, uploads
from app.record.review import NO_MODEL, Review
from app.session import state
from app.view_models import glossary, models
from app.widgets import components
from fmd_core import figures
from fmd_core.kinds import find_kind
from fmd_core.models.adopting import adopt
from fmd_core.models.architectures import ARCHITECTURES
from fmd_core.models.intake import intake
from fmd_core.models.intake.refusals import with_file
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.shelf import keep_model
from fmd_core.models.training import suggested_architecture

USUAL = "resnet18"  # what a stranger's picture model most likely is
Opener = Callable[[Path, Path], intake.Passport]


def draw(review: Review) -> None:
    """A model file and what has to be known of it."""
    st.write(
        "ONNX of any framework, weights of PyTorch (safetensors, .pt, .pth, .ckpt), a zip of a Hugging Face folder, or "
        "a skops file of scikit-learn. It is opened apart from this server, with limits on memory and time; no code in "
        "it is ever run. Of any other file you are told how to make one of these."
    )
    given = st.file_uploader(
        "Model file", key="weights", max_upload_size=512
    )  # of any suffix: our words come after it
    intake.prepare()
    if given is None:
        return
    found = model_look.look(given)
    if isinstance(found, models.Refused):
        model_look.show_refusal(found)
        return
    strange = model_look.why_not(found, cache.dataset(review).source.kind)
    if strange:
        model_look.show_refusal(models.Refused(strange, ""))
        return
    opener = _form(review, given, found)
    if opener is None:
        return
    kind: Literal["primary", "secondary"] = "primary" if review.model == NO_MODEL else "secondary"
    if st.button("Open this model", type=kind, key="open_weights"):
        model_forms.show(review, _start(review, given, opener))


def _form(review: Review, given: UploadedFile, found: model_look.Look) -> Opener | None:
    """What has to be asked of a file of this kind; None where it cannot be opened as it was answered."""
    if found.door.name == "onnx":
        return onnx_form.draw(review, given)
    if found.door.name == "hugging_face":
        return _for_library(review, given, found)
    if found.door.asks_architecture and find_kind(cache.dataset(review).source.kind).is_prepared:
        return _for_pictures(review)
    return _for_rows(review) if found.door.asks_architecture else _of_itself(review)


def _of_itself(review: Review) -> Opener:
    """The file says everything; columns are found by their names."""
    st.caption("The file says itself which columns it reads and what its answers are.")
    return partial(_open, review, "", cache.n_inputs(review), None, None)


def _for_library(review: Review, given: UploadedFile, found: model_look.Look) -> Opener | None:
    """A Hugging Face folder: how pictures are made ready is said in it, and can be corrected."""
    if found.preprocess is None or not find_kind(cache.dataset(review).source.kind).is_prepared:
        return _of_itself(review)
    st.caption(
        "Read from its preprocessor_config.json:"
        if found.says_preprocess
        else "It has no preprocessor_config.json, so say how pictures were made ready in its training:"
    )
    preparation = preparation_card.draw(review, found.preprocess, f"library_{given.file_id}")
    return None if preparation is None else partial(_open, review, "", 0, preparation, None)


def _for_rows(review: Review) -> Opener:
    """One network reads rows of numbers of a kind, and they are not prepared, so there is nothing to ask."""
    data, n_inputs = cache.dataset(review), cache.n_inputs(review)
    kind = find_kind(data.source.kind)
    st.caption(
        f"Of a state dict, the network must be our network for {kind.plural}, reading the {n_inputs} numbers of this "
        "data. An ONNX file says itself which columns it reads."
    )
    return partial(_open, review, suggested_architecture(data), n_inputs, None, None)


def _for_pictures(review: Review) -> Opener | None:
    data = cache.dataset(review)
    networks = models.fitting(data)
    architecture = st.selectbox(
        "Network", networks, index=networks.index(USUAL), key="weights_network",
        format_func=lambda name: ARCHITECTURES[name].title,
    )  # fmt: skip
    usual = Preprocess(models.usual_normalisation(architecture), ARCHITECTURES[architecture].size)
    preparation = preparation_card.draw(review, usual, f"weights_{architecture}")
    output = None
    if len(data.target.levels) == 2:
        with st.expander("The network answers several yes-or-no questions"):
            output = st.number_input(
                f"Which of its outputs means {components.plain(data.target.levels[1])}? 0 is the first.",
                0, 10_000, None, key="weights_output", placeholder="not needed", width=320,
            )  # fmt: skip
    return None if preparation is None else partial(_open, review, architecture, 0, preparation, output)


def _open(
    review: Review, architecture: str, n_inputs: int, preparation: Preprocess | None,
    output: int | None, path: Path, out: Path,
) -> intake.Passport:  # fmt: skip
    return intake.open_weights(
        path, architecture=architecture, kind=cache.dataset(review).source.kind,
        n_classes=len(cache.dataset(review).target.levels), n_inputs=n_inputs, preparation=preparation, output=output,
        out=out,
    )  # fmt: skip


def _start(review: Review, given: UploadedFile, opener: Opener) -> Job:
    """Copy the file and open it as a job, which deletes the copy."""
    name, asked = uploads.shown_name(given), opener.args[1:] if isinstance(opener, partial) else ()
    key = f"open {review.data} {uploads.content_key(given, *asked)}"

    def start(paths: tuple[Path | None, ...]) -> Job:
        def work(progress: Progress) -> models.Made | models.Refused:
            try:
                return _opened(review, name, paths[0], opener, progress)
            except intake.IntakeRefusal as refusal:
                return models.Refused(str(refusal), with_file(refusal.converter, name))
            finally:
                uploads.give_back(*paths)

        return job_panel.start_job(key, f"Looking at {name}", work, models.ModelFor(review.data))

    with st.spinner("Copying the file"):
        return uploads.lend(key, (given,), start)


def _opened(review: Review, name: str, path: Path | None, opener: Opener, progress: Progress) -> models.Made:
    """Look at the file, open it in a process of its own, make it ready for the data, keep it."""
    assert path is not None
    data, out = cache.dataset(review), path.with_name("opened.safetensors")
    progress(0.02, "Looking at the file, then opening it in a process of its own")
    passport = replace(opener(path, out), file_name=name)
    progress(0.6, f"Trying it on labelled {figures.many(data.unit)}")
    adopted = adopt(
        fmd.load_classifier(out), data, classes=passport.classes, is_ours=passport.is_ours, store=cache.store(),
        progress=lambda share: progress(0.6 + 0.35 * share, f"Asking labelled {figures.many(data.unit)}"),
    )  # fmt: skip
    model = replace(adopted.classifier, name=name)
    progress(0.95, "Keeping the model")
    return models.Made(
        review.data, keep_model(data, model), replace(passport, checks=(*passport.checks, *adopted.notes))
    )


def passport(review: Review) -> None:
    """What was found when the weights under review were opened."""
    kept = state.passport(review.model)
    if kept is not None:
        st.subheader("Passport of this model", anchor=False, help=glossary.tip("Passport", "Fingerprint"))
        st.table(
            models.passport_rows(kept), border="horizontal", hide_header=True, hide_index=True, alt="Passport"
        )
        with st.expander("What was checked, and the file's fingerprint"):
            for check in kept.checks:
                st.markdown(f"- {components.plain(check)}")
            st.caption("SHA-256 of the file")
            st.code(kept.sha256, language=None, wrap_lines=True)
    own_answers_form.draw(review)

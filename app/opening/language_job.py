"""A language model's jobs: scored, changed, sentences of a corpus weighed. torch is imported in them, not before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.cache import bounded
from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.opening import uploads
from app.session import access, state
from app.view_models.language_asked import Asked, Scored, TakenOut, Weighed
from fmd_core.data import content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.home import data_folder
from fmd_core.language import study, trial
from fmd_core.language.document import preference_sentence, tried_sentence
from fmd_core.language.examples import read_examples, some_of
from fmd_core.language.opening import SMOLLM2, LanguageModel, open_language_model
from fmd_core.language.unlearning import Form

SCORED, TAKEN_OUT, CORPUS = "language", "language_change", "language_corpus"
UPLOAD = "upload"
MOST_FOLDERS = 50


def folders() -> dict[str, Path]:
    """Folders with a model in FMD_DATA_DIR, at most two folders deep, by name."""
    place = data_folder()
    found = [*place.glob("*/config.json"), *place.glob("*/*/config.json")]
    whole = [
        path.parent for path in sorted(found)[:MOST_FOLDERS] if (path.parent / "model.safetensors").is_file()
    ]
    return {str(path.relative_to(place)): path for path in whole}


def content_of(reference: str, upload: UploadedFile | None) -> str:
    """What tells a model from another that had its name before: another zip, or another model saved in a folder. A
    model that comes with a package stays."""
    files = sorted(path for path in Path(reference).glob("*") if path.is_file())
    told = [(path.name, (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    return upload.file_id if upload is not None else repr(told) if told else ""


def score(asked: Asked, upload: UploadedFile | None) -> None:
    """Begin to score, and show the job."""

    def work(model: Callable[[], LanguageModel], progress: Progress) -> Scored:
        found = _study(asked, model, progress)
        scores = found.scores()
        return Scored(asked, preference_sentence(found, scores), scores, len(found.examples), found.seconds)

    _begin(SCORED, asked, upload, f"Scoring {asked.words}", work)


def take_out(asked: Asked, upload: UploadedFile | None, forms: tuple[Form, ...]) -> None:
    """Begin to change its topmost layers, as deep as `forms` say."""

    def work(model: Callable[[], LanguageModel], progress: Progress) -> TakenOut:
        found = _study(asked, model, progress.part(0, 0.3))
        if asked.set_name == "crows-pairs":  # it judges only
            deciding = _study(replace(asked, set_name="stereoset"), model, progress.part(0.3, 0.6))
            told = deciding.debias(model(), progress.part(0.6, 1), judge=found, forms=forms)
        else:
            told = found.debias(model(), progress.part(0.3, 1), forms=forms)
        return TakenOut(asked, forms, told, tuple(tried_sentence(told.before, one) for one in told.tried))

    _begin(TAKEN_OUT, asked, upload, f"Taking preferences out of {asked.title}", work, " ".join(forms))


def weigh(asked: Asked, upload: UploadedFile | None, corpus: str) -> None:
    """Begin to look for the sentences of a corpus that teach these preferences."""
    sentences = study.corpus_lines(corpus)

    def work(model: Callable[[], LanguageModel], progress: Progress) -> Weighed:
        found = _study(asked, model, progress.part(0, 0.5))
        return Weighed(asked, found.harmful(model(), sentences, progress.part(0.5, 1)))

    digest = hashlib.sha256(corpus.encode()).hexdigest()
    _begin(CORPUS, asked, upload, f"Weighing {len(sentences):,} sentences", work, digest)


def result(place: str) -> object:
    """What the latest job of a place came to, also after a refresh; its panel is drawn while it goes on."""
    job = REGISTRY.find(state.shown_job(place))
    if job is None:
        return None
    if job.state != "finished":
        job_panel.draw(job.id)
    return job.result


def _begin(
    place: str,
    asked: Asked,
    upload: UploadedFile | None,
    title: str,
    work: Callable[[Callable[[], LanguageModel], Progress], object],
    extra: str = "",
) -> None:
    access.require_change()
    if content_of(asked.reference, upload) != asked.content:
        raise ModelError("Another model lies there than the one that was scored; score it first.")
    key = f"{place} {uploads.content_key(asked.reference, asked.content, asked.set_name, asked.most, extra)}"

    def start(paths: tuple[Path | None, ...]) -> Job:
        reference = paths[0] or asked.reference

        def done(progress: Progress) -> object:
            progress(0, "Opening the model")
            opened: list[LanguageModel] = []

            def model() -> LanguageModel:
                if not opened:
                    opened.append(_opened(reference))
                return opened[0]

            return work(model, progress)

        return job_panel.start_job(key, title, done, asked)

    job = uploads.lend(key, (upload,), start)
    job_panel.follow(job)
    state.show_job(place, job.id)


def _opened(reference: str | Path) -> LanguageModel:
    """A model; one that somebody brought only after it opened in a process with limits."""
    if reference == SMOLLM2:
        return open_language_model(reference)
    tried = trial.try_model(Path(reference))
    model = open_language_model(reference)
    if model.fingerprint != tried:
        raise ModelError("The model was changed while it was opened; try again.")
    return model


def _study(asked: Asked, model: Callable[[], LanguageModel], progress: Progress) -> study.LanguageStudy:
    """The reading, held in the memory that all results share."""
    examples = some_of(read_examples(asked.set_name), asked.most)
    key = (
        "language",
        asked.reference,
        asked.content,
        content_fingerprint(
            asked.set_name, *(text for one in examples for text in (one.context, *one.sentences))
        ),
    )
    return bounded.SharedMemory().recall(
        key, lambda: study.LanguageStudy.read(model(), asked.set_name, examples, progress)
    )

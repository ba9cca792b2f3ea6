"""How far each depth gets, beside what simpler fixes do, on people who had no part in it: `fmd reproduce --deeper`.

Where few people of the group concerned are in one test part, as of CelebA's blond men, everybody is tested once:
the data are shared out anew into five folds by person, in the product's proportions, with a network for each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.public.celeba import CelebaSource, persons_of
from fmd_core.errors import DataError
from fmd_core.home import data_folder
from fmd_core.intervals import MIN_PEOPLE, wilson_interval
from fmd_core.models.classifier import Classifier
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.models.training import TrainingStep, ignore_step
from fmd_core.reproduction import trained_models
from fmd_core.reproduction.trained_models import this_machine, train_or_reuse
from fmd_core.study.debiasing import figures_of_head, simpler_fixes
from fmd_core.study.deeper import deepen
from fmd_core.study.study import Study
from fmd_core.unlearn.baselines import find_baseline
from fmd_core.unlearn.deeper.answers import Figures
from fmd_core.unlearn.deeper.training import REACHES, DeeperSettings, Improve

JSON, MARKDOWN = "deeper.json", "deeper.md"
FOLDS = 5
TOLERANCES = (0.001, 0.015)
ORIGINAL, TODAY = "the original", "last layer, as suggested"
BASELINES = {"thresholds moved": "thresholds moved", "refit on twins": "last-layer refit (DFR)"}


@dataclass(frozen=True)
class DeeperStudy:
    """One model, or one for each fold, and the bias that is taken out."""

    reference: str
    attribute: str
    improve: Improve
    architecture: str = ""  # '' for the model that comes with a demo
    epochs: int = 0
    folds: int = 1


@dataclass(frozen=True)
class DeeperRow:
    """One treatment in one fold. Shares lie in [0, 1]."""

    study: str
    fold: int
    treatment: str
    accuracy: float
    groups: tuple[tuple[str, float, int], ...]
    """Name, share that is answered right, people."""
    bias: float | None
    calibrated: float | None
    flips: float | None
    seconds: float
    chosen: str


HEADINGS = (
    "treatment", "accuracy", "every group alike", "worst group [95 %]", "n", "bias", "calibrated", "flips", "CPU s",
)  # fmt: skip
STUDIES: dict[str, tuple[DeeperStudy, ...]] = {
    "colored_digits": (DeeperStudy("colored_digits", "colour", "twins"),),
    "synthetic_faces": (DeeperStudy("synthetic_faces", "presentation", "twins"),),
    "adult": tuple(DeeperStudy("adult", name, "twins", "mlp", 4) for name in ("sex", "race", "age")),
    "celeba": (
        DeeperStudy("celeba", "male", "groups", "face_cnn", 5, FOLDS),
    ),
    "colored_mnist": tuple(
        DeeperStudy(f"colored_mnist?aligned={share}", "colour", "twins", "small_cnn", 3)
        for share in ("0.995", "0.99", "0.98", "0.95")
    ),
}  # fmt: skip


def study_deeper(
    data: Sequence[str],
    *,
    say: Callable[[str], None] = print,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> list[DeeperRow]:
    """Every treatment of every study of the families `data`; those that are not on this machine are skipped."""
    rows: list[DeeperRow] = []
    for family in data:
        if family not in STUDIES:
            raise DataError(f"There is no study of '{family}'. Choose from: {', '.join(STUDIES)}.")
        for study in STUDIES[family]:
            try:
                dataset = load_dataset(study.reference)
            except DataError as error:
                say(f"{study.reference} was skipped: {error}")
                continue
            for fold in range(study.folds):
                say(f"{dataset.name} by {study.attribute}, fold {fold + 1} of {study.folds}")
                rows += _rows(study, fold, _fold(dataset, study, fold), progress)
    if not rows:
        raise DataError(f"None of {', '.join(data)} is on this machine, so nothing was measured.")
    return rows


def _fold(dataset: AttributeDataset, study: DeeperStudy, fold: int) -> AttributeDataset:
    """The data with another part of the people as the test, and the others shared out anew."""
    if study.folds == 1:
        return dataset
    if not isinstance(dataset.source, CelebaSource):
        raise DataError(
            f"Who is on the samples of '{dataset.name}' is not known, so they cannot be shared out anew."
        )
    person = persons_of(data_folder() / "celeba", dataset.source.files)
    order = np.random.default_rng(0).permutation(np.unique(person))
    tested = np.array_split(order, study.folds)[fold]
    others = np.random.default_rng(fold).permutation(order[~np.isin(order, tested)])
    tenth = len(order) // 10
    split = np.full(len(dataset), "train", "<U10")
    for name, those in (
        ("test", tested),
        ("external", others[:tenth]),
        ("validation", others[tenth : 2 * tenth]),
    ):
        split[np.isin(person, those)] = name
    return replace(dataset, split=split)


def _rows(
    study: DeeperStudy, fold: int, dataset: AttributeDataset, progress: Callable[[TrainingStep], None]
) -> Iterator[DeeperRow]:
    model = _model(study, fold, dataset, progress)
    store = FeatureStore() if dataset.source.kind == "image" else None
    review, name = Study(dataset, model, aim=study.attribute, store=store), study.attribute

    def row(treatment: str, figures: Figures, seconds: float = 0.0, chosen: str = "") -> DeeperRow:
        target, levels = dataset.target.levels, dataset.attribute(name).levels
        groups = tuple((f"{target[g.label]}, {levels[g.level]}", g.value, g.n) for g in figures.groups)
        return DeeperRow(
            f"{dataset.name}: {dataset.target.name} by {name} ({study.reference})", fold, treatment,
            figures.accuracy, groups, figures.bias, figures.calibrated, figures.flips, seconds, chosen,
        )  # fmt: skip

    yield row(ORIGINAL, figures_of_head(review, name, review.head))
    for tolerance in TOLERANCES:
        begun = time.process_time()
        suggested = review.path(tolerance=tolerance).suggested.result
        took = time.process_time() - begun
        yield row(
            _guarded(TODAY, tolerance), figures_of_head(review, name, suggested.head), took, suggested.setting
        )
    for key, title in BASELINES.items():
        for limit in (*TOLERANCES, None):
            path, heads, _ = simpler_fixes(
                review, name, find_baseline(key), study.improve, 1.0 if limit is None else limit
            )
            place = path.chosen.steps
            head = figures_of_head(review, name, heads[place])
            yield row(
                _guarded(title, limit), head, chosen=f"the {place}. that it offers" if place else ORIGINAL
            )
    for reach in REACHES:
        begun = time.process_time()
        found = deepen(review, name, DeeperSettings(reach, study.improve), seed=fold)
        took = time.process_time() - begun
        for tolerance in TOLERANCES:
            point = found.at(tolerance).chosen
            chosen = f"{point.steps} steps, {point.share:g} of the way, {point.restored:g} restored"
            yield row(_guarded(reach, tolerance), found.judged(point), took, chosen)


def _model(
    study: DeeperStudy, fold: int, dataset: AttributeDataset, progress: Callable[[TrainingStep], None]
) -> Classifier:
    if not study.architecture:
        return load_demo_classifier(study.reference)
    how = trained_models.Study(study.reference, study.architecture, study.epochs)
    return train_or_reuse(how, dataset, fold, progress).classifier


def _guarded(treatment: str, tolerance: float | None) -> str:
    return f"{treatment}, " + ("no guard" if tolerance is None else f"at most {100 * tolerance:g} points")


# --- what is written


GUIDE = """\
**How to read this.** Test people judge; they had no part in training, in the fix or in its choice, which validation
people make under the guard: no more than so many points of overall accuracy lost, no class given up, neither the
worst group nor the bias at equal sureness worse by more than its error. Of folds everybody is tested once and the
people are pooled. *every group alike* is the mean accuracy over class x level; *worst group* is that with the lowest
accuracy of those with at least 30 people, with its 95 % interval. *bias* is that between twins, where twins are other
people beyond the placebo; *calibrated*: the same at the temperature that suits validation people. *CPU s* is of one
thread. "thresholds moved" learns nothing; "last-layer refit" is deep feature reweighting (arXiv 2204.02937)."""


def write_deeper(rows: Sequence[DeeperRow], folder: Path) -> tuple[Path, Path]:
    """Write the page and the numbers behind it."""
    text, numbers = folder / MARKDOWN, folder / JSON
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    a_line_each = ",\n  ".join(json.dumps(asdict(row)) for row in rows)  # a figure a line makes 35,000 lines
    content = (
        f'{{"machine": {json.dumps(this_machine())}, "date": "{date}", "rows": [\n  {a_line_each}\n]}}\n'
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(content, encoding="utf-8")
        text.write_text("\n".join(_page(rows, date)) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


def _page(rows: Sequence[DeeperRow], date: str) -> Iterator[str]:
    yield "# Below the last layer"
    yield ""
    yield f"Written by `fmd reproduce --deeper` on {date}, on {this_machine()}. The same figures, fold by fold, are in"
    yield f"`{JSON}`."
    yield from ("", GUIDE)
    for study in dict.fromkeys(row.study for row in rows):
        own = [row for row in rows if row.study == study]
        folds = len({row.fold for row in own})
        yield from ("", f"## {study}", "")
        yield f"{folds} fold{'s' * (folds > 1)}, {sum(n for _, _, n in _pooled(own[:1])):,} people in the first."
        yield ""
        yield f"| {' | '.join(HEADINGS)} |"
        yield "| --- |" + " ---: |" * (len(HEADINGS) - 1)
        for treatment in dict.fromkeys(row.treatment for row in own):
            yield _line(treatment, [row for row in own if row.treatment == treatment])


def _pooled(rows: Sequence[DeeperRow]) -> list[tuple[str, float, int]]:
    """Groups over all folds: name, share right, people."""
    right: dict[str, float] = {}
    people: dict[str, int] = {}
    for row in rows:
        for name, value, n in row.groups:
            right[name] = right.get(name, 0.0) + value * n
            people[name] = people.get(name, 0) + n
    return [(name, right[name] / n, n) for name, n in people.items()]


def _line(treatment: str, rows: Sequence[DeeperRow]) -> str:
    groups = _pooled(rows)
    total = sum(n for *_, n in groups)
    accuracy = sum(value * n for _, value, n in groups) / total
    balanced = float(np.mean([value for _, value, _ in groups]))
    large = [group for group in groups if group[2] >= MIN_PEOPLE]
    worst, n = "–", "–"
    if large:
        name, value, size = min(large, key=lambda group: group[1])
        low, high = wilson_interval(value, size)
        worst, n = f"{value:.3f} [{low:.2f}, {high:.2f}] {name}", f"{size:,}"
    seconds = [row.seconds for row in rows]
    took = f"{np.mean(seconds):.1f}" if max(seconds) else "–"
    means = " | ".join(
        _mean([getattr(row, what) for row in rows]) for what in ("bias", "calibrated", "flips")
    )
    return f"| {treatment} | {accuracy:.3f} | {balanced:.3f} | {worst} | {n} | {means} | {took} |"


def _mean(values: Sequence[float | None]) -> str:
    known: Array = np.array([value for value in values if value is not None])
    return f"{known.mean():.3f}" if len(known) else "–"

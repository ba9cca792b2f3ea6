"""The cells of the published table: one treatment of one network, on people who had no part in it.

Each cell is kept as a file of its own under FMD_HOME as soon as it is measured, so that a run that is interrupted
goes on where it ended, and the page can be written at any time from what there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from fmd_core.data import AttributeDataset
from fmd_core.datasets.families import load_dataset
from fmd_core.errors import DataError, NoTwinsError
from fmd_core.method import DEFAULT_STRATEGY, strategies
from fmd_core.models.classifier import Classifier
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.models.training import TrainingStep, ignore_step
from fmd_core.reproduction.cases import CASES, Case, shared_out
from fmd_core.reproduction.kept import keep, kept_file, read_kept
from fmd_core.reproduction.trained_models import Study as HowTrained
from fmd_core.reproduction.trained_models import this_machine, train_or_reuse
from fmd_core.study.debiasing import figures_of_head, judged_baselines, simpler_fixes
from fmd_core.study.deeper import asked, deepen
from fmd_core.study.retraining import retrain
from fmd_core.study.study import Study
from fmd_core.study.table_answers import averaged_answers_of
from fmd_core.unlearn.baselines import baselines
from fmd_core.unlearn.deeper.answers import Figures
from fmd_core.unlearn.deeper.choosing import DeeperPoint
from fmd_core.unlearn.deeper.settings import REACHES, DeeperSettings, Improve, Reach, why_only_groups
from fmd_core.unlearn.retraining.methods import METHODS

VERSION = 1  # of what is measured: cells of an earlier one are measured again
EARLIER: dict[str, str] = {
    "twins": "Twins were shown with two levels drawn independently, often the same one, and their agreement counted a "
    "tenth; `debias` shows two different levels since and may come to other figures.",
    "groups": "Learned at a constant rate, the whole network for 600 steps; `debias` lets the rate fall to 0 since, "
    "and the whole network learns for 1,200 steps, so that it may come to other figures.",
}
"""How cells of an earlier recipe were measured, by what was to improve."""
SMALLER_STEPS = (
    "Above the trunk learned at a rate of 1e-3 for 700 steps; `debias` begins at 5e-3 and takes 600 steps since, so "
    "that it may come to other figures."
)
TOLERANCES = (0.001, 0.015)
ORIGINAL, SIMPLE, PUBLISHED, TABLE = "the original", "simple", "published steps", "table"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """What one treatment does to test people. Shares lie in [0, 1]."""

    treatment: str
    accuracy: float
    groups: tuple[tuple[str, float, int], ...]
    """Name, share that is answered right, people."""
    bias: float | None
    calibrated: float | None
    flips: float | None
    seconds: float
    """CPU seconds of one thread that it took; 0 where it is instant."""
    chosen: str


@dataclass(frozen=True)
class Cell:
    """One part of one run of a case, as it is kept."""

    case: str
    run: int
    """Fold or seed."""
    part: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    why_not: str
    """Why it cannot be done, in a sentence; '' where it was."""
    model: str
    machine: str
    date: str
    version: int = VERSION
    note: str = ""
    """What else has to be known of how it was measured."""

    @property
    def file(self) -> Path:
        return cell_file(self.case, self.run, self.part)

    @property
    def is_earlier(self) -> bool:
        """Whether it was measured by an earlier recipe than today's."""
        return self.version < version_of(self.case, self.part)


PARTS: tuple[str, ...] = (SIMPLE, PUBLISHED, TABLE, *REACHES, *METHODS)


def cell_file(case: str, run: int, part: str) -> Path:
    """Where a cell is kept."""
    return kept_file(f"{case}.{run}.{part}")


def version_of(case: str, part: str) -> int:
    """Of what is measured there now: networks learn on by a second recipe, by a third where twins are shown above the
    trunk, and a table has a treatment more."""
    if part in REACHES and case in _improving():
        return VERSION + (2 if part != "whole network" and _improving()[case] == "twins" else 1)
    return VERSION + 1 if part == TABLE else VERSION


def _improving() -> dict[str, Improve]:
    """What is to improve, by case."""
    return {known.name: known.improve for known in CASES}


def read_cell(case: str, run: int, part: str) -> Cell | None:
    """A cell that was measured, or None where it was not, or by a way that is not known. One that was measured by an
    earlier recipe says so in its note."""
    newest = version_of(case, part)
    found = read_kept(cell_file(case, run, part), VERSION, newest)
    if found is None:
        return None
    if part in REACHES and found["version"] < newest:
        earlier = EARLIER[_improving()[case]] if found["version"] == VERSION else SMALLER_STEPS
        found["note"] = f"{found.get('note', '')} {earlier}".lstrip()
    try:
        return Cell(**{**found, "rows": tuple(map(_row, found["rows"]))})
    except (KeyError, TypeError):
        return None


def _row(found: Mapping[str, Any]) -> Row:
    return Row(**{**found, "groups": tuple(tuple(group) for group in found["groups"])})


def keep_cell(cell: Cell) -> None:
    """Write a cell whole."""
    keep(cell.file, asdict(cell))


def measure(
    cases: Sequence[Case],
    *,
    seeds: int,
    parts: Sequence[str] = PARTS,
    runs: Sequence[int] | None = None,
    say: Say = print,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> list[str]:
    """Measure every cell that is not kept yet; what was skipped, in a sentence each.

    Data that are not on this machine are skipped. Raises DataError for an unknown part.
    """
    for part in parts:
        if part not in PARTS:
            raise DataError(f"There is no part '{part}'. Choose from: {', '.join(PARTS)}.")
    skipped = []
    for case in cases:
        try:
            dataset = load_dataset(case.reference)
        except DataError as error:
            skipped.append(f"{case.name} was skipped: {error}")
            say(skipped[-1])
            continue
        for run in case.runs(seeds):
            if runs is not None and run not in runs:
                continue
            missing = [part for part in parts if not _is_measured(case.name, run, part)]
            if missing:
                say(f"{case.name}, {run}: the model")
                bench = _Bench(case, run, shared_out(dataset, case, run), progress)
                for part in missing:
                    say(f"{case.name}, {run}: {part}")
                    keep_cell(bench.cell(part))
    return skipped


def _is_measured(case: str, run: int, part: str) -> bool:
    """Whether a cell is there and was measured as it would be today."""
    found = read_cell(case, run, part)
    return found is not None and found.version == version_of(case, part)


class _Bench:
    """One network of a case, and everything that is done to it."""

    def __init__(
        self, case: Case, run: int, dataset: AttributeDataset, progress: Callable[[TrainingStep], None]
    ) -> None:
        self.case, self.run, self.dataset, self.progress = case, run, dataset, progress

    @cached_property
    def model(self) -> Classifier:
        case = self.case
        if case.bundled and self.run == 0:
            return load_demo_classifier(case.reference)
        how = HowTrained(case.reference, case.architecture, case.epochs)
        return train_or_reuse(how, self.dataset, self.run, self.progress).classifier

    @cached_property
    def study(self) -> Study:
        store = FeatureStore() if self.dataset.source.kind == "image" else None
        return Study(self.dataset, self.model, aim=self.case.attribute, store=store)

    def cell(self, part: str) -> Cell:
        """One part, measured."""
        why, rows = "", tuple[Row, ...]()
        of: Callable[[], Iterator[Row]]
        if part in METHODS:
            why = METHODS[part].why_not(self.model, self.dataset, self.case.attribute)
            of = partial(self._method, part)
        elif part in (SIMPLE, PUBLISHED, TABLE):
            of = {SIMPLE: self._simple, PUBLISHED: self._published, TABLE: self._table}[part]
        else:
            of = partial(self._deeper, next(reach for reach in REACHES if reach == part))
        if part == TABLE and self.dataset.source.kind != "table":
            why = f"There is no table; these are {self.dataset.unit}s."
        if not why:
            try:
                rows = tuple(of())
            except DataError as error:
                why = str(error)
        return Cell(
            self.case.name, self.run, part, self._title, self.dataset.unit, rows, why, self.model.fingerprint,
            this_machine(), datetime.now(UTC).strftime("%Y-%m-%d"), version_of(self.case.name, part),
        )  # fmt: skip

    @property
    def _title(self) -> str:
        data = self.dataset
        return f"{data.name}: {data.target.name} by {self.case.attribute}"

    def _row(self, treatment: str, figures: Figures, seconds: float = 0.0, chosen: str = "") -> Row:
        target, levels = self.dataset.target.levels, self.dataset.attribute(self.case.attribute).levels
        groups = tuple((f"{target[g.label]}, {levels[g.level]}", g.value, g.n) for g in figures.groups)
        return Row(
            treatment, figures.accuracy, groups, figures.bias, figures.calibrated, figures.flips, seconds,
            chosen,
        )  # fmt: skip

    def _simple(self) -> Iterator[Row]:
        """What costs seconds: the original, our last layer, the simpler fixes."""
        study, name, improve = self.study, self.case.attribute, self.case.improve
        yield self._row(ORIGINAL, figures_of_head(study, name, study.head))
        yield from self._steps(DEFAULT_STRATEGY)
        for baseline in baselines():
            if not baseline.published:
                continue
            for limit in (*TOLERANCES, None):
                try:
                    path, heads, _ = simpler_fixes(
                        study, name, baseline, improve, 1.0 if limit is None else limit
                    )
                except NoTwinsError:
                    break
                place = path.chosen.steps
                chosen = f"the {place}. that it offers" if place else ORIGINAL
                after = figures_of_head(study, name, heads[place])
                yield self._row(guarded(baseline.published, limit), after, chosen=chosen)

    def _published(self) -> Iterator[Row]:
        """The steps of the publication, and any other strategy that is registered."""
        for strategy in strategies():
            if strategy.name != DEFAULT_STRATEGY:
                yield from self._steps(strategy.name)

    def _steps(self, strategy: str) -> Iterator[Row]:
        for tolerance in TOLERANCES:
            begun = time.process_time()
            found = self.study.path(strategy=strategy, tolerance=tolerance).suggested.result
            took = time.process_time() - begun
            after = figures_of_head(self.study, self.case.attribute, found.head)
            yield self._row(guarded(f"last layer, {strategy}", tolerance), after, took, found.setting)

    def _table(self) -> Iterator[Row]:
        """Answers averaged over the attribute, those of a network that learned on with every level shown as well, and
        gradient boosting."""
        name, improve = self.case.attribute, self.case.improve
        found = judged_baselines(self.study, name, improve, 1.0, names=())
        for other in found.values():
            yield self._row(other.title, other.after)
        if why_only_groups(self.dataset, name):
            return
        begun = time.process_time()
        shown = deepen(self.study, name, DeeperSettings("whole network", "twins"), seed=self.run)
        took = time.process_time() - begun
        averaged = averaged_answers_of(shown.network(max(shown.networks)), self.dataset, name)
        guards, judges = (asked(self.study, split, name) for split in ("validation", "test"))
        _, after = averaged.judged(*guards, judges[0], improve, 1.0)
        yield self._row(averaged.title, after, took)

    def _deeper(self, reach: Reach) -> Iterator[Row]:
        begun = time.process_time()
        found = deepen(
            self.study, self.case.attribute, DeeperSettings(reach, self.case.improve), seed=self.run
        )
        took = time.process_time() - begun
        points: dict[float | None, DeeperPoint] = {limit: found.at(limit).chosen for limit in TOLERANCES}
        points[None] = found.as_made
        for limit, point in points.items():
            chosen = f"{point.steps:,} steps, {point.share:g} of the way, {point.restored:g} restored"
            yield self._row(guarded(reach, limit), found.judged(point), took, chosen)

    def _method(self, name: str) -> Iterator[Row]:
        begun, case = time.process_time(), self.case
        epochs = None if case.bundled and self.run == 0 else case.epochs
        found = retrain(self.study, case.attribute, name, seed=self.run, epochs=epochs)
        took, title = time.process_time() - begun, METHODS[name].title
        points: dict[float | None, DeeperPoint] = {
            limit: found.at(case.improve, limit).chosen for limit in TOLERANCES
        }
        points[None] = found.as_made
        for limit, point in points.items():
            chosen = f"{point.steps:,}, {point.share:g} of the way"
            yield self._row(guarded(title, limit), found.at_point(point), took, chosen)


def guarded(treatment: str, tolerance: float | None) -> str:
    """A treatment and what it may cost."""
    return f"{treatment}, " + ("no guard" if tolerance is None else f"at most {100 * tolerance:g} points")

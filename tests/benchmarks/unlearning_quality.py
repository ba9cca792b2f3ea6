"""How good each way to unlearn is: strategies, last-layer refit, and fine-tuning of the whole network.

    python tests/benchmarks/unlearning_quality.py [--quick]

One seed of the studies behind docs/results.md, whose models are reused from FMD_HOME when they were trained
there before, with fine-tuning under a time budget beside them. Nothing is asserted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

import numpy as np

from fmd_core import CounterfactualPairs, FeatureSet, extract_features, load_dataset, pair_counterfactuals
from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.models.classifier import Classifier
from fmd_core.models.feature_store import FeatureStore
from fmd_core.reproduction.experiments import Experiment
from fmd_core.reproduction.held_out import HeldOut, Row
from fmd_core.reproduction.trained_models import Study, train_or_reuse
from fmd_core.twins.pairs import placebo_pairs
from tests.benchmarks.fine_tuning import fine_tuned
from tests.benchmarks.timing import Report, duration, progress, results_folder

BUDGETS = (5.0, 20.0)  # seconds of fine-tuning
SEED = 0
CHOSEN = {
    **{Study(f"colored_mnist?aligned={share}", "small_cnn", 3): ("colour",) for share in ("0.99", "0.95")},
    Study("adult", "mlp", 4): ("sex", "race"),
    Study("celeba", "face_cnn", 5, (0.01, 0.02)): ("male",),
}
QUICK = {Study("colored_digits", "small_cnn", 1): ("colour",)}


def main(*, quick: bool = False, folder: Path | None = None, budgets: Sequence[float] = BUDGETS) -> None:
    """Measure, print and write."""
    report = Report("Quality of unlearning")
    folder = folder or results_folder(quick=quick)
    report.machine(quick=quick)
    for study, attributes in (QUICK if quick else CHOSEN).items():
        try:
            dataset = load_dataset(study.reference)
        except DataError as error:
            report.table(study.reference, ["skipped"], [[error]])
            continue
        progress(f"{dataset.name}: the model")
        classifier = train_or_reuse(study, dataset, SEED).classifier
        for attribute in attributes:
            one_table(report, study, dataset, classifier, attribute, budgets)
            report.write(folder, "unlearning_quality")  # whoever stops it keeps what there is


def one_table(
    report: Report,
    study: Study,
    dataset: AttributeDataset,
    classifier: Classifier,
    attribute: str,
    budgets: Sequence[float],
) -> None:
    """Every way to treat one model."""
    progress(f"{dataset.name}: {attribute}")
    work = Experiment(dataset, classifier, attribute, study.tolerances, FeatureStore())
    rows = [(row, duration(row.seconds + row.guard_seconds) if row.pairs else "") for row in work.rows()]
    rows += list(fine_tuning_rows(dataset, classifier, twins_of(work, dataset), budgets))
    matched = dataset.pair_method == "matched"
    measure, value = ("excess of B over placebo", "excess") if matched else ("B", "bias")
    report.table(
        f"{dataset.name}: {dataset.target.name} by {attribute} ({study.architecture}, seed {SEED})",
        ["method", "accuracy", measure, "worst group", "who they are (n)", "time", "what was chosen"],
        [
            (row.method, figure(row.accuracy), figure(getattr(row, value)), figure(row.worst_group),
             f"{row.worst_group_name} ({row.worst_group_people})", seconds, row.setting)
            for row, seconds in rows
        ],
        f"On {len(dataset.rows('test')):,} held-out test samples. Time: from features and pairs to the chosen "
        "head; for fine-tuning the budget (CPU time by threads), from images to the network, after which all "
        "features are to be made anew (in brackets, for the test samples and their twins). Fine-tuning gives what it "
        "has when its time is up; validation people, who choose among the other heads, have no say in it.",
    )  # fmt: skip


def twins_of(work: Experiment, dataset: AttributeDataset) -> HeldOut:
    """The held-out people and twins on which an experiment measures."""
    people = extract_features(work.classifier, dataset, split="test", store=work.store)
    pairs = pair_counterfactuals(
        dataset, work.classifier, split="test", attribute=work.attribute, features=people, store=work.store
    )
    if dataset.pair_method != "matched":
        return HeldOut(dataset, people, pairs, None)
    return HeldOut(
        dataset, people, pairs, placebo_pairs(dataset, people, work.attribute, work.classifier.head)
    )


def fine_tuning_rows(
    dataset: AttributeDataset, classifier: Classifier, twins: HeldOut, budgets: Sequence[float]
) -> Iterator[tuple[Row, str]]:
    """The whole network, at each budget."""
    pairs = pair_counterfactuals(
        dataset, classifier, split="external", attribute=twins.pairs.attribute, store=FeatureStore()
    )
    fine_tuned(classifier, dataset, pairs, seconds=0)  # loads the optimiser
    for seconds in budgets:
        progress(f"{dataset.name}: fine-tuning for {seconds:g} s")
        tuned, learned = fine_tuned(classifier, dataset, pairs, seconds=seconds)
        begun = time.perf_counter()
        row = measured_afresh(dataset, tuned, twins)
        name, passes = f"whole network fine-tuned, {seconds:g} s", learned / (2 * len(pairs))
        row = replace(row, method=name, pairs=len(pairs), setting=f"{passes:.1f} passes over the pairs")
        yield row, f"{duration(seconds)} (+ {duration(time.perf_counter() - begun)})"


def measured_afresh(dataset: AttributeDataset, tuned: Classifier, twins: HeldOut) -> Row:
    """A model with another encoder on the same held-out people and the same `twins`."""
    if dataset.pair_method != "matched":  # the twins are drawn by the same seed, and have to be shown anew
        pairs = pair_counterfactuals(dataset, tuned, split="test", attribute=twins.pairs.attribute)
        return HeldOut(dataset, extract_features(tuned, dataset, split="test"), pairs, None).row(
            "", tuned.head
        )
    people = extract_features(tuned, dataset, split="test")
    pairs, placebo = (encoded_anew(found, people) for found in (twins.pairs, twins.placebo))
    return HeldOut(dataset, people, pairs, placebo).row("", tuned.head)


def encoded_anew(pairs: CounterfactualPairs, people: FeatureSet) -> CounterfactualPairs:
    """The same matched people as pairs, with their features in `people`."""
    place = {row: position for position, row in enumerate(people.rows)}
    sides = (
        people.subset(np.array([place[row] for row in side.rows])) for side in (pairs.favoured, pairs.other)
    )
    return replace(pairs, **dict(zip(("favoured", "other"), sides, strict=True)))


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)

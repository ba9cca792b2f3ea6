"""Every way to make a network forget attributes, beside the untouched one, on held-out people.

    python -m fmd_core forget

Fresh probes are the only judge. They learn on training people and, beside that, on external people, whom
forgetting never saw: features can be made unreadable for those that they were trained on alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.datasets.families import load_dataset
from fmd_core.errors import DataError
from fmd_core.forget.adversarial import AdversarySettings, Variant, forget_by_adversary
from fmd_core.forget.erasure import erase
from fmd_core.forget.finetuning import Reach
from fmd_core.forget.probes import probe
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.deepening import deepened
from fmd_core.models.encoding import encode_rows
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.side_by_side import beside
from fmd_core.models.training import TrainingStep, ignore_step
from fmd_core.reproduction.held_out import HeldOut
from fmd_core.reproduction.trained_models import Study, this_machine, train_or_reuse
from fmd_core.twins.pairs import pair_counterfactuals, placebo_pairs

UNTOUCHED = "untouched"
ERASED = "erasure in closed form"
HIDDEN: Reach = "last hidden layer"
WHOLE: Reach = "whole network"
TAUGHT = 6_000  # training people that a probe learns on
JSON, MARKDOWN = "forgetting.json", "forgetting.md"
COLUMNS = (
    ("linear probe", "linear"), ("MLP probe", "mlp"), ("AUC", "auc"), ("MLP, unseen people", "mlp_unseen"),
    ("task accuracy", "accuracy"), ("worst group", "worst_group"), ("B", "bias"), ("excess", "excess"),
    ("other attribute, MLP", "other"), ("seconds", "seconds"),
)  # fmt: skip


@dataclass(frozen=True)
class ForgettingStudy:
    """What one trained network is made to forget."""

    model: Study
    reference: str  # of the same people with every attribute that is named below
    attributes: tuple[str, ...]  # forgotten together
    other: str  # nobody asked to forget it: what else goes
    treatments: tuple[tuple[Variant, Reach], ...]


@dataclass(frozen=True)
class ForgettingRow:
    """One treatment of one network, for one of the attributes it forgets. Shares lie in [0, 1]."""

    study: str
    attribute: str
    treatment: str
    seed: int
    chance: float
    linear: float
    mlp: float
    auc: float  # of the MLP probe
    mlp_unseen: float  # of an MLP probe that learned on people whom forgetting never saw
    accuracy: float
    worst_group: float | None
    bias: float | None
    excess: float | None
    other: float
    seconds: float


_CELEBA = "celeba?protected=Male%2CMouth_Slightly_Open%2CPointy_Nose%2CSmiling"
_BLOND = Study("celeba", "face_cnn", 5)
_GAMES: tuple[Variant, ...] = ("published", "ensemble", "conditional", "matching", "sparing", "twins")
_QUICK: tuple[tuple[Variant, Reach], ...] = tuple((variant, HIDDEN) for variant in _GAMES)
STUDIES = (
    ForgettingStudy(_BLOND, _CELEBA, ("male",), "smiling",
                    (*_QUICK, ("published", WHOLE), ("matching", WHOLE))),
    ForgettingStudy(_BLOND, _CELEBA, ("mouth slightly open", "pointy nose"), "male", _QUICK),
)  # fmt: skip


def study_forgetting(
    studies: Sequence[ForgettingStudy] = STUDIES,
    *,
    seeds: int = 3,
    say: Callable[[str], None] = print,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> list[ForgettingRow]:
    """Rows of every study, seed by seed. Models are reused when they were trained here before.

    Raises DataError where the data are not on this machine.
    """
    rows: list[ForgettingRow] = []
    for seed in range(seeds):
        for study in studies:
            dataset, store = load_dataset(study.reference), FeatureStore()
            model = train_or_reuse(study.model, load_dataset(study.model.reference), seed, progress)
            judge = _Judge(study, dataset, model.classifier, store, seed)
            rows += judge.rows(UNTOUCHED, model.classifier, 0.0)
            rows += judge.erased_rows()
            for variant, reach in study.treatments:
                say(f"{_title(study, dataset)}, seed {seed}: {variant}, {reach}")
                found = forget_by_adversary(
                    model.classifier, dataset, study.attributes, variant=variant,
                    settings=AdversarySettings(reach), seed=seed, store=store,
                )  # fmt: skip
                rows += judge.rows(f"{variant}, {reach}", found.classifier, found.seconds)
    return rows


class _Judge:
    """Held-out people and fresh probes for one network."""

    def __init__(
        self, study: ForgettingStudy, dataset: AttributeDataset, original: Classifier, store: FeatureStore,
        seed: int,
    ) -> None:  # fmt: skip
        self.study, self.dataset, self.original, self.store = study, dataset, original, store
        self.seed, self.seeds = seed, (2 * seed, 2 * seed + 1)
        self.test = self._features(original, dataset.rows("test"))
        taught = np.random.default_rng(seed).permutation(dataset.rows("train"))[:TAUGHT]
        self.taught = np.sort(taught)

    def rows(self, treatment: str, changed: Classifier, seconds: float) -> Iterator[ForgettingRow]:
        """A row for each forgotten attribute."""
        train, unseen, test = self._parts(changed)
        _, head = beside(self.original, changed)
        people = replace(self.test, features=np.column_stack([self.test.features, test.features]))
        yield from self._told(treatment, (train, unseen, test), people, head, seconds)

    def erased_rows(self) -> Iterator[ForgettingRow]:
        """The same for erasure in closed form, made from every training person."""
        everybody = self._features(self.original, self.dataset.rows("train"))
        damping = self.original.damping
        made = erase(self.original.head, self.dataset, everybody, self.study.attributes, damping=damping)
        train, unseen, test = (made.erasure.people(part) for part in self._parts(self.original))
        yield from self._told(ERASED, (train, unseen, test), self.test, made.head, made.seconds)

    def _parts(self, model: Classifier) -> tuple[FeatureSet, FeatureSet, FeatureSet]:
        """Those who teach the probes, twice, and those who judge."""
        return (
            self._features(model, self.taught),
            self._features(model, self.dataset.rows("external")),
            self._features(model, self.test.rows),
        )

    def _told(
        self,
        treatment: str,
        parts: tuple[FeatureSet, FeatureSet, FeatureSet],
        people: FeatureSet,
        head: Head,
        seconds: float,
    ) -> Iterator[ForgettingRow]:
        """A row for each attribute: `parts` are read by probes, `head` reads `people`."""
        train, unseen, test = parts
        other = self._probe(train, test, self.study.other, "mlp")[0]
        for name in self.study.attributes:
            pairs = pair_counterfactuals(
                self.dataset, self.original, split="test", attribute=name, features=self.test
            ).seen_in(people)
            placebo = placebo_pairs(self.dataset, self.test, name, self.original.head).seen_in(people)
            held_out = HeldOut(self.dataset, people, pairs, placebo).row(treatment, head)
            linear, *_ = self._probe(train, test, name, "linear")
            mlp, auc, chance = self._probe(train, test, name, "mlp")
            yield ForgettingRow(
                _title(self.study, self.dataset), name, treatment, self.seed, chance, linear, mlp, auc,
                self._probe(unseen, test, name, "mlp")[0], held_out.accuracy, held_out.worst_group,
                held_out.bias, held_out.excess, other, seconds,
            )  # fmt: skip

    def _features(self, model: Classifier, rows: Array) -> FeatureSet:
        """By way of the layer below, which is encoded once for all who left it as it was."""
        deep = deepened(model, "two layers")
        below = encode_rows(deep, self.dataset, rows, store=self.store)
        return FeatureSet(deep.head.hidden(below), self.dataset.target.codes[rows], rows)

    def _probe(
        self, taught: FeatureSet, judged: FeatureSet, attribute: str, kind: str
    ) -> tuple[float, float, float]:
        """Accuracy, AUC and chance of a fresh probe."""
        codes = self.dataset.attribute(attribute).codes
        sides: tuple[Array, ...] = (taught.features, codes[taught.rows], judged.features, codes[judged.rows])
        found = probe(*sides, kind="linear" if kind == "linear" else "mlp", seeds=self.seeds)
        return found.accuracy, found.auc, found.chance


def write_forgetting(rows: Sequence[ForgettingRow], folder: Path) -> tuple[Path, Path]:
    """Write the page and the numbers behind it."""
    text, numbers = folder / MARKDOWN, folder / JSON
    content = {"machine": this_machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d"),
               "rows": [asdict(row) for row in rows]}  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        text.write_text("\n".join(_page(rows, content["date"])) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


GUIDE = """\
**How to read this.** Test people judge; they had no part in training, forgetting or any choice. Figures are
means over the seeds, with the lowest and highest in brackets. *linear* and *MLP probe*: how often a reader
that is trained afresh on the features tells the attribute (at *chance* it only guesses); *unseen people*: the
same for a reader that learned on external people, whom forgetting never saw. *margin* is the MLP probe's
accuracy above chance, as a share of the untouched network's. *B* is the counterfactual bias between matched
twins, *excess* what it is above that of placebo twins. *other attribute*: one that nobody asked to forget.
*last hidden layer* trains the encoder's last layer only, *whole network* all of it. The aim: half the margin
at no more than 2 points of task accuracy, in under 5 minutes."""


def _page(rows: Sequence[ForgettingRow], date: object) -> Iterator[str]:
    yield "# Forgetting an attribute"
    yield ""
    yield f"Written by `python -m fmd_core forget` on {date}, on {this_machine()}; strengths were chosen on"
    yield "validation people of CelebA. The same figures, seed by seed, are in `forgetting.json`."
    yield from ("", GUIDE)
    for study in dict.fromkeys(row.study for row in rows):
        for attribute in dict.fromkeys(row.attribute for row in rows if row.study == study):
            own = [row for row in rows if row.study == study and row.attribute == attribute]
            yield from _table(own)


def _table(rows: Sequence[ForgettingRow]) -> Iterator[str]:
    before = [row for row in rows if row.treatment == UNTOUCHED]
    seeds = len({row.seed for row in rows})
    yield from ("", f"## {rows[0].study}: can it still tell '{rows[0].attribute}'?", "")
    yield f"{seeds} seed{'' if seeds == 1 else 's'}; chance {_figure([row.chance for row in rows])}."
    yield ""
    yield f"| treatment | {' | '.join(title for title, _ in COLUMNS)} | margin | aim |"
    yield "| --- |" + " ---: |" * (len(COLUMNS) + 1) + " --- |"
    for treatment in dict.fromkeys(row.treatment for row in rows):
        own = [row for row in rows if row.treatment == treatment]
        cells = [_figure([getattr(row, name) for row in own]) for _, name in COLUMNS]
        theirs = [row for row in before if row.seed in {found.seed for found in own}]
        margin = fmean(r.mlp - r.chance for r in own) / fmean(r.mlp - r.chance for r in theirs)
        cost = fmean(r.accuracy for r in theirs) - fmean(r.accuracy for r in own)
        met = margin <= 0.5 and cost <= 0.02 and max(r.seconds for r in own) < 300
        aim = "" if treatment == UNTOUCHED else "met" if met else "missed"
        fewer = "" if len(own) == seeds else f" (seed {', '.join(str(row.seed) for row in own)} only)"
        yield f"| {treatment}{fewer} | {' | '.join(cells)} | {margin:.2f} | {aim} |"


def _figure(values: Sequence[float | None]) -> str:
    """Mean (lowest to highest)."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "–"
    digits = 0 if max(known) > 2 else 3
    mean, low, high = (f"{value:.{digits}f}" for value in (fmean(known), min(known), max(known)))
    return mean if low == high else f"{mean} ({low} to {high})"


def _title(study: ForgettingStudy, dataset: AttributeDataset) -> str:
    return f"{dataset.name}, {dataset.target.name}, forgets {' and '.join(study.attributes)}"

"""What every way to unlearn does to classifiers of texts, on texts that had no part in it: `fmd reproduce --text`.

Three shares of each data set by seed, the same texts in other parts. Twins by swapped terms or by template; beside each
bias stands the placebo's, of a neutral word in another's place. Public tweets and comments are used where they are on
this machine; the bundled demo always is. What is measured is kept, a case and a seed at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.texts.source import TextSource
from fmd_core.errors import DataError, ModelError
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import counterfactual_bias, pair_flips
from fmd_core.models.classifier import Classifier
from fmd_core.models.sentence_encoder import fastest, sentence_encoder
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.models.training import ignore_step
from fmd_core.models.wrap import wrap
from fmd_core.reproduction.cases import CASES, Case
from fmd_core.reproduction.kept import keep, kept_file, read_kept
from fmd_core.reproduction.text_cases import DEMO, TEXT_CASES, TextCase, other_texts, shared_anew, text_data
from fmd_core.reproduction.trained_models import Study as HowTrained
from fmd_core.reproduction.trained_models import train_or_reuse
from fmd_core.study.study import Study
from fmd_core.twins.pairs import CounterfactualPairs

VERSION = 1  # of what is measured: what was kept by another one is measured again
SEEDS, DAMPING, DEMO_DAMPING = 3, 0.005, 0.02
ORIGINAL, CDA, THRESHOLDS = "original", "refit with twins (CDA)", "a threshold for each group"
FORMS = ("iterated", "retained")
STRATEGIES = ("paper-remove", "paper-replace", "paper-external", *FORMS)
ELSEWHERE = tuple(case for case in CASES if case.name in ("digits", "faces", "adult-sex", "adult-race"))
"""Pictures and tables, where the retained form stands beside the iterated one."""
OWN, SENTENCES = "its own texts", "HateCheck's sentences"
NEUTRAL_CASE = "neutral statement"
Say = Callable[[str], None]


@dataclass(frozen=True)
class TextRow:
    """One treatment of one model, on one lot of test texts. Shares lie in [0, 1]; None where not measured."""

    study: str
    seed: int
    treatment: str
    accuracy: float
    bias: float | None
    placebo: float | None
    flips: float | None
    seconds: float
    n: int
    pairs: int
    neutral: tuple[tuple[str, float], ...] = ()
    """Mean probability of the flagged class of neutral statements, by group."""
    judged: str = ""
    """Which texts judge it; '' where there is one lot."""
    twins: str = "swapped"
    """How twins are made."""


@dataclass(frozen=True, eq=False)
class Jury:
    """Test texts that judge, and their twins."""

    name: str
    data: AttributeDataset
    people: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None

    def part(self, name: str, inside: Array) -> Jury:
        """Those whose row in the data is `inside`, (n,) bool."""
        placebo = self.placebo
        if placebo is not None:
            placebo = placebo.subset(inside[placebo.rows]) if inside[placebo.rows].any() else None
        people, pairs = (
            self.people.subset(inside[self.people.rows]),
            self.pairs.subset(inside[self.pairs.rows]),
        )
        return Jury(name, self.data, people, pairs, placebo)

    def row(self, case: str, seed: int, treatment: str, head: Head, seconds: float) -> TextRow:
        """What they say of a head."""
        answers, pairs = head.probabilities(self.people.features), self.pairs
        return TextRow(
            case, seed, treatment, float((answers.argmax(axis=1) == self.people.labels).mean()),
            counterfactual_bias(head, pairs) if len(pairs) else None,
            None if self.placebo is None else counterfactual_bias(head, self.placebo),
            float(pair_flips(head, pairs).mean()) if len(pairs) else None, seconds, len(self.people), len(pairs),
            _neutral(self.data, self.people, answers), self.name, self.data.pair_method,
        )  # fmt: skip


class _Reads(Protocol):
    @property
    def n_features(self) -> int: ...
    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]: ...


@dataclass(frozen=True, eq=False)
class Remembering:
    """An encoder that reads each text once, however often it is asked."""

    encoder: _Reads
    known: dict[str, Array] = field(default_factory=dict)
    kind, title = "text", "sentence encoder"
    n_parameters, fingerprint = 0, ""

    @property
    def n_features(self) -> int:
        return self.encoder.n_features

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """As the encoder does."""
        for batch in batches:
            new = [text for text in dict.fromkeys(map(str, batch)) if text not in self.known]
            if new:
                fresh = np.empty(len(new), dtype=object)
                fresh[:] = new
                self.known.update(zip(new, next(iter(self.encoder.encode_batches([fresh]))), strict=True))
            yield np.stack([self.known[str(text)] for text in batch])


def study_texts(
    cases: Sequence[str] = (), *, seeds: int = SEEDS, measures: bool = True, say: Say = print
) -> list[TextRow]:
    """Every treatment of the demo, of the public texts that are on this machine, and of pictures and tables; of those
    `cases` that are named, or all. What is kept is not measured again; without `measures` nothing is.

    Raises DataError for an unknown case.
    """
    texts, others = _named(cases)
    rows: list[TextRow] = []
    read = Remembering(_Late())
    for case in texts:
        for seed in range(seeds):
            rows += _kept_or(case.title, seed, measures, say, partial(_of_texts, case, seed, read))
    for other in others:
        for seed in range(seeds):
            rows += _kept_or(other.name, seed, measures, say, partial(_elsewhere, other, seed))
    return rows


def _named(cases: Sequence[str]) -> tuple[list[TextCase], list[Case]]:
    known = [*(case.title for case in TEXT_CASES), *(case.name for case in ELSEWHERE)]
    for name in cases:
        if name not in known:
            raise DataError(f"There is no study of texts '{name}'. Choose from: {', '.join(known)}.")
    return (
        [case for case in TEXT_CASES if not cases or case.title in cases],
        [case for case in ELSEWHERE if not cases or case.name in cases],
    )


class _Late:
    """The sentence encoder as the product trains on it, opened when the first text is not known yet."""

    n_features = 384

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        return sentence_encoder(fastest()).encode_batches(batches)


def _kept_or(
    name: str, seed: int, measures: bool, say: Say, measure: Callable[[], tuple[str, list[TextRow]]]
) -> list[TextRow]:
    """What was kept of a case and a seed; else what is measured now. Nothing where the data are not here."""
    file = kept_file(f"text.{name}.{seed}".replace("'", ""))
    kept = read_kept(file, VERSION)
    if kept is not None:
        return [_row(found) for found in kept["rows"]]
    if not measures:
        say(f"{name}, seed {seed}, is not measured yet.")
        return []
    say(f"{name}, seed {seed}")
    try:
        about, rows = measure()
    except (OSError, DataError, ModelError) as error:
        say(f"{name} was skipped: {error}")
        return []
    keep(file, {"version": VERSION, "data": about, "rows": [asdict(row) for row in rows]})
    return rows


def _row(found: Mapping[str, Any]) -> TextRow:
    return TextRow(
        **{**found, "neutral": tuple((str(name), float(share)) for name, share in found["neutral"])}
    )


def _of_texts(case: TextCase, seed: int, read: Remembering) -> tuple[str, list[TextRow]]:
    data, is_demo = text_data(case, seed), case.name == DEMO
    encoder = load_demo_classifier("hate_texts").encoder if is_demo else read
    model = wrap(encoder, data=data, damping=DEMO_DAMPING if is_demo else DAMPING)
    study = Study(data, model)
    return data.fingerprint, list(_treated(case, seed, study, _juries(case, study, model)))


def _juries(case: TextCase, study: Study, model: Classifier) -> list[Jury]:
    """The test texts; HateCheck's sentences among them, and other data's, by themselves."""
    data, name = study.data, case.attribute
    every = Jury("", data, study.features("test"), study.pairs("test", name), study.placebo("test", name))
    found = [every]
    source = data.source
    if case.name != DEMO and isinstance(source, TextSource) and source.case is not None:
        said = source.case.codes > 0
        found = [every.part(OWN, ~said), every.part(SENTENCES, said)]
    if case.judged_on:
        others = other_texts(case)
        judged = Study(others, model)
        found.append(
            Jury(
                case.judged_on,
                others,
                judged.features("test"),
                judged.pairs("test", name),
                judged.placebo("test", name),
            )
        )
    return found


def _treated(case: TextCase, seed: int, study: Study, juries: Sequence[Jury]) -> Iterator[TextRow]:
    name, model = case.attribute, study.model

    def rows(treatment: str, head: Head, seconds: float = 0.0) -> Iterator[TextRow]:
        return (jury.row(case.title, seed, treatment, head, seconds) for jury in juries)

    yield from rows(ORIGINAL, model.head)
    for strategy in STRATEGIES:
        study.inputs(name, strategy)  # what all ways share is no part of the time
        begun = time.process_time()
        best = study.path(name, strategy).suggested
        yield from rows(strategy, best.result.head, time.process_time() - begun)
    train, twins = study.features("train"), study.pairs("train", name)
    begun = time.process_time()
    augmented = _refit_with_twins(model, train, twins)
    yield from rows(CDA, augmented, time.process_time() - begun)
    begun = time.process_time()
    cuts = _thresholds(model.head, study.features("validation"), study.data.attribute(name).codes)
    took = time.process_time() - begun
    for jury in juries:
        yield TextRow(
            case.title, seed, THRESHOLDS, _by_thresholds(model.head, jury, name, cuts), None, None, None, took,
            len(jury.people), len(jury.pairs), judged=jury.name,
        )  # fmt: skip


def _refit_with_twins(model: Classifier, train: FeatureSet, twins: CounterfactualPairs) -> Head:
    """Counterfactual data augmentation: the head fitted again on training texts and their twins."""
    both = [train, twins.counterparts]
    n = sum(map(len, both))
    assert model.damping is not None
    problem = ConvexProblem(
        np.concatenate([part.features for part in both]), np.concatenate([part.labels for part in both]),
        np.full(n, 1 / n), model.damping,
    )  # fmt: skip
    return fit_head(model.head, problem)


def _thresholds(head: Head, people: FeatureSet, codes: Array) -> dict[int, float]:
    """The threshold for the last class by group that gives validation texts of it as many flags as are true; B is
    about probabilities, which a threshold leaves as they are."""
    shares, cuts = head.probabilities(people.features)[:, -1], {}
    for code in np.unique(codes[people.rows]):
        inside = codes[people.rows] == code
        true = float((people.labels[inside] == head.n_classes - 1).mean())
        cuts[int(code)] = float(np.quantile(shares[inside], 1 - true)) if 0 < true < 1 else 0.5
    return cuts


def _by_thresholds(head: Head, jury: Jury, attribute: str, cuts: Mapping[int, float]) -> float:
    people, codes = jury.people, jury.data.attribute(attribute).codes
    own = np.array([cuts.get(int(code), 0.5) for code in codes[people.rows]])
    flagged = head.probabilities(people.features)[:, -1] > own
    return float((flagged == (people.labels == head.n_classes - 1)).mean())


def _neutral(data: AttributeDataset, test: FeatureSet, answers: Array) -> tuple[tuple[str, float], ...]:
    """Mean probability of the last class of neutral statements by group; nothing for data without kinds."""
    source = data.source
    if not isinstance(source, TextSource) or source.case is None:
        return ()
    group = next(iter(data.attributes.values()))
    inside = source.case.codes[test.rows] == source.case.levels.index(NEUTRAL_CASE)
    of = group.codes[test.rows]
    return tuple(
        (level, float(answers[inside & (of == code), -1].mean()))
        for code, level in enumerate(group.levels)
        if (inside & (of == code)).any()
    )


def _elsewhere(case: Case, seed: int) -> tuple[str, list[TextRow]]:
    """The retained form beside the iterated one where every sample has a twin."""
    data = load_dataset(case.reference)
    if case.bundled:
        data, model = shared_anew(data, seed), load_demo_classifier(case.reference)
    else:
        how = HowTrained(case.reference, case.architecture, case.epochs)
        model = train_or_reuse(how, data, seed, ignore_step).classifier
    study, name = Study(data, model), case.attribute
    jury = Jury("", data, study.features("test"), study.pairs("test", name), None)
    title, rows = (
        f"{data.name} by {name}",
        [jury.row(f"{data.name} by {name}", seed, ORIGINAL, model.head, 0.0)],
    )
    for form in FORMS:
        study.inputs(name, form)
        begun = time.process_time()
        head = study.path(name, form).suggested.result.head
        rows.append(jury.row(title, seed, form, head, time.process_time() - begun))
    return data.fingerprint, rows

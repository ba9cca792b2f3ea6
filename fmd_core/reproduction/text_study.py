"""What every way to unlearn does to classifiers of texts, on texts that had no part in it: `fmd reproduce --text`.

Three shares of each data set by seed, the same texts in other parts. Twins by swapped terms or by template; beside each
bias stands the placebo's, of a neutral word in another's place. Public tweets and comments are used where they are on
this machine (FMD_DATA_DIR/text); the bundled demo always is.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, FeatureSet
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.own.answers import complete_split
from fmd_core.datasets.own.people import share_out_people
from fmd_core.datasets.texts.source import TermTwins, TextSource
from fmd_core.datasets.texts.terms import shipped_terms
from fmd_core.errors import DataError
from fmd_core.figures import counted
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.protocol import Head
from fmd_core.home import data_folder
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.bias_functions import counterfactual_bias, pair_flips
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import Encoder
from fmd_core.models.known_texts import KnownTexts
from fmd_core.models.sentence_encoder import sentence_encoder
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.models.training import ignore_step
from fmd_core.models.wrap import wrap
from fmd_core.reproduction.trained_models import Study as Trained
from fmd_core.reproduction.trained_models import this_machine, train_or_reuse
from fmd_core.study.study import Study
from fmd_core.twins.pairs import CounterfactualPairs

JSON, MARKDOWN = "text.json", "text.md"
SEEDS, MOST_TEXTS, DAMPING = 3, 4_000, 0.005
DEMO_DAMPING = 0.02
STRATEGIES = ("paper-remove", "paper-replace", "paper-external", "iterated", "retained")
ELSEWHERE = (
    ("colored_digits", "colour"),
    ("synthetic_faces", "presentation"),
    ("adult", "sex"),
    ("adult", "race"),
)
TRAINED = {"adult": Trained("adult", "mlp", 4)}
NOBODY, NEUTRAL_CASE = "none of them", "neutral statement"


@dataclass(frozen=True)
class TextRow:
    """One treatment of one model. Shares lie in [0, 1]; None where that is not measured."""

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


@dataclass(frozen=True, eq=False)
class Remembering:
    """An encoder that reads each text once, however often it is asked."""

    encoder: Encoder
    known: dict[str, Array] = field(default_factory=dict)

    def __getattr__(self, name: str) -> object:
        return getattr(self.encoder, name)

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
    *, seeds: int = SEEDS, most: int = MOST_TEXTS, say: Callable[[str], None] = print
) -> list[TextRow]:
    """Every treatment of the demo and of the public texts that are on this machine."""
    rows: list[TextRow] = []
    demo = load_demo_classifier("hate_texts").own_encoder
    assert isinstance(demo, KnownTexts)
    for seed in range(seeds):
        say(f"Words and groups, seed {seed}")
        rows += _rows(
            "Words and groups", seed, _shared_anew(load_dataset("hate_texts"), seed), demo, DEMO_DAMPING
        )
    for seed in range(seeds):
        rows += _elsewhere(seed, say)
    for name, read in PUBLIC.items():
        try:
            texts, labels, classes = read(data_folder() / "text")
        except OSError:
            say(f"{name} was skipped: it is not on this machine.")
            continue
        encoder = Remembering(sentence_encoder())
        for attribute, terms in (("gender", "gender"), ("identity", "groups")):
            for seed in range(seeds):
                say(f"{name} by {attribute}, seed {seed}")
                data = _by_terms(name, texts[:most], labels[:most], classes, attribute, terms, seed)
                rows += _rows(f"{name} by {attribute}", seed, data, encoder, DAMPING)
    return rows


def _elsewhere(seed: int, say: Callable[[str], None]) -> Iterator[TextRow]:
    """The retained form beside the iterated one where every sample has a twin: the bundled demos, which come with one
    model, and Adult where it is on this machine, with a network of its own for each seed."""
    for name, attribute in ELSEWHERE:
        try:
            data = load_dataset(name)
        except DataError as error:
            say(f"{name} was skipped: {error}")
            continue
        if name in TRAINED:
            model = train_or_reuse(TRAINED[name], data, seed, ignore_step).classifier
        elif seed:
            continue
        else:
            model = load_demo_classifier(name)
        say(f"{data.name} by {attribute}, seed {seed}")
        study = Study(data, model)
        test, pairs = study.features("test"), study.pairs("test", attribute)
        for treatment in ("original", "iterated", "retained"):
            begun, head = time.process_time(), model.head
            if treatment != "original":
                head = study.path(attribute, treatment).suggested.result.head
            right = head.probabilities(test.features).argmax(axis=1) == test.labels
            yield TextRow(
                f"{data.name} by {attribute}", seed, treatment, float(right.mean()), counterfactual_bias(head, pairs),
                None, float(pair_flips(head, pairs).mean()), time.process_time() - begun, len(test), len(pairs),
            )  # fmt: skip


def _shared_anew(data: AttributeDataset, seed: int) -> AttributeDataset:
    """The demo with its held-out templates and comments in other parts; what taught the model stays. Seed 0 is the
    demo as it ships."""
    if seed == 0 or data.persons is None:
        return data
    split, rng = np.array(data.split), np.random.default_rng(seed)
    held = np.flatnonzero(split != "train")
    persons = np.unique(data.persons[held])
    parts = {person: split[held[data.persons[held] == person]][0] for person in persons}
    of_class = {int(p): int(data.target.codes[data.persons == p][0]) for p in persons}
    for label in np.unique([*of_class.values()]):
        those = [p for p in persons if of_class[int(p)] == label]
        for person, part in zip(those, rng.permutation([parts[p] for p in those]), strict=True):
            split[data.persons == person] = part
    return replace(data, split=split)


def _by_terms(
    name: str,
    texts: Sequence[str],
    labels: Array,
    classes: tuple[str, ...],
    attribute: str,
    terms: str,
    seed: int,
) -> AttributeDataset:
    """Texts with whom they name, by a list that ships, and parts drawn by seed."""
    known, every = shipped_terms(terms), tuple(texts)
    levels = [known.level_of(text) for text in every]
    codes = np.array([len(known.levels) if level is None else level for level in levels])
    split, _ = complete_split(labels, np.full(len(every), "train"), seed)
    _, persons = np.unique(every, return_inverse=True)
    split, _ = share_out_people(split, np.full(len(every), "train"), persons, seed)
    source = TextSource(every, {attribute: TermTwins(every, codes, known)}, offensive=True)
    return AttributeDataset(
        name, Column("answer", labels, classes), {attribute: Column(attribute, codes, (*known.levels, NOBODY))},
        split, source, pair_method="swapped", unit="text",
    )  # fmt: skip


def _rows(
    name: str, seed: int, data: AttributeDataset, encoder: Encoder, damping: float
) -> Iterator[TextRow]:
    model = wrap(encoder, data=data, damping=damping)
    study, attribute = Study(data, model), next(iter(data.attributes))
    test, pairs, placebo = (
        study.features("test"),
        study.pairs("test", attribute),
        study.placebo("test", attribute),
    )

    def row(treatment: str, head: Head, seconds: float) -> TextRow:
        answers = head.probabilities(test.features)
        return TextRow(
            name, seed, treatment, float((answers.argmax(axis=1) == test.labels).mean()),
            counterfactual_bias(head, pairs), None if placebo is None else counterfactual_bias(head, placebo),
            float(pair_flips(head, pairs).mean()), seconds, len(test), len(pairs), _neutral(data, test, answers),
        )  # fmt: skip

    yield row("original", model.head, 0.0)
    for strategy in STRATEGIES:
        study.inputs(attribute, strategy)  # what all ways share is no part of the time
        begun = time.process_time()
        best = study.path(attribute, strategy).suggested
        yield row(strategy, best.result.head, time.process_time() - begun)
    begun = time.process_time()
    augmented = _refit_with_twins(model, study.features("train"), study.pairs("train", attribute), damping)
    yield row("refit with twins (CDA)", augmented, time.process_time() - begun)
    begun = time.process_time()
    accuracy = _by_group_thresholds(model.head, study, attribute)
    yield TextRow(
        name, seed, "a threshold for each group", accuracy, None, None, None, time.process_time() - begun,
        len(test), len(pairs),
    )  # fmt: skip


def _refit_with_twins(
    model: Classifier, train: FeatureSet, twins: CounterfactualPairs, damping: float
) -> Head:
    """Counterfactual data augmentation: the head fitted again on training texts and their twins."""
    both = [train, twins.counterparts]
    n = sum(map(len, both))
    problem = ConvexProblem(
        np.concatenate([part.features for part in both]), np.concatenate([part.labels for part in both]),
        np.full(n, 1 / n), damping,
    )  # fmt: skip
    return fit_head(model.head, problem)


def _by_group_thresholds(head: Head, study: Study, attribute: str) -> float:
    """Accuracy on test texts when each group's threshold for the last class gives validation texts of it as many flags
    as are true; B is about probabilities, which a threshold leaves as they are."""
    codes, cuts = study.data.attribute(attribute).codes, {}
    for people, decides in ((study.features("validation"), True), (study.features("test"), False)):
        shares, labels = head.probabilities(people.features)[:, -1], people.labels
        last = head.n_classes - 1
        if decides:
            for code in np.unique(codes[people.rows]):
                own = shares[codes[people.rows] == code]
                true = float((labels[codes[people.rows] == code] == last).mean())
                cuts[int(code)] = float(np.quantile(own, 1 - true)) if 0 < true < 1 else 0.5
        else:
            flagged = shares > np.array([cuts.get(int(code), 0.5) for code in codes[people.rows]])
            return float((flagged == (labels == last)).mean())
    raise AssertionError("test texts come last")


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


def _tweets(folder: Path) -> tuple[list[str], Array, tuple[str, ...]]:
    """Davidson et al. 2017: offensive or hateful against neither."""
    with (folder / "davidson" / "labeled_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return _drawn(
        [row["tweet"] for row in rows], np.array([int(row["class"] != "2") for row in rows]), "offensive"
    )


def _comments(folder: Path) -> tuple[list[str], Array, tuple[str, ...]]:
    """Comments of Wikipedia, rated toxic or not."""
    with (folder / "wikipedia_toxicity_balanced" / "wikipedia_toxicity_12180.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    keys = list(rows[0])
    text = next(key for key in keys if key in ("comment", "text", "comment_text"))
    label = next(key for key in keys if key in ("toxic", "label"))
    short = [row for row in rows if len(row[text]) <= 600]
    return _drawn([row[text] for row in short], np.array([int(float(row[label])) for row in short]), "toxic")


def _drawn(texts: list[str], labels: Array, answer: str) -> tuple[list[str], Array, tuple[str, ...]]:
    """In an order drawn once, so that the first of them are a sample."""
    order = np.random.default_rng(0).permutation(len(texts))
    return [" ".join(texts[place].split()) for place in order], labels[order], ("fine", answer)


PUBLIC: Mapping[str, Callable[[Path], tuple[list[str], Array, tuple[str, ...]]]] = {
    "Tweets": _tweets,
    "Comments": _comments,
}


def write_texts(rows: Sequence[TextRow], folder: Path) -> tuple[Path, Path]:
    """Write docs/text.md and the numbers behind it; the tables are made of those numbers alone."""
    numbers, text = folder / JSON, folder / MARKDOWN
    content = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": this_machine(), "rows": [asdict(row) for row in rows]
    }  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        text.write_text(page(rows, content["date"], content["machine"]), encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


def page(rows: Sequence[TextRow], date: object, machine: object) -> str:
    """The document: what was done, a table for each study, the neutral statements, and which aims were met."""
    parts = [INTRODUCTION.format(date=date, machine=machine)]
    for study in dict.fromkeys(row.study for row in rows):
        own = [row for row in rows if row.study == study]
        parts.append(f"## {study}\n\n{_size(own)}\n\n{_table(own)}\n")
        if own[0].neutral:
            parts.append(_neutral_table(own))
        if _of(own, "retained", "placebo"):
            parts.append(_aims(own))
    return "\n".join([*parts, TRIED])


def _size(rows: Sequence[TextRow]) -> str:
    seeds, unit = len({row.seed for row in rows}), "texts" if _of(rows, "original", "placebo") else "samples"
    return (
        f"{rows[0].n:,} test {unit}, {rows[0].pairs:,} of them with twins; mean of {counted(seeds, 'seed')}, and "
        "the spread "
        "(largest less smallest) of the bias."
    )


def _of(rows: Sequence[TextRow], treatment: str, what: str) -> list[float]:
    return [value for row in rows if row.treatment == treatment and (value := getattr(row, what)) is not None]


def _table(rows: Sequence[TextRow]) -> str:
    lines = [
        "| treatment | accuracy, % | B, points | spread | placebo, points | flips, % | CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for treatment in dict.fromkeys(row.treatment for row in rows):
        bias = _of(rows, treatment, "bias")
        cells = [f"{100 * float(np.mean(_of(rows, treatment, 'accuracy'))):.1f}"]
        cells += (
            [f"{100 * float(np.mean(bias)):.1f}", f"{100 * float(np.ptp(bias)):.1f}"] if bias else ["", ""]
        )
        for what in ("placebo", "flips"):
            found = _of(rows, treatment, what)
            cells.append(f"{100 * float(np.mean(found)):.1f}" if found else "")
        cells.append(f"{float(np.mean(_of(rows, treatment, 'seconds'))):.1f}")
        lines.append(f"| {treatment} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _neutral_table(rows: Sequence[TextRow]) -> str:
    groups = [name for name, _ in rows[0].neutral]
    lines = [
        "How sure the model is that a *neutral* statement of HateCheck is toxic, in %, on held-out templates:\n",
        f"| treatment | {' | '.join(groups)} | largest less smallest |",
        f"|---|{'---:|' * (len(groups) + 1)}",
    ]
    for treatment in dict.fromkeys(row.treatment for row in rows if row.neutral):
        found = np.mean([[v for _, v in row.neutral] for row in rows if row.treatment == treatment], axis=0)
        cells = " | ".join(f"{100 * value:.0f}" for value in found)
        lines.append(f"| {treatment} | {cells} | {100 * float(np.ptp(found)):.0f} |")
    return "\n".join(lines) + "\n"


def _aims(rows: Sequence[TextRow]) -> str:
    """Which aims the retained form met, a line each."""

    def mean(treatment: str, what: str) -> float:
        return float(np.mean(_of(rows, treatment, what)))

    before, after = mean("original", "bias"), mean("retained", "bias")
    if rows[0].pairs < MIN_PEOPLE:
        return f"Only {rows[0].pairs} test texts have twins, too few to say whether an aim is met.\n"
    floor, accuracy = mean("original", "placebo"), mean("retained", "accuracy") - mean("original", "accuracy")
    said = [
        ("B at most a third of the original's", after <= before / 3, f"{100 * before:.1f} to {100 * after:.1f} points"),
        (
            "B below the original's placebo and 1 point", after <= floor + 0.01,
            f"{100 * after:.1f} and {100 * floor:.1f} points",
        ),
        ("no loss of accuracy", accuracy >= 0, f"{100 * accuracy:+.1f} points"),
    ]  # fmt: skip
    neutral = [row.neutral for row in rows if row.treatment == "retained" and row.neutral]
    if neutral:
        spread = float(np.ptp(np.mean([[v for _, v in one] for one in neutral], axis=0)))
        said.append(("neutral statements within 10 points", spread <= 0.1, f"{100 * spread:.0f} points"))
    return "\n".join(f"- {'Met' if met else 'Missed'}: {aim} ({figure})." for aim, met, figure in said) + "\n"


INTRODUCTION = """# Texts

Made by `fmd reproduce --text` on {date}, {machine}. The sentence encoder all-MiniLM-L6-v2 stays as it is; what is
trained and changed is the last layer on its 384 features. Twins are the sentence of the same template about another
group, or the text with terms swapped by the lists that ship. External texts decide, validation texts guard (1 point of
accuracy may be lost), test texts judge. B is the mean change of the probability of the true answer between twins; the
*placebo* is the same when a neutral word is swapped, so that B means nothing where it is no larger. The published steps
(`paper-...`) are those of Chen et al. 2023, guarded. CDA is a refit on training texts and their twins. Thresholds for
each group use the group at test time and leave probabilities, and so B, as they are.

Not shown here and not to be concluded: causal fairness from swapped words, languages other than English, and anything
of a model whose encoder has the bias in other directions than these terms.
"""
TRIED = """## What the figures say, and what was tried

The retained form begins where twins cover only part of the samples, which is texts: there it takes out as much as the
iterated form or more and keeps the training samples right. Where every sample has a twin the iterated form stays the
default: on the digits the retained form leaves less bias at less accuracy, on faces and Adult the two are alike.

B falls to where a neutral word moves the answer as much. It does not fall to the *original's* placebo everywhere: a
head that answers more surely is moved more by any word, a neutral one too, so that the placebo after the fix is larger
than before. Shares of 0.2 to 4 for the twins beside the training samples, and anchors to the original in place of the
head's own damping, were tried on the demo: anchored, B stayed near 9 points; a larger share changes little.

Identity terms are rare in tweets: too few have twins, and nothing is concluded. The seeds of the demo share its
held-out templates and comments out anew; those of tweets and comments share all texts out anew.
"""

"""What `fmd reproduce --text` measures: data sets of texts, drawn and shared out by a seed.

Public texts lie under FMD_DATA_DIR/text. Texts that name somebody by the list come first, then others, so that twins
are many enough where they are rare; both in an order that is drawn once. Identity is asked with HateCheck's sentences
too, in templates that name seven groups: part of the templates decide, part guard, others judge.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.own.answers import complete_split
from fmd_core.datasets.own.people import share_out_people
from fmd_core.datasets.texts.source import FirstThatCan, TemplateTwins, TermTwins, TextSource
from fmd_core.datasets.texts.terms import shipped_terms
from fmd_core.home import data_folder

DEMO = "Words and groups"
MOST_TEXTS, LONGEST = 2_000, 400
"""Texts of a study, and characters of one that is taken."""
MOST_OTHERS = 1_000  # of data that only judge
NOBODY = "none of them"
TERMS = {"gender": "gender", "identity": "groups"}
"""The term list of each attribute."""
TEMPLATE_PARTS = (
    "test",
    "external",
    "test",
    "validation",
    "test",
    "external",
    "test",
    "external",
    "test",
    "validation",
)
"""Of a kind of sentence the templates in turn, in an order drawn by seed."""
OTHER_COMMENTS = "other comments"
_FIRST_SENTENCE = 2  # kinds of text in the demo before HateCheck's: comments and madlibs

Texts = tuple[list[str], Array, tuple[str, ...]]


@dataclass(frozen=True)
class TextCase:
    """One data set by one attribute."""

    name: str
    """As it is called on the page."""
    attribute: str
    judged_on: str = ""
    """Data whose texts judge the models too; '' for none."""

    @property
    def title(self) -> str:
        return self.name if self.name == DEMO else f"{self.name} by {self.attribute}"


TEXT_CASES = (
    TextCase(DEMO, "group"),
    *(TextCase("Tweets", name) for name in TERMS),
    *(TextCase("Comments", name, OTHER_COMMENTS) for name in TERMS),
    *(TextCase("Comments that mention a group", name) for name in TERMS),
)


def text_data(case: TextCase, seed: int) -> AttributeDataset:
    """The data of a case in the parts of a seed. Raises OSError where they are not on this machine."""
    if case.name == DEMO:
        return shared_anew(load_dataset("hate_texts"), seed)
    texts, labels, classes = _chosen(*PUBLIC[case.name](data_folder() / "text"), TERMS[case.attribute])
    split, _ = complete_split(labels, np.full(len(texts), "train"), seed)
    _, same = np.unique(texts, return_inverse=True)
    split, _ = share_out_people(split, np.full(len(texts), "train"), same, seed)
    return _by_terms(case, texts, labels, classes, split, seed)


def other_texts(case: TextCase) -> AttributeDataset:
    """The texts of `case.judged_on`: four fifths judge, and the others only say which group goes with which answer.
    Raises OSError where they are not on this machine."""
    found = PUBLIC[case.judged_on](data_folder() / "text")
    texts, labels, classes = _chosen(*found, TERMS[case.attribute], MOST_OTHERS)
    split = np.where(np.arange(len(texts)) % 5 == 0, "train", "test")  # in an order that is drawn already
    return _by_terms(replace(case, name=case.judged_on), texts, labels, classes, split, None)


def _by_terms(
    case: TextCase, texts: list[str], labels: Array, classes: tuple[str, ...], split: Array, seed: int | None
) -> AttributeDataset:
    """Texts with whom they name, by a list that ships; with a seed, by identity, HateCheck's sentences too."""
    terms = shipped_terms(TERMS[case.attribute])
    levels = [terms.level_of(text) for text in texts]
    codes = np.array([len(terms.levels) if level is None else level for level in levels])
    every, kinds, persons, makers = tuple(texts), None, None, tuple[TemplateTwins, ...]()
    if case.attribute == "identity" and seed is not None:
        demo = load_dataset("hate_texts")
        own = _Sentences(demo, seed)
        n = len(every)
        every = (*every, *(demo.source.texts[row] for row in own.rows))  # type: ignore[attr-defined]
        labels, codes = np.append(labels, own.labels), np.append(codes, own.codes)
        split = np.append(split.astype("<U10"), own.split)
        persons = np.append(np.arange(n), n + own.templates)
        kinds = Column("kind of sentence", np.append(np.zeros(n, "int64"), own.kinds), own.names)
        makers = (TemplateTwins(every, own.places(n, len(terms.levels) + 1)),)
    by_terms = TermTwins(every, codes, terms)
    twins = FirstThatCan((*makers, by_terms), len(terms.levels) + 1) if makers else by_terms
    return AttributeDataset(
        case.name, Column("answer", labels, classes),
        {case.attribute: Column(case.attribute, codes, (*terms.levels, NOBODY))}, split,
        TextSource(every, {case.attribute: twins}, case=kinds, offensive=True), pair_method="swapped", unit="text",
        persons=persons,
    )  # fmt: skip


class _Sentences:
    """HateCheck's sentences as the demo has them, its templates shared out by a seed."""

    def __init__(self, demo: AttributeDataset, seed: int) -> None:
        source, persons = demo.source, demo.persons
        assert isinstance(source, TextSource)
        assert source.case is not None
        assert persons is not None
        self.names = source.case.levels
        self.rows = np.flatnonzero(source.case.codes >= _FIRST_SENTENCE)
        self.kinds = source.case.codes[self.rows]
        self.labels, self.templates = demo.target.codes[self.rows], persons[self.rows]
        self.codes = next(iter(demo.attributes.values())).codes[self.rows]
        self.split = np.empty(len(self.rows), "<U10")
        rng = np.random.default_rng(seed)
        for kind in np.unique(self.kinds):
            for place, template in enumerate(rng.permutation(np.unique(self.templates[self.kinds == kind]))):
                self.split[self.templates == template] = TEMPLATE_PARTS[place % len(TEMPLATE_PARTS)]

    def places(self, first: int, n_levels: int) -> Array:
        """Row of the sentence of the same template for each level, (first + n, n_levels), -1 where there is none."""
        found = np.full((first + len(self.rows), n_levels), -1)
        for template in np.unique(self.templates):
            inside = first + np.flatnonzero(self.templates == template)
            found[np.ix_(inside, self.codes[inside - first])] = inside
        return found


def shared_anew(data: AttributeDataset, seed: int) -> AttributeDataset:
    """A demo with its held-out samples in other parts, those of a template or a person together; what taught the model
    stays. Seed 0 is the demo as it ships."""
    if seed == 0:
        return data
    split, rng = np.array(data.split), np.random.default_rng(seed)
    held = np.flatnonzero(split != "train")
    of = np.arange(len(data)) if data.persons is None else data.persons
    persons, first = np.unique(of[held], return_index=True)
    parts, labels = split[held[first]], data.target.codes[held[first]]
    for label in np.unique(labels):
        those = labels == label
        parts[those] = rng.permutation(parts[those])
    split[held] = parts[np.searchsorted(persons, of[held])]
    return replace(data, split=split)


def _chosen(
    texts: Sequence[str], labels: Array, classes: tuple[str, ...], terms: str, most: int | None = None
) -> Texts:
    """At most `most`, or `MOST_TEXTS`: those that name somebody by the list first, up to half of them, then others, in
    an order that is drawn once."""
    most = most or MOST_TEXTS
    known = shipped_terms(terms)
    order = [
        int(one) for one in np.random.default_rng(0).permutation(len(texts)) if len(texts[one]) <= LONGEST
    ]
    named = [place for place in order if known.found(texts[place])][: most // 2]
    taken = set(named)
    others = [place for place in order if place not in taken][: most - len(named)]
    places = np.random.default_rng(1).permutation([*named, *others])
    return [" ".join(texts[place].split()) for place in places], labels[places], classes


def _read(path: Path, text: str, label: str) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]


def _tweets(folder: Path) -> Texts:
    """Davidson et al. 2017: offensive or hateful against neither."""
    texts, labels = _read(folder / "davidson" / "labeled_data.csv", "tweet", "class")
    return texts, np.array([int(label != "2") for label in labels]), ("fine", "offensive")


def _rated(*path: str, text: str = "comment", label: str = "toxic") -> Callable[[Path], Texts]:
    """Comments of Wikipedia, rated toxic or not."""

    def read(folder: Path) -> Texts:
        texts, labels = _read(folder.joinpath(*path), text, label)
        return texts, np.array([int(float(one)) for one in labels]), ("fine", "toxic")

    return read


PUBLIC: Mapping[str, Callable[[Path], Texts]] = {
    "Tweets": _tweets,
    "Comments": _rated("wikipedia_toxicity_balanced", "wikipedia_toxicity_12180.csv"),
    "Comments that mention a group": _rated("wiki_identity_demo", "wiki_identity_twins.csv"),
    OTHER_COMMENTS: _rated("wikipedia_talk_cat", "gn.csv", text="text", label="label"),
}

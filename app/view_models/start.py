"""Start: the demos to choose from, and what was loaded. Without pandas: the page does not wait for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.view_models.texts import Sentences
from fmd_core import AttributeDataset, Classifier, Estimate, figures
from fmd_core.data import SPLITS, Split
from fmd_core.measure.verdict.sentences import attribute_name

ROLES: dict[Split, str] = {
    "train": "taught the model",
    "external": "decides the fix",
    "validation": "guards the fix",
    "test": "judges the fix",
}
DO: dict[Split, str] = {
    "train": "taught the model",
    "external": "decide the fix",
    "validation": "guard it",
    "test": "judge it",
}
"""The same of many."""
STORIES = {
    "colored_digits": "Real handwriting. In training nearly every digit wore its own ink: nearly all 0s red, "
    "nearly all 1s orange. Did the model learn to read, or just to see colours?",
    "synthetic_faces": "Drawn people, nobody's photograph. In training nearly everyone with blond hair was drawn "
    "feminine. Does the model look at the hair, or at the person under it?",
    "hate_texts": "Real sentences, each said of seven groups. A model learned from real comments what is toxic. Does "
    "it judge what is said, or of whom? How sure it is that these are toxic:",
}
ON_CARD = 10
CANDIDATES = 40  # pictures of a class that are looked through for its card: all of them would take too long


@dataclass(frozen=True)
class Card:
    """A demo to choose: a few training samples and its story."""

    title: str
    story: str
    rows: tuple[int, ...]
    labels: tuple[str, ...]
    sentences: tuple[tuple[str, tuple[tuple[int, int], ...], float], ...] = ()
    """Of a demo of texts instead: text, where the group stands in it, and the probability of `answer`."""
    answer: str = ""


def build_card(reference: str, data: AttributeDataset, said: Sentences | None = None) -> Card:
    """One sample of each class in turn, from training; of texts the sentence that is `said` of every group."""
    if said and said.rows:
        return Card(data.name, STORIES[reference], (), (), said.rows, said.answer)
    rows, labels = samples(data)
    if len(set(labels)) == len(labels):  # a class that is shown once is shown by what everybody can read
        rows = tuple(_most_typical(data, int(data.target.codes[row])) for row in rows)
    return Card(data.name, STORIES[reference], rows, labels)


def _most_typical(data: AttributeDataset, code: int) -> int:
    """Of the first training pictures of a class the one nearest to their mean."""
    train = data.rows("train")
    own = train[data.target.codes[train] == code][:CANDIDATES]
    pictures = data.source.read(own).astype("float32")
    return int(own[np.square(pictures - pictures.mean(axis=0)).reshape(len(own), -1).sum(axis=1).argmin()])


def samples(data: AttributeDataset) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Rows of a few training samples, the classes in turn, and what class each is of; at most `ON_CARD`."""
    train = data.rows("train")
    codes = data.target.codes[train]
    of_class = [train[codes == k] for k in range(len(data.target.levels))]
    each = max(1, ON_CARD // len(of_class))
    rows = [own[turn] for turn in range(each) for own in of_class if turn < len(own)][:ON_CARD]
    return tuple(map(int, rows)), tuple(data.target.levels[code] for code in data.target.codes[rows])


@dataclass(frozen=True)
class LoadedView:
    """The tables of what is under review."""

    loaded: list[dict[str, str]]
    splits: list[dict[str, str | int]]
    notes: tuple[str, ...]


def build_loaded(
    data: AttributeDataset,
    model: Classifier | None,
    measured: Estimate | None,
    *,
    another_system: bool = False,
) -> LoadedView:
    """`measured`, the accuracy, is None while nobody measured it, `model` while none is chosen or another system
    answers."""
    attributes = "; ".join(f"{c.name} ({_levels(c.levels)})" for c in data.attributes.values())
    name = "none: another system answers" if another_system else "none yet"
    if model is not None:
        name = f"{model.name or model.title}, {model.n_parameters:,} parameters"
    loaded = {
        "Data": data.name,
        "The truth"
        if another_system
        else "The model predicts": f"{data.target.name} ({_levels(data.target.levels)})",
        "Should not matter": attributes,
        "Model": name,
        "Accuracy": accuracy(data, measured, model),
    }
    parts: list[tuple[str, int, str]] = [
        (split, int((data.split == split).sum()), ROLES[split]) for split in SPLITS
    ]
    if another_system:
        judges = len(data) if data.parts_are_drawn else len(data.rows("test"))
        parts = [("all" if data.parts_are_drawn else "test", judges, "judges the other system")]
    return LoadedView(
        loaded=[{"": name, "What was loaded": value} for name, value in loaded.items()],
        splits=[
            {"Part": part, figures.many(data.unit).capitalize(): n, "What it is for": role}
            for part, n, role in parts
        ],
        notes=data.notes_of_people if another_system else data.notes,
    )


def about(data: AttributeDataset, *, another_system: bool = False) -> tuple[str, str]:
    """What the data under review are, as a headline and a lead."""
    attributes = figures.listed([attribute_name(data, name) for name in data.attributes])
    people = figures.counted(len(data), data.unit)
    if another_system:
        headline = f"{data.name}: another system answered {data.target.name}; {attributes} should not matter."
        return headline, f"{people}, each with what it was answered."
    headline = f"{data.name}: a model predicts {data.target.name}; {attributes} should not matter."
    parts = figures.listed([f"{figures.count(len(data.rows(split)))} {DO[split]}" for split in SPLITS])
    return headline, f"{people}, shared out in four, nobody twice: {parts}."


def accuracy(data: AttributeDataset, measured: Estimate | None, model: Classifier | None = None) -> str:
    """How often the model is right, and of whom; `measured` is None while it was not measured yet. Nothing is said of a
    model of which nobody knows what its outputs mean."""
    if model is not None and model.outputs is not None and model.outputs.is_open:
        return "cannot be said before the order of its outputs is confirmed"
    if measured is None:
        return "measured when you look for the bias"
    right, people = figures.figure(measured), figures.many(data.unit)
    return f"{right} % of {figures.count(measured.n)} held-out test {people}"


def _levels(levels: tuple[str, ...]) -> str:
    shown = ", ".join(levels[:10])
    return shown if len(levels) <= 10 else f"{shown} and {len(levels) - 10} more"

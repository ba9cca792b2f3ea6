"""Start: what this is and what was loaded. Without pandas: the first page does not wait for it."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core import AttributeDataset, BiasReport, Classifier, wording
from fmd_core.data import SPLITS

ROLES = {
    "train": "taught the model",
    "external": "decides the fix",
    "validation": "guards the fix",
    "test": "judges the fix",
}


@dataclass(frozen=True)
class StartView:
    """The card of a demo and the table of what was loaded."""

    card_rows: tuple[int, ...]  # samples shown on the card
    card_text: str
    loaded: list[dict[str, str]]
    splits: list[dict[str, str | int]]
    classes: tuple[str, ...]


def build(data: AttributeDataset, model: Classifier, audit: BiasReport | None) -> StartView:
    """`audit` is None while the heavy libraries are still loading."""
    attributes = "; ".join(f"{c.name} ({', '.join(c.levels)})" for c in data.attributes.values())
    accuracy = "measuring …"
    if audit is not None:
        accuracy = f"{wording.figure(audit.accuracy)} % of {audit.accuracy.n} held-out test images"
    loaded = {
        "Data": data.name,
        "The model predicts": f"{data.target.name} ({', '.join(data.target.levels)})",
        "Should not matter": attributes,
        "Model": f"{model.architecture.replace('_', ' ')}, {model.n_parameters:,} parameters",
        "Accuracy": accuracy,
    }
    sizes = [(split, int((data.split == split).sum())) for split in SPLITS]
    return StartView(
        card_rows=tuple(int(r) for k in range(len(data.target.levels)) for r in _examples(data, k, 1)),
        card_text=(
            "Real handwriting. In training nearly every digit wore its own ink: nearly all 0s red, nearly all 1s "
            "orange. Did the model learn to read, or just to see colours?"
        ),
        loaded=[{"": name, "What was loaded": value} for name, value in loaded.items()],
        splits=[{"Part": split, "Images": n, "What it is for": ROLES[split]} for split, n in sizes],
        classes=data.target.levels,
    )


def _examples(data: AttributeDataset, target: int, n: int) -> list[int]:
    train = data.rows("train")
    return [int(r) for r in train[data.target.codes[train] == target][:n]]

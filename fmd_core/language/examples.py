"""StereoSet and CrowS-Pairs as their authors publish them: data for evaluation, read where they lie, never shipped."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError
from fmd_core.home import data_folder
from fmd_core.text import clean_text

SetName = Literal["stereoset", "stereoset-next", "crows-pairs"]
SETS: dict[SetName, str] = {
    "stereoset": "StereoSet, words in a sentence",
    "stereoset-next": "StereoSet, the sentence that comes next",
    "crows-pairs": "CrowS-Pairs",
}
"""Names of the sets, and what they are called."""
STEREOSET, CROWS = Path("text/stereoset/dev.json"), Path("text/crows_pairs/crows_pairs_anonymized.csv")
MOST_BYTES = 64 << 20
LABELS = ("stereotype", "anti-stereotype", "unrelated")
BIAS_WORDS = {"race-color": "race or colour", "sexual-orientation": "sexual orientation",
              "physical-appearance": "appearance"}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One example: whom it is about, and its sentences."""

    target: str
    """The target term; in CrowS-Pairs, which has none, the pair itself."""
    bias_type: str
    stereotype: str
    anti_stereotype: str
    unrelated: str | None
    """None where the set has none."""
    context: str = ""
    """What is read before the sentences."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Those that are scored, in this order."""
        return (
            self.stereotype,
            self.anti_stereotype,
            *((self.unrelated,) if self.unrelated is not None else ()),
        )


def read_examples(name: SetName, folder: Path | None = None) -> tuple[Example, ...]:
    """A set's examples from `folder` (FMD_DATA_DIR). DataError where they are missing or damaged."""
    if name not in SETS:
        raise DataError(f"There is no set '{name}'. There are: {', '.join(SETS)}.")
    path = (folder or data_folder()) / (CROWS if name == "crows-pairs" else STEREOSET)
    if not path.is_file():
        raise DataError(
            f"{SETS[name]} is not there: put the file {path.name} of its authors into "
            f"{path.parent.parent.name}/{path.parent.name} of the folder that FMD_DATA_DIR names."
        )
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path.name} has more than the {MOST_BYTES >> 20} MiB that it may have.")
    try:
        if name == "crows-pairs":
            return tuple(_crows(path))
        nested = "intrasentence" if name == "stereoset" else "intersentence"
        return tuple(_stereoset(json.loads(path.read_text("utf-8"))["data"][nested], name))
    except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
        raise DataError(f"{path.name} is not in the form of its authors; download it again.") from error


def _stereoset(told: Sequence[dict], name: SetName) -> list[Example]:  # type: ignore[type-arg]
    found = []
    for one in told:
        by_label = {
            sentence["gold_label"]: clean_text(str(sentence["sentence"])) for sentence in one["sentences"]
        }
        context = clean_text(str(one["context"])) if name == "stereoset-next" else ""
        target, bias = clean_text(str(one["target"])), clean_text(str(one["bias_type"]))
        found.append(
            Example(target, bias, by_label[LABELS[0]], by_label[LABELS[1]], by_label[LABELS[2]], context)
        )
    return found


def _crows(path: Path) -> list[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Example(f"pair {number}", BIAS_WORDS.get(row["bias_type"], clean_text(row["bias_type"])),
                clean_text(row["sent_more"]), clean_text(row["sent_less"]), None)
        for number, row in enumerate(rows)
    ]  # fmt: skip


def some_of(examples: Sequence[Example], most: int | None, seed: int = 0) -> tuple[Example, ...]:
    """At most `most` of the examples, spread evenly over target terms (the seed draws within a term); all for None."""
    if most is None or most >= len(examples):
        return tuple(examples)
    rng, seen = np.random.default_rng(seed), Counter[str]()
    turns = []  # an example's turn is how many of its term came before it in a random order
    for place, number in enumerate(rng.permutation(len(examples))):
        term = examples[number].target
        turns.append((seen[term], place, int(number)))
        seen[term] += 1
    return tuple(examples[number] for number in sorted(number for _, _, number in sorted(turns)[:most]))


def halves(examples: Sequence[Example]) -> tuple[Array, Array]:
    """Which examples decide and which judge: every other target term of each bias type, by name; no term is in both."""
    types: dict[str, set[str]] = defaultdict(set)
    for one in examples:
        types[one.bias_type].add(one.target)
    deciding: set[str] = set()
    assigned: set[str] = set()
    for bias in sorted(types):
        free = sorted(types[bias] - assigned)
        deciding |= set(free[::2])
        assigned |= set(free)
    decides = np.array([one.target in deciding for one in examples], bool)
    return np.flatnonzero(decides), np.flatnonzero(~decides)


def choosing(examples: Sequence[Example]) -> tuple[Array, Array]:
    """Of deciding examples those that train and those that choose: every fifth target term, by name."""
    chooses = set(sorted({one.target for one in examples})[::5])
    part = np.array([one.target in chooses for one in examples], bool)
    return np.flatnonzero(~part), np.flatnonzero(part)

"""Who taught a network on, beside the training people that it came from: they do not judge it later.

It stands in the file of the network, so that it is known wherever that is opened. A model's numbers do not say it, and
who taught one is answered better than others are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from fmd_core.data import SPLITS, AttributeDataset, Split

if TYPE_CHECKING:
    from fmd_core.models.classifier import Classifier

TaughtBy = Mapping[str, tuple[Split, ...]]
"""Parts of data whose people taught, by `AttributeDataset.parts_fingerprint`."""
SOMEBODY = ""
"""In place of that fingerprint, where nobody knows any more whose parts they are."""
IN_ONNX = "fmd.taught_by"
"""Its name among the properties of an ONNX file."""
LONGEST = 10_000
"""Letters that a file may take to say it."""
UNKNOWN_TEACHERS: TaughtBy = {SOMEBODY: ("external", "validation")}
"""Of a network of which nobody knows any more who taught it on: everybody may have who decides a change of it."""
_KEY = re.compile(r"(?:[0-9a-f]{64})?")


def together(*taught: TaughtBy) -> TaughtBy:
    """Everybody who taught one of several networks of which one was made."""
    keys = dict.fromkeys(key for one in taught for key in one)
    return {
        key: tuple(part for part in SPLITS if any(part in one.get(key, ()) for one in taught)) for key in keys
    }


def as_taught_by(dataset: AttributeDataset, parts: Sequence[Split]) -> TaughtBy:
    """Parts of data that taught."""
    return {dataset.parts_fingerprint: tuple(parts)}


def teachers_among(classifier: Classifier, dataset: AttributeDataset) -> tuple[Split, ...]:
    """The parts of these data that taught a network on, or may have; () of one that only training people taught, as
    far as its file says."""
    known = [classifier.taught_by.get(key, ()) for key in (dataset.parts_fingerprint, SOMEBODY)]
    return tuple(part for part in SPLITS if any(part in parts for parts in known))


def as_text(taught: TaughtBy) -> str:
    """As a file says it; '' for nobody."""
    return msgspec.json.encode(taught).decode() if taught else ""


def known_taught(text: str) -> TaughtBy:
    """What a file says. What cannot be read is taken for everybody who decides: somebody has taught."""
    if not text:
        return {}
    if len(text) > LONGEST:
        return UNKNOWN_TEACHERS
    try:
        found = msgspec.json.decode(text, type=dict[str, tuple[Split, ...]])
    except msgspec.MsgspecError:
        return UNKNOWN_TEACHERS
    return found if all(map(_KEY.fullmatch, found)) else UNKNOWN_TEACHERS


def why_no_choice(classifier: Classifier, dataset: AttributeDataset) -> str:
    """Why no change of this model can be chosen, in a sentence; '' where validation people can."""
    if "validation" not in teachers_among(classifier, dataset):
        return ""
    return (
        "Validation people taught this model when it learned on, so nobody is left to say how far a change of it may "
        "go: begin from the model that it was made from."
    )


def why_no_judge(classifier: Classifier, dataset: AttributeDataset, part: Split) -> str:
    """Why people of a part cannot say how far a change of this model may go, in a clause; '' where they can."""
    if part not in teachers_among(classifier, dataset):
        return ""
    return f"{part} people taught this model, so they cannot judge a change of it"

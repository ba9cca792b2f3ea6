"""The view in the address: data, model, attribute, K and strength, so that another browser opens the
same one.

An address is read once, when a visitor arrives, and written after every change. What it says comes
from outside: each value is checked, and one that makes no sense is ignored with a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.record.review import BUNDLED, Review
from app.session import memory, state
from app.widgets import components
from fmd_core.method import DEFAULT_STRATEGY, strategies

LONGEST = 2_000  # characters of one value
NOTES = "address_notes"
KEPT = "review"  # the id of a review that is kept
SIDES = ("compare", "with")


@dataclass(frozen=True)
class Setting:
    """A widget whose value stands in the address."""

    key: str  # in the session
    default: object
    read: Callable[[str], object]
    """The value; raises ValueError with what it should be."""


def adopt() -> None:
    """Open what the address names, if this visitor has just arrived."""
    if memory.has_arrived():
        return
    given = {name: text for name, text in st.query_params.to_dict().items() if name in NAMES}
    if given:
        memory.keep_notes(NOTES, _adopt(given))


def go_on_with(review: str) -> None:
    """Open a review that was kept, with what was chosen in it."""
    chosen = {name: text for name, text in _take_up(review).items() if name not in ("data", "model")}
    _start_from_defaults()
    memory.keep_notes(NOTES, _open(chosen) + _set(chosen))


def notes(page: str) -> None:
    """What in the address was ignored, until the visitor goes on to another page."""
    for note in memory.notes_of(NOTES, page):
        st.warning(components.plain(note))


def write() -> None:
    """Put what is chosen now into the address; what is as it would be anyway is left out."""
    review, chosen = state.review(), {}
    if review.data != Review().data:
        chosen["data"] = review.data
    if review.model != BUNDLED:
        chosen["model"] = review.model
    if review.most_unlike is not None:
        chosen["alike"] = repr(float(review.most_unlike))
    for name, setting in SETTINGS.items():
        if name in SIDES and memory.value("compared", None) != review.key:
            continue  # chosen among what another review has
        value = memory.value(setting.key, setting.default)
        if value != (_attributes()[0] if name == "attribute" and value else setting.default):
            chosen[name] = _joined(value) if isinstance(value, list | tuple) else str(value)
    if memory.has("attribute"):
        stop = str(memory.value(state.stop_key(), state.ORIGINAL_STOP))
        if stop not in ("", state.ORIGINAL_STOP):
            chosen["strength"] = stop
    memory.put("address", dict(chosen))
    if place := state.place():
        chosen = {KEPT: place.id, **chosen}
    others = {name: text for name, text in st.query_params.to_dict().items() if name not in NAMES}
    if st.query_params.to_dict() != {**others, **chosen}:
        st.query_params.from_dict({**others, **chosen})


def compared() -> None:
    """Both sides of a comparison stand in the address from now on, while this review is looked at."""
    memory.put("compared", state.review().key)


def _adopt(given: Mapping[str, str]) -> list[str]:
    """Set the session by the address; returns a sentence for each value that was ignored."""
    ignored = [_ignored(name, "is too long") for name, text in given.items() if len(text) > LONGEST]
    usable = {name: text for name, text in given.items() if len(text) <= LONGEST}
    ignored += _go_on(usable)
    if state.place():  # it says which data and model
        usable = {name: text for name, text in usable.items() if name not in ("data", "model")}
    return ignored + _open(usable) + _set(usable)


def _go_on(given: Mapping[str, str]) -> list[str]:
    """Open the review that is kept under the id in the address."""
    if KEPT not in given:
        return []
    from fmd_core import FMDError

    try:
        _take_up(given[KEPT])
    except FMDError as problem:
        return [_ignored(KEPT, f"cannot be opened: {str(problem)[:300]}")]
    return []


def _take_up(review: str) -> Mapping[str, str]:
    """Go on with a review that was kept, if its data can be opened; returns what was chosen in it."""
    from app import cache
    from app.session import keeping

    opened = keeping.open_kept(review)
    cache.open_data(opened.data)
    state.adopt(opened)
    return opened.settings


def _set(usable: Mapping[str, str]) -> list[str]:
    """Give the widgets what is named; returns a sentence for each value that was ignored."""
    ignored = []
    for name, setting in SETTINGS.items():
        if name in usable:
            try:
                memory.put(setting.key, setting.read(usable[name]))
            except ValueError as problem:
                ignored.append(_ignored(name, f"'{usable[name][:40]}' is {problem}"))
    if "strength" in usable:
        if not memory.has("attribute"):
            memory.put("attribute", _attributes()[0])
        memory.put(state.stop_key(), usable["strength"][:60])  # the Unlearn page knows which there are
    return ignored


def _start_from_defaults() -> None:
    """Forget what was chosen in another review: what an address leaves out is as it is at first."""
    memory.forget_all(state.STOP)
    for name, setting in SETTINGS.items():
        memory.put(setting.key, _attributes()[0] if name == "attribute" else setting.default)


def _open(given: Mapping[str, str]) -> list[str]:
    """Open data and model; what cannot be opened leaves the visitor where they would have been."""
    if not given.keys() & {"data", "model", "alike"}:
        return []
    from app import cache
    from app.opening import data_forms
    from fmd_core import DataError, FMDError

    ignored, review = [], state.review()
    if "data" in given:
        try:
            cache.open_data(given["data"])
            review = data_forms.latest_review(given["data"])
        except FMDError as problem:
            return [_ignored("data", f"cannot be opened: {str(problem)[:200]}")]
    if "model" in given:
        wanted = Review(review.data, given["model"])
        try:
            if wanted.is_of_another_system and cache.dataset(wanted).answered is None:
                raise DataError("these data came without another system's answers")
            if wanted.has_model:
                cache.classifier(wanted)
            review = wanted
        except FMDError as problem:
            ignored.append(_ignored("model", f"cannot be opened: {str(problem)[:200]}"))
    if "alike" in given:
        try:
            review = Review(review.data, review.model, _distance(given["alike"]))
        except ValueError as problem:
            ignored.append(_ignored("alike", f"'{given['alike'][:40]}' is {problem}"))
    state.open_review(review)
    return ignored


def _ignored(name: str, why: str) -> str:
    return f"In the address, {name} {why}; it was ignored."


def _one_of(options: Callable[[], tuple[Any, ...]]) -> Callable[[str], object]:
    def read(text: str) -> object:
        found = options()
        if text not in found:
            raise ValueError(f"none of: {', '.join(map(str, found))[:200]}")
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
            raise ValueError(f"no whole number from {low} to {high}")
        return int(text)

    return read


def _number(fits: Callable[[float], bool], wanted: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not fits(number):  # NaN fits nothing
            raise ValueError(f"no {wanted}")
        return number

    return read


_points = _number(lambda n: 0 <= n <= 5 and 2 * n == int(2 * n), "number of points from 0 to 5 in halves")
_share = _number(lambda n: 0 <= n <= 100, "number of points from 0 to 100")
_distance = _number(lambda n: 0 < n <= 10, "distance between 0 and 10")


def _attributes() -> tuple[str, ...]:
    from app import cache

    return tuple(cache.dataset(state.review()).attributes)


def _joined(names: Sequence[str]) -> str:
    """Names in one text; a comma in one of them does not part it."""
    return ",".join(name.replace("%", "%25").replace(",", "%2C") for name in names)


def _several(text: str) -> list[str]:
    known = _attributes()
    named = [
        part if part in known else part.replace("%2C", ",").replace("%25", "%") for part in text.split(",")
    ]
    if unknown := [name for name in named if name not in known]:
        raise ValueError(f"no list of attributes: '{unknown[0][:40]}' is none of {', '.join(known)[:200]}")
    return named


def _classes() -> tuple[str, ...]:
    from app import cache

    return cache.dataset(state.review()).target.levels


def _references(text: str) -> str:
    """References as the session keeps them."""
    from app import cache
    from app.record.criteria import read_references, references_text

    data = cache.dataset(state.review())
    named = read_references(text)
    for attribute, level in named.items():
        if attribute not in data.attributes:
            raise ValueError(f"about '{attribute[:40]}', which is none of {', '.join(data.attributes)[:200]}")
        if level not in ("", *data.attribute(attribute).levels):
            raise ValueError(f"about a level '{level[:40]}' that {attribute} does not have")
    return references_text(named)


def _measures() -> tuple[str, ...]:
    from fmd_core.measure.bias_functions import MEASURES

    return MEASURES


def _strategies() -> tuple[str, ...]:
    return tuple(strategy.name for strategy in strategies())


def _fairness_measures() -> tuple[str, ...]:
    from fmd_core.measure.bias_functions import FAIRNESS_MEASURES

    return FAIRNESS_MEASURES


def _depths() -> tuple[str, ...]:
    from fmd_core.models.depth import DEPTHS

    return tuple(DEPTHS)


def _networks() -> tuple[str, ...]:
    from app import cache

    return tuple(found.id for found in cache.learned(state.review()))


def _side(text: str) -> str:
    from app.opening import model_forms
    from app.view_models import compare

    review = state.review()
    if not review.has_model:
        raise ValueError("nothing to compare: no model is open")
    found = compare.sides(review.model, state.history(), model_forms.on_this_machine(review))
    if text not in {compare.address_of(side, review.model) for side in found.values()}:
        raise ValueError(
            "neither the original, nor a variant kept in this review, nor a model on this machine"
        )
    return text


SETTINGS: dict[str, Setting] = {
    "attribute": Setting("attribute", None, _one_of(_attributes)),
    "measure": Setting("measure", "counterfactual", _one_of(_measures)),
    "limit": Setting("threshold", 10, _whole(1, 50)),
    "twins": Setting(state.limit_key("twins"), None, _share),
    "selection": Setting(state.limit_key("selection"), None, _share),
    "recognised": Setting(state.limit_key("equal_truth"), None, _share),
    "right": Setting(state.limit_key("service"), None, _share),
    "ratio": Setting(
        state.limit_key("ratio"), state.RATIO, _number(lambda n: 0 <= n <= 1, "ratio from 0 to 1")
    ),
    "good": Setting("favourable", "", _one_of(_classes)),
    "against": Setting("references", "", _references),
    "for": Setting("harmful_for", "", _one_of(_fairness_measures)),
    "kind": Setting("harmful_kind", "Harmful", _one_of(lambda: ("Harmful", "Helpful"))),
    "k": Setting("harmful_k", 50, _whole(1, 10_000_000)),
    "improve": Setting(state.IMPROVES, "", _one_of(lambda: ("worst group",))),
    "also": Setting("also", [], _several),
    "how": Setting("strategy", DEFAULT_STRATEGY, _one_of(_strategies)),
    "depth": Setting("depth", "last layer", _one_of(_depths)),
    "forget": Setting("unlearn_k", state.DEFAULT_K, _whole(0, 10_000_000)),
    "tolerance": Setting("tolerance", 1.0, _points),
    "network": Setting(state.NETWORK, "", _one_of(_networks)),
    "compare": Setting("compare_first", None, _side),
    "with": Setting("compare_second", None, _side),
}
NAMES = {KEPT, "data", "model", "alike", "strength", *SETTINGS}

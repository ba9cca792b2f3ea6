"""The view in the address: data, model, attribute, K and strength, so that another browser opens the
same one.

An address is read once, when a visitor arrives, and written after every change. What it says comes
from outside: each value is checked, and one that makes no sense is ignored with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.opening.address_settings import SETTINGS, attributes, distance, joined
from app.record.review import BUNDLED, Review
from app.session import memory, state
from app.widgets import components

LONGEST = 2_000  # characters of one value
NOTES = "address_notes"
KEPT = "review"  # the id of a review that is kept
SIDES = ("compare", "with")
NAMES = {KEPT, "data", "model", "alike", "strength", *SETTINGS}


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
        if value != (attributes()[0] if name == "attribute" and value else setting.default):
            chosen[name] = joined(value) if isinstance(value, list | tuple) else str(value)
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
            memory.put("attribute", attributes()[0])
        memory.put(state.stop_key(), usable["strength"][:60])  # the Unlearn page knows which there are
    return ignored


def _start_from_defaults() -> None:
    """Forget what was chosen in another review: what an address leaves out is as it is at first."""
    memory.forget_all(state.STOP)
    for name, setting in SETTINGS.items():
        memory.put(setting.key, attributes()[0] if name == "attribute" else setting.default)


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
            review = Review(review.data, review.model, distance(given["alike"]))
        except ValueError as problem:
            ignored.append(_ignored("alike", f"'{given['alike'][:40]}' is {problem}"))
    state.open_review(review)
    return ignored


def _ignored(name: str, why: str) -> str:
    return f"In the address, {name} {why}; it was ignored."

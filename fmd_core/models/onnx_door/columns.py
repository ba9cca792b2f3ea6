"""The inputs of an ONNX network with the columns of the data that go into them: by name, or all as one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from fmd_core.data import AttributeDataset, FrameSource
from fmd_core.datasets.table_encoding import Categories, Numbers, TableSource
from fmd_core.errors import ModelError
from fmd_core.models.classifier import Classifier
from fmd_core.models.door import TOLERANCE, TRIED
from fmd_core.models.encoding import read_inputs
from fmd_core.models.onnx_door.encoder import Feed, Spec, onnx_encoder
from fmd_core.text import letters_alone, short_name

MISSING_WORDS = ("?", "", "nan", "NaN", "None", "NA", "missing", "Unknown", "unknown", "not stated")
"""What trainers write for a missing word, the first that a file knows is taken."""


def fitted_to(classifier: Classifier, data: AttributeDataset) -> tuple[Classifier, tuple[str, ...]]:
    """The same model with its inputs matched to the columns of `data`, and what was matched, a sentence each; other
    models come back as they are. Raises ModelError where an input has no column, and where the file's own answers are
    others on the first samples."""
    encoder = onnx_encoder(classifier)
    if encoder is None:
        return classifier, ()
    told: tuple[str, ...] = ()
    if encoder.kind == "table":
        feeds, told = match_columns(encoder.spec, data)
        encoder = replace(encoder, spec=msgspec.structs.replace(encoder.spec, feeds=feeds))
        classifier = replace(classifier, own_encoder=encoder)
    apart = encoder.difference(read_inputs(classifier, data, data.rows("train")[:TRIED]))
    if not apart <= TOLERANCE:
        raise ModelError(
            f"On the first samples the file's own answers and those of its last layer differ by up to {apart:.2g}, so "
            "it cannot be taken apart; bring its answers in a column instead."
        )
    same = f"On the first samples of these data it answers as the whole file does, to {max(apart, 1e-9):.0e}."
    return classifier, (*told, same)


def match_columns(spec: Spec, data: AttributeDataset) -> tuple[tuple[Feed, ...], tuple[str, ...]]:
    """The inputs of a graph with the columns of `data` that go into them, and what to tell of it."""
    source = data.source
    if not isinstance(source, TableSource) or not isinstance(source, FrameSource):
        raise ModelError(f"The network reads columns of a table, but '{data.name}' holds none.")
    read = {column.name: column for column in source.columns if column.is_input}
    if len(spec.feeds) == 1 and not spec.feeds[0].columns:
        return _matrix(spec, source, read)
    feeds: list[Any] = []
    told: list[str] = []
    known = _plain_names(read)
    for feed in spec.feeds:
        name = feed.columns[0]
        found = name if name in read else known.get(letters_alone(name), "")
        if not found:
            left = name in {c.name for c in source.columns} or letters_alone(name) in {
                letters_alone(c.name) for c in source.columns
            }
            raise ModelError(
                f"The network reads the column '{short_name(name)}', which "
                + ("was left out when the data were imported; import them with it."
                   if left else f"the data do not have. They have: {', '.join(list(read)[:20])}.")
            )  # fmt: skip
        feeds.append(_with_column(feed, read[found], told))
    renamed = [
        f"'{f.columns[0]}'" for f, was in zip(feeds, spec.feeds, strict=True) if f.columns != was.columns
    ]
    told.insert(0, f"Each of its {len(feeds)} inputs reads one column, found by its name"
                + (f" (spelled otherwise: {', '.join(renamed[:8])})." if renamed else "."))  # fmt: skip
    return tuple(feeds), tuple(told)


def _plain_names(read: Mapping[str, object]) -> dict[str, str]:
    """Columns by their letters and digits alone, where that is one column's."""
    plain = [letters_alone(name) for name in read]
    return {p: name for p, name in zip(plain, read, strict=True) if plain.count(p) == 1}


def _with_column(feed: Feed, column: Categories | Numbers, told: list[str]) -> Feed:
    """One input with its column; of words, what each of the data's values is called in the file."""
    if feed.type != "str":
        if isinstance(column, Categories):
            raise ModelError(
                f"The input '{short_name(feed.name)}' reads numbers, but the column '{column.name}' holds words "
                f"({', '.join(column.levels[:5])})."
            )
        return msgspec.structs.replace(feed, columns=(column.name,))
    if not feed.known or isinstance(column, Numbers):
        return msgspec.structs.replace(feed, columns=(column.name,))
    by_letters = {letters_alone(word): word for word in feed.known}
    words = {
        level: by_letters[letters_alone(level)]
        for level in column.levels
        if level not in feed.known and letters_alone(level) in by_letters
    }
    strange = [
        level
        for level in column.levels
        if level not in feed.known and level not in words and level != "not stated"
    ]
    if strange:
        n = len(strange)
        told.append(
            f"The network does not know {n} value{'s' * (n > 1)} of '{column.name}' ({', '.join(strange[:5])}"
            f"{', …' * (n > 5)}): {'they count' if n > 1 else 'it counts'} as none of those that it knows."
        )
    missing = next((word for word in MISSING_WORDS if word in feed.known), "")
    return msgspec.structs.replace(feed, columns=(column.name,), words=words, missing=missing)


def _matrix(
    spec: Spec, source: TableSource, read: Mapping[str, Categories | Numbers]
) -> tuple[tuple[Feed, ...], tuple[str, ...]]:
    """One input for all columns: the numeric ones in their order where they are as many, else all as encoded here."""
    numeric = [name for name, column in read.items() if isinstance(column, Numbers)]
    width, encoded = spec.width, len(source.input_names)
    if width in (0, len(numeric)) and numeric and (width or len(numeric) == len(read)):
        feed = msgspec.structs.replace(spec.feeds[0], columns=tuple(numeric))
        return (feed,), (
            f"Its one input reads the {len(numeric)} columns of numbers in this order: {', '.join(numeric)}.",
        )
    if width in (0, encoded):
        return spec.feeds, (f"Its one input reads all {encoded} inputs as they are encoded here.",)
    raise ModelError(
        f"The network reads {width} numbers of each sample, but the data have {len(numeric)} columns of numbers "
        f"({', '.join(numeric[:12])}) and {encoded} inputs as they are encoded here; import the columns that it was "
        "trained on, in its order."
    )

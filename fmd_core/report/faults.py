"""What is wrong with a value that is not as a report is declared: the first part at fault, in one sentence."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from fmd_core.errors import DataError
from fmd_core.report.fields import LARGEST, Refused
from fmd_core.text import short_name

Place = tuple[str, Any, Any]
"""The way to a part of a report, its value, and how it is declared."""


def refusal(place: str, wanted: str) -> DataError:
    """That what stands at a place is not as `wanted`."""
    return DataError(f"This report cannot be opened: '{place or 'the whole'}' is not {wanted}.")


def fault(value: object, declared: object, place: str = "") -> DataError:
    """What is wrong with a `value` that is not as `declared` (a type that msgspec knows); `place` is the way to it."""
    declared = _without_none(declared)
    for inner, part, kind in _parts(value, declared, place):
        try:
            msgspec.convert(part, kind)
        except msgspec.ValidationError:
            return fault(part, kind, inner)
    try:
        msgspec.convert(value, declared)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, Refused):  # every field is right by itself
            field, wanted = error.__cause__.field, error.__cause__.wanted
            return refusal(".".join(filter(None, (place, field))), wanted)
    return refusal(place, _wanted(value, declared))


def _without_none(declared: Any) -> Any:  # noqa: ANN401  a declaration is whatever typing makes
    """What a value that may be missing is when it is there."""
    if get_origin(declared) not in (Union, UnionType):
        return declared
    (one,) = (kind for kind in get_args(declared) if kind is not type(None))
    return one


def _parts(value: object, declared: Any, place: str) -> Iterator[Place]:  # noqa: ANN401
    """Parts of a record, a list or a map, where `value` is one. Raises DataError for a record that lacks a field."""
    bare = get_args(declared)[0] if get_origin(declared) is Annotated else declared
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        inner = {f.name: f"{place}.{f.name}" if place else f.name for f in msgspec.structs.fields(bare)}
        missing = [inner[f.name] for f in msgspec.structs.fields(bare) if f.required and f.name not in value]
        if missing:
            raise DataError(f"This report is incomplete: '{missing[0]}' is missing.")
        yield from (
            (inner[f.name], value[f.name], f.type) for f in msgspec.structs.fields(bare) if f.name in value
        )
    elif isinstance(value, list) and get_origin(bare) is list:
        yield from ((f"{place}[{i}]", part, get_args(bare)[0]) for i, part in enumerate(value))
    elif isinstance(value, dict) and get_origin(bare) is dict:
        key_kind, part_kind = get_args(bare)
        for key, part in value.items():
            yield place, key, key_kind
            yield f"{place}.{short_name(key)}", part, part_kind


def _wanted(value: object, declared: Any) -> str:  # noqa: ANN401
    """What a declaration asks for, in words."""
    origin, rest = get_origin(declared), get_args(declared)
    if origin is Literal:
        return f"one of: {', '.join(str(word) for word in rest if word is not None)}"
    if origin is Annotated:
        meta = rest[1]
        if get_origin(rest[0]) is list:
            return f"a list of {meta.min_length or 0:,} to {meta.max_length:,}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        return "a number" if rest[0] is float and not is_number else str(meta.description)
    return {bool: "true or false", datetime.date: "a date"}.get(declared, "a record")

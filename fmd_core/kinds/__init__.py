"""The kinds of samples that are known, by name. A kind of one's own is registered from outside."""

from __future__ import annotations

from fmd_core.data import Array
from fmd_core.errors import DataError
from fmd_core.kinds.image import ImageKind
from fmd_core.kinds.kind import Kind, Portrait
from fmd_core.kinds.table import TableKind
from fmd_core.kinds.text import TextKind

__all__ = ["Kind", "Portrait", "find_kind", "kind_names", "recognised", "register_kind"]

_KINDS: dict[str, Kind] = {kind.name: kind for kind in (ImageKind(), TableKind(), TextKind())}


def find_kind(name: str) -> Kind:
    """A kind of sample by name.

    Raises
    ------
    DataError
        For an unknown name; the message lists the known ones.
    """
    if name not in _KINDS:
        raise DataError(f"Unknown kind of sample {str(name)[:80]!r}. Known are: {', '.join(_KINDS)}.")
    return _KINDS[name]


def kind_names() -> tuple[str, ...]:
    """The names of all known kinds, in the order in which they were registered."""
    return tuple(_KINDS)


def register_kind(kind: Kind) -> Kind:
    """Make a kind known under its name, for this process; returns it.

    Raises
    ------
    DataError
        If another kind has that name. The same one may be registered again.
    """
    known = _KINDS.setdefault(kind.name, kind)
    if type(known) is not type(kind):
        raise DataError(
            f"A kind of sample called '{kind.name}' is known already ({type(known).__name__}); choose another name."
        )
    return known


def recognised(inputs: Array) -> Kind:
    """The first known kind whose samples a batch can hold.

    Raises
    ------
    DataError
        If there is none; the message names the batch's shape and type.
    """
    for kind in _KINDS.values():
        if kind.reads(inputs):
            return kind
    raise DataError(
        f"A batch of shape {inputs.shape} and type {inputs.dtype} is of no known kind: {', '.join(_KINDS)}."
    )

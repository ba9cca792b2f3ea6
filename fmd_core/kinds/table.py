"""Records of a table, encoded as float32 (m, d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from fmd_core.data import Array, Display, SampleSource
from fmd_core.kinds.kind import Kind, Portrait


class TableKind(Kind):
    """Records, shown as text."""

    name, plural = "table", "tables"
    has_giveaways = True

    def reads(self, inputs: Array) -> bool:
        return inputs.ndim == 2

    def portrait(self, shown: Display, side: int) -> Portrait:  # noqa: ARG002 - text has no side
        return Portrait(text="\n".join(f"{column}: {value}" for column, value in self.record(shown).items()))

    def record(self, shown: Display) -> Mapping[str, str]:
        return cast("Mapping[str, str]", shown)

    def parts(self, contributions: Array, source: SampleSource) -> tuple[Array, tuple[str, ...]]:
        """By column, (n_columns,): the inputs of one column (one-hot levels, a number and whether it is
        missing) are summed. Each input is its own where the source does not say what makes a column."""
        columns = [c for c in getattr(source, "columns", ()) if c.input_names]
        if not columns:
            return super().parts(contributions, source)
        starts = np.cumsum([0, *(len(column.input_names) for column in columns[:-1])])
        return np.add.reduceat(contributions, starts), tuple(column.name for column in columns)

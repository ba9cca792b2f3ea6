"""What is said of a table's model that is hardly ever wrong, beside the warnings of the data alone."""

from __future__ import annotations

import numpy as np

from fmd_core import figures
from fmd_core.data import AttributeDataset
from fmd_core.datasets.data_warnings import (
    AuditWarning,
    WarningKind,
    dataset_warnings,
    found_leaks,
    leak_warning,
    leak_warnings,
    repeated_rows,
    sentinel_warnings,
    unread_columns,
)
from fmd_core.datasets.table_checks import NEARLY_SURE
from fmd_core.datasets.table_encoding import TableSource
from fmd_core.measure.verdict.answered import Answered

__all__ = [
    "dataset_warnings", "found_leaks", "leak_warning", "leak_warnings", "repeated_rows",
    "sentinel_warnings", "too_good", "unread_columns",
]  # fmt: skip


def too_good(dataset: AttributeDataset, answered: Answered) -> tuple[AuditWarning, ...]:
    """A model of a table that is hardly ever wrong, where always giving the most common answer often is: some
    columns seem to hold the answer together, in a way that no look at them has found."""
    if not isinstance(dataset.source, TableSource):
        return ()
    right, share = (
        float(answered.weight @ answered.right / answered.weight.sum()),
        np.bincount(answered.labels).max(),
    )
    wrong_blind = 1 - share / len(answered)
    if right < NEARLY_SURE or 1 - right > wrong_blind / 20:
        return ()
    return (
        AuditWarning(
            WarningKind.TARGET_LEAK,
            "",
            f"The model is right for {figures.percent(right)} of people: some columns seem to hold the answer "
            "together. Leave out what is not known before it.",
            forbids_within=True,
        ),
    )

"""skops files of scikit-learn: looked at by their tables of contents alone."""

from __future__ import annotations

from fmd_core.models.intake.refusals import IntakeRefusal
from fmd_core.models.intake.weight_files import Seen

SCHEMA = "schema.json"
MOST_BYTES = 256 << 20  # unpacked


def is_skops(seen: Seen) -> bool:
    """Whether it is a zip archive with the table of contents of skops."""
    return SCHEMA in seen.names


def check_skops(seen: Seen) -> str:
    """Refuse an archive that unpacks to more than a model has; else a sentence on what is in order."""
    total = sum(entry.file_size for entry in seen.entries)
    if total > MOST_BYTES:
        raise IntakeRefusal(
            f"The file unpacks to {total / 2**20:,.0f} MiB, more than the {MOST_BYTES >> 20} MiB that a "
            "model of scikit-learn may have; bring a smaller one."
        )
    return "The file is an archive of arrays and a list of what they belong to."

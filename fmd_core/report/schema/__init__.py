"""What a report holds, declared once: who writes one builds it, who reads one checks it, the page is drawn from it.

A new field is declared in the module of its section, filled in `sections` or `measured`, and shown in `report.html`.
Shares are in [0, 1], intervals are 95 %. A field with a default may be missing in a file, because a version before did
not write it or no page shows it. Texts may come from anybody: whoever shows them has to escape them.

    subject   what was reviewed, by whom and how
    biases    what was found out about the original model
    teaching  which training samples taught it
    steps     what was done, and the audit log
    held_out  what held-out people say of the variant in force
    summary   what a reader sees first
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from fmd_core.report.fields import Moment, Part, Some, Text
from fmd_core.report.schema.biases import Found
from fmd_core.report.schema.held_out import Forgetting, Measured
from fmd_core.report.schema.steps import AuditLog, Done
from fmd_core.report.schema.subject import Data, Decision, Heading, Model, Seeds, Settings
from fmd_core.report.schema.summary import FirstPage
from fmd_core.report.schema.teaching import ScoreCheck, TaughtBy


class Report(Part, frozen=True, kw_only=True):
    """A report as it is kept and handed on (format `fmd-report-3`)."""

    MOMENTS: ClassVar = ("created",)
    format: Text
    created: Moment
    versions: dict[Text, Text]
    seeds: Seeds
    sections: Some[Heading] = field(default_factory=list)
    decision: Decision
    settings: Settings
    data: Data
    model: Model
    found: Found
    taught_by: TaughtBy
    score_checks: Some[ScoreCheck]
    done: Done
    audit_log: AuditLog | None
    measured: Measured | None
    forgetting: Forgetting | None = None
    first_page: FirstPage | None = None
    """None in reports from before."""
    caveats: Some[Text]
    seal: Text

    def __repr__(self) -> str:
        return f"Report({self.data.name!r}, {self.created}, seal {self.seal[:16]})"

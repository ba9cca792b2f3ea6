"""What each section of a report is evidence for, and what the report does not say.

Section names of a model card are those of Mitchell et al., Model Cards for Model Reporting (2019).
Articles are those of the EU AI Act, Regulation (EU) 2024/1689.
"""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core import figures
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.method import Method, find_method
from fmd_core.models.depth import find_depth
from fmd_core.report.evidence import Evidence
from fmd_core.report.schema.subject import Heading

NO_CERTIFICATE = (
    "This report is evidence for these duties. It is no certificate that they are met: that is for the people who "
    "answer for the system to show, and for others to check."
)
ARTICLES = {
    10: "data and data governance",
    14: "human oversight",
    15: "accuracy, robustness and cybersecurity",
}
CARD = (
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
)


@dataclass(frozen=True)
class Section:
    """A heading of the report, with what it is evidence for."""

    key: str
    title: str
    card: tuple[str, ...]
    articles: tuple[int, ...]
    needs_variant: bool = False
    needs_forgetting: bool = False

    @property
    def heading(self) -> Heading:
        """The same as the report declares it."""
        articles = [f"EU AI Act, Art. {number} ({ARTICLES[number]})" for number in self.articles]
        return Heading(self.title, list(self.card), articles)


SECTIONS = (
    Section("found", "What was found", ("Quantitative analyses",), (10, 15)),
    Section("taught", "Who taught it", ("Training data",), (10,)),
    Section("scores", "Can these scores be relied on?", ("Quantitative analyses",), (15,)),
    Section("done", "What was done", ("Model details",), (10, 14)),
    Section("worked", "Did it work?", ("Quantitative analyses",), (15,), needs_variant=True),
    Section(
        "forgotten", "What was forgotten", ("Model details", "Quantitative analyses"), (10, 15), needs_forgetting=True,
    ),
    Section(
        "rivals", "What simpler fixes did to the same people", ("Quantitative analyses",), (15,),
        needs_variant=True,
    ),
    Section("pays", "Who pays?", ("Quantitative analyses", "Ethical considerations"), (10, 15), needs_variant=True),
    Section("changed", "Whose answer changed", ("Quantitative analyses",), (14, 15), needs_variant=True),
    Section("decision", "Decision and notes", ("Ethical considerations",), (14,)),
    Section("model", "The model", ("Model details",), (15,)),
    Section("use", "What the model is for", ("Intended use",), (10, 14)),
    Section("factors", "What should not matter to the answer", ("Factors",), (10,)),
    Section("metrics", "How bias was measured", ("Metrics",), (15,)),
    Section("data", "Who is in the data", ("Training data", "Evaluation data"), (10,)),
    Section("limits", "What this report does not say", ("Caveats and recommendations",), (14, 15)),
    Section("check", "How to check this", ("Model details",), (15,)),
)  # fmt: skip


def sections_of(*, has_variant: bool, forgets: bool) -> list[Section]:
    """Sections of a report whose variant in force, if there is one, may be one that forgets."""
    return [
        section
        for section in SECTIONS
        if (has_variant or not section.needs_variant) and (forgets or not section.needs_forgetting)
    ]


TWINS = {
    "generated": "Twins were drawn again with only the attribute changed: the figures hold as far as that drawing "
    "changes nothing else.",
    "flipped": "Twins have one entry of the record changed: what goes with it in life was left as it was.",
    "swapped": "Twins have a term swapped for another, or are said by the same template: what goes with it in life was "
    "left as it was. Placebo twins, with a neutral word swapped, say what any such change does.",
    "matched": "Twins are two real {}, which differ in more than the attribute; placebo twins say by how much.",
}


def caveats(evidence: Evidence) -> list[str]:
    """What is not known, a sentence each; recommendations last."""
    data, audit = evidence.dataset, evidence.audit
    units = figures.many(data.unit)
    told = [
        f"Figures come from {figures.count(audit.accuracy.n)} held-out {units} of one data set and hold for {units} "
        "like those. Where and on whom the model is used, they may differ.",
        f"Only {figures.listed(list(data.attributes))} could be looked at. Of properties that are not in the data "
        "nothing is known.",
        TWINS[data.pair_method].format(units),
        "How the data were collected and labelled, whether the people in them agreed, and whether the true classes "
        "are themselves fair, cannot be seen from the data.",
        "Security against attacks on the model was not looked at.",
    ]
    few = sum(group.accuracy.value is None for found in audit.attributes for group in found.groups)
    if few:
        told.append(
            f"For {few} groups of one class and one attribute value there are fewer than {MIN_PEOPLE} {units}, too few "
            "to say how well they are served."
        )
    if evidence.point is not None:
        told.append(
            _trained_on(find_method(evidence.point.result.strategy))
            if find_method(evidence.point.result.strategy).retrains
            else f"Only {find_depth(evidence.depth).changed} changed. What lies below can still tell the attribute, so "
            "that layers trained again on the old data can learn the bias again."
        )
    if not evidence.checks:
        told.append(
            "The influence scores are predictions; they were not checked against refits in this review."
        )
    told.append("Measure again, with this limit, when the data, the model or its use changes.")
    return told


def _trained_on(method: Method) -> str:
    """What is not known of a network that was trained on below its last layer."""
    told = "The network was trained on below its last layer."
    if method.forgets:
        return (
            f"{told} Fresh readers say what the last one can still be told; another layer, or a reader of another "
            "kind, may tell more."
        )
    return f"{told} That was to serve people better, not to make it forget anything: it may still tell the attribute."

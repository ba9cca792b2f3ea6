"""One place for what a result means in a sentence; how numbers are written is said in `fmd_core.figures`.

findings     what an attribute does to the answer
comparisons  what a change did: to the bias, and to accuracy
people       to whom: who gains and who pays
settings     how a variant is made, what the guard allows, why one is suggested
"""

from fmd_core.report.wording.comparisons import (
    accuracy_clause,
    bias_name,
    calibrated_sentence,
    comparison_headline,
    doubts,
    still_beyond,
)
from fmd_core.report.wording.findings import (
    attribute_headline,
    attribute_sentence,
    lag_sentence,
    worst_served_sentence,
)
from fmd_core.report.wording.people import (
    gainers_sentence,
    losers_sentence,
    moved_groups,
    people_sentence,
    who_pays,
)
from fmd_core.report.wording.settings import (
    guard_refusal,
    guard_rule,
    made,
    setting,
    strategy_note,
    suggestion_reason,
)

__all__ = [
    "accuracy_clause",
    "attribute_headline",
    "attribute_sentence",
    "bias_name",
    "calibrated_sentence",
    "comparison_headline",
    "doubts",
    "gainers_sentence",
    "guard_refusal",
    "guard_rule",
    "lag_sentence",
    "losers_sentence",
    "made",
    "moved_groups",
    "people_sentence",
    "setting",
    "still_beyond",
    "strategy_note",
    "suggestion_reason",
    "who_pays",
    "worst_served_sentence",
]

"""What can be chosen of how Find bias judges, in words."""

from __future__ import annotations

from fmd_core import AttributeDataset, Verdict
from fmd_core.measure.verdict.favourable import chosen_favourable, suggest_favourable

LIMITS = {
    "twins": "Twins, points",
    "selection": "Answers given, points",
    "equal_truth": "Recognised, points",
    "service": "Right, points",
}
FARES_BEST = "the group that fares best"


def answers(data: AttributeDataset) -> dict[str, str]:
    """What the good answer can be, in words; '' is what the data or their names say."""
    known = (
        chosen_favourable(data.target, data.favourable, "as the data say")
        if data.favourable
        else suggest_favourable(data.target)
    )
    unsaid = "no answer is better than another" if known is None else f"{known.level} ({known.reason})"
    return {"": unsaid, **{level: level for level in data.target.levels}}


def unsure(verdict: Verdict) -> str:
    """What must be said where nobody knows which answer is the good one; else ''."""
    good = verdict.favourable
    if good is None or good.is_sure:
        return ""
    return (
        f"Nobody has said which answer is the good one; “{good.level}” was taken. If it is the other, say so under the "
        "limit: then others fare worse."
    )


def in_force(verdict: Verdict, everywhere: float) -> str:
    """The limits of each kind in a sentence, where they do not all stand where the slider does; `everywhere` is a
    share."""
    from fmd_core.measure.verdict.sentences import limits_sentence
    from fmd_core.measure.verdict.values import Limits

    return "" if verdict.limits == Limits.of_points(everywhere) else limits_sentence(verdict.limits)

"""What can be chosen of how Find bias judges, in words."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core import Verdict
from fmd_core.measure.verdict.values import Favourable

LIMITS = {
    "twins": "Twins, points",
    "selection": "Answers given, points",
    "equal_truth": "Recognised, points",
    "service": "Right, points",
}
HIGHEST = "the group with the highest rate"


def answers(classes: Sequence[str], unasked: Favourable | None) -> dict[str, str]:
    """What the good answer can be, in words; '' is what the data or their names say, `unasked`."""
    said = "no answer is better than another" if unasked is None else f"{unasked.level} ({unasked.reason})"
    return {"": said, **{level: level for level in classes}}


def unsure(verdict: Verdict) -> str:
    """What must be said where nobody knows which answer is the good one; else ''."""
    good = verdict.favourable
    if good is None or good.is_sure:
        return ""
    return f"Nobody has said which answer is the good one; “{good.level}” was taken. Say which it is, under the limit."


def in_force(verdict: Verdict, everywhere: float) -> str:
    """The limits of each kind in a sentence, where they do not all stand where the slider does; `everywhere` is a
    share."""
    from fmd_core.measure.verdict.sentences import limits_sentence
    from fmd_core.measure.verdict.values import Limits

    return "" if verdict.limits == Limits.of_points(everywhere) else limits_sentence(verdict.limits)

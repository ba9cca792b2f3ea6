"""What is said on the Fix page of a network that learned on: its card, and the curve on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.record.review import Aim
from app.view_models import deeper as words
from app.view_models import learning_on
from app.view_models.charts import CurvePoint
from app.view_models.unlearn import Axis, CurveView
from fmd_core import AttributeDataset, figures
from fmd_core.data import Split
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.report import wording
from fmd_core.study.debiasing import Change
from fmd_core.unlearn.deeper.answers import Figures, Gap
from fmd_core.unlearn.deeper.choosing import DeeperPath, DeeperPoint
from fmd_core.unlearn.deeper.improving import find_improvement, improvements
from fmd_core.unlearn.deeper.settings import Improve, usual_improve

TITLE = "Deeper"
WAY = "original and network (hollow: refused)"
"""What the large points of the curve are."""
STAYS = (
    "A network learned on, and those who choose would leave the model as it is: nothing on the way is allowed "
    "and better."
)
AIMS: dict[FairnessMeasure, Improve] = {
    "demographic parity": "parity", "equal opportunity": "opportunity", "worst group": "worst group",
}  # fmt: skip
"""What improves where twins are not what it is about."""


def improve_for(data: AttributeDataset, aim: Aim) -> Improve:
    """What is to improve when the network learns on: what is being taken out, where that is an aim of training."""
    wanted = AIMS.get(aim.measure, usual_improve(data, aim.attribute))
    known = [found.name for found in improvements(data, aim.attribute)]
    return wanted if wanted in known else usual_improve(data, aim.attribute)


def proposal(data: AttributeDataset, change: Change, improve: Improve, time: str) -> str:
    """What would learn, from whom, for what, and how long that takes."""
    teachers = len(data.rows("train")) + len(data.rows("external"))
    aim, what = find_improvement(improve).title.lower(), learning_on.CHANGES[change].lower()
    return (
        f"The last layer can only weigh what the network below it sees. Let a copy of {what} "
        f"learn on from {figures.counted(teachers, data.unit)}: {aim}. About {time} on this machine; it can be stopped."
    )


def how(changed: str, share: float) -> str:
    """What a point on the way changes."""
    what = changed or "the network below the last layer"
    return what if share == 1 else f"{what}, {100 * share:g} % of the way"


GAPS: dict[FairnessMeasure, Callable[[Figures], Gap | None]] = {
    "demographic parity": lambda of: of.parity,
    "equal opportunity": lambda of: of.opportunity,
}
"""The gap between groups that those who choose see, where one is what is taken out."""


def axes(path: DeeperPath, measure: FairnessMeasure) -> dict[Axis, str]:
    """What may stand along the curve, by what is taken out: twins only where it is theirs, and the groups counted alike
    where nobody has twins."""
    if measure == "worst group" and path.original.figures.decisive is not None:
        return {"worst": "Worst group"}
    alike: dict[Axis, str] = {"worst": "Every group alike"}
    if measure != "counterfactual":
        gap = GAPS.get(measure)
        known = gap is not None and gap(path.original.figures) is not None
        return {"decided": "Gap in answers", **alike} if known else alike
    if path.original.figures.bias is None:
        return alike
    return {"bias": "Bias", "decided": "Flips"}


def build_curve(
    path: DeeperPath,
    shown: DeeperPoint,
    unit: str,
    axis: Axis,
    name: str,
    judged_by: Sequence[Split],
    measure: FairnessMeasure = "counterfactual",
) -> CurveView:
    """`shown` is the point that the slider stands on; `unit` what each of those who choose is called."""
    ends, between = (path.points[0], path.points[-1]), path.points[1:-1]
    of, many = " and ".join(judged_by), figures.many(unit)
    wrong = " % wrong" if axis == "worst" else ""  # what lies across; tables have the share that is right
    told = [f"{name.lower()} {_across(p.figures, axis, measure):.1f}{wrong}" for p in ends]
    right = [figures.percent(p.figures.accuracy) for p in ends]
    return CurveView(
        full=tuple(_point(p, axis, measure) for p in ends),
        blends=tuple(_point(p, axis, measure) for p in between),
        suggested=_point(path.chosen, axis, measure),
        stops={words.stop_label(p.share): _point(p, axis, measure) for p in path.points},
        axis=f"{name.lower()} answered wrong, %" if axis == "worst" else f"{name.lower()}, points",
        judges=(
            f"What {figures.count(path.people)} {of} {many} say, who choose; the cards beside are of test {many}, "
            "who judge it."
        ),
        summary=(
            f"From {told[0]} and accuracy {right[0]} for the original to {told[1]} and {right[1]} for the network, "
            f"on {figures.count(path.people)} {of} {many}."
        ),
        reason="",
        warning=wording.guard_refusal(shown.refusal) if shown.refusal else "",
    )


def _point(point: DeeperPoint, axis: Axis, measure: FairnessMeasure) -> CurvePoint:
    """To the left is better on every axis."""
    of = point.figures
    return CurvePoint(
        _across(of, axis, measure), 100 * of.accuracy, words.stop_label(point.share), not point.refusal
    )


def _across(of: Figures, axis: Axis, measure: FairnessMeasure) -> float:
    """In points or percent."""
    gap = GAPS[measure](of) if measure in GAPS else None
    decided = of.flips if measure == "counterfactual" else None if gap is None else gap.value
    is_worst, worst = measure == "worst group", of.decisive
    served = worst.value if is_worst and worst is not None else of.balanced
    value = {"bias": of.bias, "decided": decided, "worst": 1 - served}[axis]
    if value is None:
        raise ValueError(f"there is no {axis} of these people")
    return 100 * value

"""Train beside it: published methods on the same network and people, what they cost, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models import deeper
from fmd_core import AttributeDataset, figures
from fmd_core.study.debiasing import JudgedBaseline
from fmd_core.study.retraining import TrainedBeside
from fmd_core.unlearn.deeper.answers import Figures
from fmd_core.unlearn.deeper.settings import Improve
from fmd_core.unlearn.retraining.methods import METHODS

TITLE = "Train beside it"
LEAD = (
    "Published methods train the same network on the training and the external part from the beginning, and are "
    "judged in the same way. The model under review is not changed; what comes of it is kept on this machine and "
    "stands among the networks above, where it can be mixed in and put in force."
)
USUAL = ("group-dro", "jtt")
"""What is ticked at first: one method that is told the groups, and one that is not."""
AS_MADE, GUARDED = "as it comes", "within what may be lost"
NOTHING_CHOSEN = "Choose a method."


def available(methods: Mapping[str, str]) -> tuple[str, ...]:
    """Methods that can be trained here."""
    return tuple(name for name, why in methods.items() if not why)


def titled(name: str) -> str:
    """A method as it is offered."""
    return METHODS[name].title


def notes(names: Collection[str]) -> str:
    """What the chosen methods do, as lines of a list."""
    return "\n".join(
        f"- {METHODS[name].title}: {METHODS[name].note} ({METHODS[name].source})" for name in names
    )


def cost(data: AttributeDataset, time: str) -> str:
    """What the chosen methods read and about how long that takes, `time` in words."""
    teachers = len(data.rows("train")) + len(data.rows("external"))
    return (
        f"{figures.counted(teachers, data.unit)} of the training and the external part teach each of them. About "
        f"{time} for all that is chosen, by a few steps that were measured on this machine. It can be stopped; what is "
        "finished by then is kept."
    )


def judged(found: Mapping[str, TrainedBeside], improve: Improve, tolerance: float) -> list[JudgedBaseline]:
    """Rows of the table of fixes: each method as it comes, and what of it the guard allows, mixed with the
    original as learning on is."""
    rows = []
    for each in found.values():
        made, chosen = each.as_made, each.at(improve, tolerance).chosen
        for what, point in ((AS_MADE, made), (GUARDED, chosen)):
            rows.append(
                JudgedBaseline(f"{each.method.title}, {what}", point, each.at_point(point), is_reference=True)
            )
    return rows


@dataclass(frozen=True)
class Spot:
    """One fix in the picture: what it does to held-out test people, in percent."""

    name: str
    across: float
    up: float


@dataclass(frozen=True)
class BesideView:
    """The picture of all fixes, and its sentence."""

    axis: str
    way: tuple[Spot, ...]
    """Points from the original on towards the network that learned on; the original alone where there is none."""
    spots: tuple[Spot, ...]
    summary: str
    table: pd.DataFrame
    """All fixes."""


def build(
    data: AttributeDataset,
    attribute: str,
    way: Sequence[tuple[float, Figures]],
    others: Sequence[JudgedBaseline],
    improve: Improve,
) -> BesideView:
    """`way` is what test people get of each share of the way, the original first; `others` what they get of every other
    fix."""
    flips = improve == "twins" and way[0][1].flips is not None
    axis = "twins who get another answer, %" if flips else "right with every group counted alike, %"

    def spot(name: str, of: Figures) -> Spot:
        return Spot(name, 100 * (of.flips or 0.0) if flips else 100 * of.balanced, 100 * of.accuracy)

    spots = tuple(spot(o.title, o.after) for o in others if o.chosen.steps)  # the others are the original
    first = spot("the original", way[0][1])
    last = way[-1][1]
    told = [first, *([spot("the network that learned on", last)] if len(way) > 1 else []), *spots]
    said = "; ".join(f"{one.name} {one.across:.1f} ({one.up:.1f})" for one in told)
    what = "twins who get another answer" if flips else "right with every group counted alike"
    return BesideView(
        axis,
        tuple(spot(deeper.stop_label(share), of) for share, of in way),
        spots,
        f"In percent of held-out test {figures.many(data.unit)}, {what}, and overall accuracy in brackets: {said}.",
        deeper.fixes_table(way[0][1], others, data, attribute),
    )

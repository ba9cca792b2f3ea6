"""Before a network learns on: what may change, what it costs, and what the network is called that comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from fmd_core import AttributeDataset, figures
from fmd_core.measure.verdict.sentences import attribute_name
from fmd_core.study.debiasing import Change
from fmd_core.study.learned import Learned
from fmd_core.unlearn.deeper.improving import find_improvement
from fmd_core.unlearn.deeper.material import BATCH
from fmd_core.unlearn.deeper.planning import LEARN_ON, TRAINED_BESIDE
from fmd_core.unlearn.deeper.settings import DeeperSettings, Improve
from fmd_core.unlearn.retraining.methods import METHODS

TITLE = "Deeper: let the network learn on"
LEAD = (
    "The last layer can only weigh what the network below it sees. Here a copy of the network is trained a little "
    "further, and people who did not teach it choose how far; the original is never changed."
)
CHANGES: dict[Change, str] = {
    "threshold": "The thresholds only",
    "last layer": "The last layer",
    "last two layers": "The last two layers",
    "last block": "The last block",
    "whole network": "The whole network",
}
"""What may change, the cheapest first."""
ONLY_GROUPS = "Nobody here can be shown with another {}: {}, so twins are not what can improve."
IN_TURNS = (
    "Some group is small among validation people, so two networks learn: external people choose too, for one that did "
    "not learn from them, and what is kept is the mean of both."
)


def why_cannot(changes: Mapping[Change, str]) -> str:
    """Why a model cannot learn on at all, in a sentence; '' where some of it can."""
    return "" if can_change(changes) else f"This model cannot learn on. {changes['whole network']}"


def can_change(changes: Mapping[Change, str]) -> tuple[Change, ...]:
    """What may be chosen, the cheapest first."""
    return tuple(change for change in CHANGES if not changes[change])


def closed(why_not: Mapping[Change, str] | Mapping[str, str]) -> str:
    """Why some of what could be chosen cannot, a sentence each; '' where all can."""
    return " ".join(dict.fromkeys(why for why in why_not.values() if why))


def cost(data: AttributeDataset, change: Change, improve: Improve, time: str, *, in_turns: bool) -> str:
    """What it reads and about how long that takes, `time` in words."""
    if change == "threshold":
        return "Nothing learns: one number for each answer is moved, which takes a moment."
    teachers = len(data.rows("train")) + len(data.rows("external"))
    steps = DeeperSettings(change, improve).steps[-1]
    turns = f" {IN_TURNS}" if in_turns else ""
    return (
        f"{figures.counted(teachers, data.unit)} of the training and the external part teach it, in "
        f"{figures.count(steps)} steps of {BATCH} each. About {time}, by a few steps that were measured on this "
        f"machine. It can be stopped.{turns}"
    )


def goes_on(done: tuple[int, int]) -> str:
    """That work which was interrupted goes on; '' where none was."""
    if not done[0]:
        return ""
    steps = [figures.count(number) for number in done]
    return f"It was interrupted after {steps[0]} of {steps[1]} steps and goes on from there."


def only_groups(data: AttributeDataset, attribute: str, why: str) -> str:
    """Why twins cannot be what improves."""
    return ONLY_GROUPS.format(attribute_name(data, attribute), why)


def made(attribute: str, change: Change, improve: Improve, steps: int) -> str:
    """How a network came about, as history, Compare and report say it."""
    title = find_improvement(improve).title.lower()
    if change == "threshold":
        return f"{attribute}: thresholds moved, {title}"
    return f"{attribute}: {change} learned on, {title}, {figures.counted(steps, 'step')}"


def named(found: Learned) -> str:
    """The same of a network that is kept, whether it learned on or a published method trained it."""
    if not found.method:
        return made(found.attribute, found.change, found.improve, found.steps)
    method = METHODS[found.method]
    how = f"after {figures.counted(found.steps, 'epoch')}"
    if not method.cost:
        how = f"without {figures.count(found.steps)} who taught it"
    return f"{found.attribute}: trained beside it, {method.title}, {how}"


def changed(found: Learned) -> str:
    """The same in short: 'last block learned on', 'trained anew by GroupDRO'."""
    if found.method:
        return f"trained anew by {METHODS[found.method].title}"
    return "thresholds moved" if found.change == "threshold" else f"{found.change} learned on"


def way_of(found: Learned) -> str:
    """The name of the method by which a network that is kept came about."""
    return TRAINED_BESIDE.name if found.method else LEARN_ON.name

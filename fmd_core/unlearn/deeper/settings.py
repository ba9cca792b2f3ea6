"""What is asked of a network that learns on: what of it may change, what should improve, and by which recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fmd_core.data import AttributeDataset
from fmd_core.datasets.data_warnings import unread_columns
from fmd_core.errors import DataError

Reach = Literal["last layer", "last two layers", "last block", "whole network"]
Improve = Literal["groups", "twins", "parity", "opportunity", "worst group"]
REACHES: tuple[Reach, ...] = get_args(Reach)
STEPS = {"groups": (100, 200, 400, 800), "twins": (600,)}
WHOLE_STEPS = {"groups": (400, 800, 1200), "twins": (400, 800, 1600)}
"""Steps after which the running mean of the weights is kept; a whole network has others. All aims but twins take
those of groups. Of twins what is kept before the end is worth little, since the rate falls: above the trunk, where all
of it takes seconds, it is not kept."""
EMPHASIS: dict[Improve, float] = {
    "groups": 1.0, "worst group": 0.5, "parity": 0.5, "opportunity": 0.5, "twins": 0.0,
}  # fmt: skip
"""lambda, how much of the draws groups share evenly. `docs/deeper_tried.md` says who chose it."""
RATES = {"groups": 1e-3, "twins": 5e-3}
WHOLE_RATES = {"groups": 1e-3, "twins": 1e-3}
"""Learning rates at the beginning; they fall to 0 as a cosine does. Few layers take larger steps than a whole network
does."""


@dataclass(frozen=True)
class DeeperSettings:
    """What may change, what should improve, and how hard."""

    reach: Reach = "whole network"
    improve: Improve = "groups"
    emphasis: float | None = None
    """lambda in [0, 1]: 0 draws every person alike, 1 every group; None: what suits the aim."""
    kept: tuple[int, ...] | None = None
    """Steps whose weights are kept, ascending; None: what suits reach and aim."""

    def __post_init__(self) -> None:
        for what, value, known in (("reach", self.reach, Reach), ("aim", self.improve, Improve)):
            if value not in get_args(known):
                raise DataError(f"Unknown {what} '{value}'. Choose one of: {', '.join(get_args(known))}.")
        if not 0 <= self.drawn_by_group <= 1:
            raise DataError(f"The emphasis on groups lies between 0 and 1, got {self.drawn_by_group:g}.")
        steps = self.steps
        if not steps or steps[0] < 1 or list(steps) != sorted(set(steps)):
            raise DataError(f"The steps that are kept must ascend from 1 on, got {steps}.")

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are kept."""
        usual = WHOLE_STEPS if self.reach == "whole network" else STEPS
        return usual[self.recipe] if self.kept is None else self.kept

    @property
    def rate(self) -> float:
        """The learning rate at the beginning."""
        usual = WHOLE_RATES if self.reach == "whole network" else RATES
        return usual[self.recipe]

    @property
    def drawn_by_group(self) -> float:
        """lambda: how much of the draws groups share evenly."""
        return EMPHASIS[self.improve] if self.emphasis is None else self.emphasis

    @property
    def recipe(self) -> str:
        """Whose steps and rate are used: 'twins' or 'groups'."""
        return "twins" if self.improve == "twins" else "groups"


def why_only_groups(dataset: AttributeDataset, attribute: str) -> str:
    """Why nobody can be shown with another level, so that only groups can improve, in a clause; '' where somebody
    can."""
    if dataset.pair_method == "matched":
        return "twins are other people"
    return "the model does not read it" if attribute in unread_columns(dataset) else ""


def check_aim(dataset: AttributeDataset, attribute: str, settings: DeeperSettings) -> None:
    """DataError where nobody can be shown with another level, and twins should improve."""
    if settings.improve == "twins" and (why := why_only_groups(dataset, attribute)):
        raise DataError(
            f"Nobody here can be shown with another {attribute}: {why}. Let groups improve instead."
        )


def usual_improve(dataset: AttributeDataset, attribute: str) -> Improve:
    """What improves unless somebody says otherwise: groups where nobody can be shown with another level, else
    twins."""
    return "groups" if why_only_groups(dataset, attribute) else "twins"

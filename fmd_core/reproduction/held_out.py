"""Held-out people, and what a head means for them: one row of the published comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.heads.protocol import Head
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.audit import audit_bias
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.group_metrics import GroupMetrics, group_metrics
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.baselines import worst_group


@dataclass(frozen=True)
class Row:
    """One way to treat one model, measured on held-out people. Shares lie in [0, 1]."""

    method: str
    accuracy: float
    bias: float | None
    """Counterfactual bias B."""
    placebo: float | None
    """B between placebo twins, where twins are real people."""
    excess: float | None
    worst_group: float | None
    """Lowest accuracy of a class and attribute level with enough people; None without any."""
    worst_group_name: str
    worst_group_people: int
    parity: float | None
    """Demographic parity difference by aif360, usual level minus the others."""
    opportunity: float | None
    """Equal opportunity difference by aif360, likewise."""
    seconds: float = 0.0
    """From features and pairs to the heads: curvature, scores and solving, where they are used."""
    guard_seconds: float = 0.0
    """For validation people to choose one of the heads."""
    pairs: int = 0
    """External pairs that the treatment used."""
    setting: str = ""
    """What was chosen: strength and blend, or damping."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test people with their twins, and their placebo twins where twins are real people."""

    dataset: AttributeDataset
    people: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None

    def row(self, method: str, head: Head) -> Row:
        """What a head does to them; what it cost is not known here."""
        name = self.pairs.attribute
        floors = {} if self.placebo is None else {name: self.placebo}
        found = audit_bias(head, self.dataset, self.people, [self.pairs], floors).attributes[0]
        return replace(
            self._row(method, predictions(head, self.people.features), found.metrics),
            bias=found.bias.value,
            placebo=found.placebo.value if found.placebo else None,
            excess=found.excess.value if found.excess else None,
        )

    def row_of_answers(self, method: str, predicted: Array) -> Row:
        """What answers (n,) that are the same for both twins do to them: B is 0."""
        usual = self.dataset.usual_level(self.pairs.attribute)
        metrics = group_metrics(self.people.labels, predicted, self._levels[:, None] == usual)
        return self._row(method, predicted, metrics)

    @property
    def _levels(self) -> Array:
        return self.dataset.attribute(self.pairs.attribute).codes[self.people.rows]

    def _row(self, method: str, predicted: Array, metrics: GroupMetrics) -> Row:
        right = predicted == self.people.labels
        worst = worst_group(right, self.people.labels, self._levels, least=MIN_PEOPLE)
        levels = self.dataset.attribute(self.pairs.attribute).levels
        return Row(
            method=method,
            accuracy=float(right.mean()),
            bias=0.0,
            placebo=None,
            excess=None,
            worst_group=worst.accuracy if worst else None,
            worst_group_name=(
                f"{self.dataset.target.levels[worst.label]}, {levels[worst.level]}" if worst else ""
            ),
            worst_group_people=worst.people if worst else 0,
            parity=metrics.demographic_parity_difference.value,
            opportunity=metrics.equal_opportunity_difference.value,
        )

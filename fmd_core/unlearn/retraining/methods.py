"""What can be trained beside a model, on the same people, and what is needed to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.models.classifier import Classifier
from fmd_core.showing import one_line
from fmd_core.unlearn.retraining import both_levels, ldr, rebias, trainer
from fmd_core.unlearn.retraining.group_dro import train_group_dro
from fmd_core.unlearn.retraining.jtt import BRIEF, train_jtt
from fmd_core.unlearn.retraining.lff import train_lff
from fmd_core.unlearn.retraining.plain import train_plain
from fmd_core.unlearn.retraining.removal import train_without_hurtful
from fmd_core.unlearn.retraining.trainer import Trainer

WhyNot = Callable[[Classifier, AttributeDataset, str], str]


def _always(classifier: Classifier, dataset: AttributeDataset, attribute: str) -> str:  # noqa: ARG001
    return ""


@dataclass(frozen=True, kw_only=True)
class RetrainingMethod:
    """A published method that makes another network of the same people."""

    name: str
    """As addresses, cells of results and tests call it."""
    title: str
    note: str
    """What it does, in a plain sentence."""
    source: str
    train: Callable[[Trainer], dict[int, Classifier]]
    """Networks by epochs, or by how many samples went; validation people choose."""
    cost: float
    """Trainings of one network that it is worth; 0 where it only fits last layers."""
    own_why_not: WhyNot = _always

    def why_not(self, classifier: Classifier, dataset: AttributeDataset, attribute: str) -> str:
        """Why it cannot be done here, in a sentence; '' where it can."""
        return trainer.why_not(classifier) or self.own_why_not(classifier, dataset, attribute)

    def __repr__(self) -> str:
        return one_line(self, self.name, self.source)


METHODS: dict[str, RetrainingMethod] = {
    method.name: method
    for method in (
        RetrainingMethod(
            name="group-dro", title="GroupDRO", cost=1.0, train=train_group_dro,
            note="A new network is trained; at every step the group that is served worst counts more.",
            source="Sagawa et al., ICLR 2020",
        ),
        RetrainingMethod(
            name="jtt", title="JTT (just train twice)", cost=1 + BRIEF, train=train_jtt,
            note="A first network is trained briefly; a second one sees the first one's mistakes more often.",
            source="Liu et al., ICML 2021",
        ),
        RetrainingMethod(
            name="lff", title="LfF (learning from failure)", cost=2.0, train=train_lff,
            note="One network learns what is easy; a second one learns most from whom the first fails.",
            source="Nam et al., NeurIPS 2020",
        ),
        RetrainingMethod(
            name="rebias", title="ReBias", cost=1.3, train=rebias.train_rebias, own_why_not=rebias.why_not,
            note="A network is trained so that its features tell nothing of what small patches of a picture tell.",
            source="Bahng et al., ICML 2020",
        ),
        RetrainingMethod(
            name="ldr", title="LDR (debiased representation)", cost=2.1, train=ldr.train_ldr,
            own_why_not=ldr.why_not,
            note="Two encoders part what a thing is from what goes with it, which is then swapped between people.",
            source="Lee et al., NeurIPS 2021",
        ),
        RetrainingMethod(
            name="removal", title="Hurtful samples removed (D3M)", cost=0.0,
            train=train_without_hurtful,
            note="Those in training that hurt the worst served groups are left out and the last layer is fitted again.",
            source="Jain et al., NeurIPS 2024",
        ),
        RetrainingMethod(
            name="both-levels", title="Trained with every level shown", cost=2.0,
            train=both_levels.train_both_levels, own_why_not=both_levels.why_not,
            note="A new network sees everybody with levels of the attribute drawn anew, so that it tells nothing.",
            source="Kaushik et al., ICLR 2020",
        ),
        RetrainingMethod(
            name="plain", title="Trained again, nothing else", cost=1.0, train=train_plain,
            note="The control: the same training once more, on the training and the external part.",
            source="the original's recipe",
        ),
    )
}  # fmt: skip


def find_retraining(name: str) -> RetrainingMethod:
    """A method by name. Raises DataError, with the names there are."""
    if name not in METHODS:
        raise DataError(f"Unknown method '{name}'. Choose one of: {', '.join(METHODS)}.")
    return METHODS[name]

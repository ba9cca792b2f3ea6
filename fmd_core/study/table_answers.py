"""What a table allows beside any fix of the model: answers averaged over the attribute, and another kind of model.

    averaged     P(y | x) = mean over every level a of P(y | x with the attribute set to a)

It can be put to use as it stands: whoever asks the model asks it once for each level. Both twins get the same answer,
so B is 0. Gradient boosting is a reference of the accuracy that the columns allow, not a fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import encode_rows
from fmd_core.study.judging import Judging
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, Sides, figures_of
from fmd_core.unlearn.deeper.choosing import DeeperPoint, choose
from fmd_core.unlearn.deeper.settings import Improve, why_only_groups

Answer = Callable[[Array, Array | None], Array]
"""P(class) (m, C) of rows (m,), with the attribute set to codes (m,) or as it is."""
SHOWN_AVERAGED = "Every level shown, then averaged over every {}"
FEWEST = 1e-12  # a chance below which logarithms say nothing


@dataclass(frozen=True, eq=False)
class TableAnswers:
    """Somebody who answers by rows."""

    name: str
    title: str
    answer: Answer
    is_reference: bool

    def judged(
        self, guards: Asked, original: Logits, judges: Asked, improve: Improve, tolerance: float
    ) -> tuple[DeeperPoint, Figures]:
        """It as validation people see it, refused where the guard of fixes refuses it, and what it does to test people
        in any case; a reference is never refused."""
        validation, test = (self._logits(people) for people in (guards, judges))
        made = {1: validation}
        allowed = 1.0 if self.is_reference else tolerance
        path = choose(guards, original, made, improve=improve, tolerance=allowed, shares=(1.0,))
        point = path.points[-1]
        point = replace(point, refusal="") if self.is_reference else point
        return point, figures_of(judges, test, guards.temperature(validation))

    def _logits(self, asked: Asked) -> Logits:
        def log(rows: Array, codes: Array | None) -> Array:
            return np.log(np.maximum(self.answer(rows, codes), FEWEST))

        def sides(pairs: CounterfactualPairs | None) -> Sides | None:
            if pairs is None:
                return None
            return log(pairs.rows, pairs.favoured_codes), log(pairs.rows, pairs.other_codes)

        return Logits(log(asked.people.rows, None), sides(asked.pairs), None)


def table_answers(study: Judging, attribute: str) -> Iterator[TableAnswers]:
    """Who answers beside the model of a study; nobody where the data are no table."""
    data = study.data
    if find_kind(data.source.kind).name != "table" or data.pair_method == "matched":
        return
    if not why_only_groups(data, attribute):
        averaged = partial(_averaged, study.model, data, attribute)
        yield TableAnswers(
            "averaged", f"Answers averaged over every {attribute}", averaged, is_reference=False
        )
    boosted = study.memory.recall(("boosting", study.subject.key), lambda: _boosted(data))
    asked = partial(_asked, boosted, data, attribute)
    yield TableAnswers("boosting", "Gradient boosting (a reference, not a fix)", asked, is_reference=True)


def averaged_answers_of(model: Classifier, data: AttributeDataset, attribute: str) -> TableAnswers:
    """Another network, as one that learned on with every level shown, asked at every level: twins get one answer."""
    answer = partial(_averaged, model, data, attribute)
    return TableAnswers("shown-averaged", SHOWN_AVERAGED.format(attribute), answer, is_reference=False)


def _averaged(
    model: Classifier,
    data: AttributeDataset,
    attribute: str,
    rows: Array,
    codes: Array | None,  # noqa: ARG001
) -> Array:
    levels = range(len(data.attribute(attribute).levels))

    def at(level: int) -> Array:
        shown = np.full(len(rows), level)
        return model.head.probabilities(encode_rows(model, data, rows, attribute=attribute, codes=shown))

    return sum((at(level) for level in levels), np.zeros(1)) / len(levels)


def _boosted(data: AttributeDataset) -> Callable[[Array], Array]:
    """Histogram gradient boosting (Ke et al., NeurIPS 2017) at scikit-learn's settings, fitted to training and external
    samples: P(class) (m, C) of inputs (m, columns)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.concatenate([data.rows("train"), data.rows("external")])
    model = HistGradientBoostingClassifier(random_state=0).fit(
        data.source.read(rows), data.target.codes[rows]
    )

    def answer(inputs: Array) -> Array:
        found = np.zeros((len(inputs), len(data.target.levels)))
        found[:, model.classes_] = model.predict_proba(inputs)
        return found

    return answer


def _asked(
    answer: Callable[[Array], Array], data: AttributeDataset, attribute: str, rows: Array, codes: Array | None
) -> Array:
    return answer(
        data.source.read(rows) if codes is None else data.source.counterfactual(rows, attribute, codes)
    )

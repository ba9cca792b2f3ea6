"""Every way to debias one trained model, each measured on the same held-out people.

`fmd_core.reproduction` runs these and writes the tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from threadpoolctl import threadpool_limits

from fmd_core.baselines import averaged_answers, group_codes, most_even, refits_on_pairs
from fmd_core.bias_functions import CounterfactualBias
from fmd_core.counterfactual import CounterfactualPairs, pair_counterfactuals, placebo_pairs
from fmd_core.curvature import fit_curvature
from fmd_core.data import AttributeDataset, FeatureSet, Split
from fmd_core.guarded_path import Guard, UnlearningPath, judge_path, solve_path
from fmd_core.heads import Head
from fmd_core.influence import bias_influence
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features
from fmd_core.networks.feature_store import FeatureStore
from fmd_core.reproduction.held_out import HeldOut, Row
from fmd_core.unlearning import USES_K, StrategyName, UnlearningInputs, unlearn

FIXED_STRENGTH = 0.1
MOST_HARMFUL = 1_000  # K of the published steps, or a tenth of the training samples if that is less
STRATEGY_ORDER: tuple[StrategyName, ...] = ("paper-remove", "paper-replace", "paper-external", "iterated")
VANILLA, REFIT, AVERAGED = "vanilla", "last-layer refit", "averaged over the attribute"
FIXED = f"iterated, strength {FIXED_STRENGTH:g}, no guard"
T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result and the seconds it took, with one thread for each matrix product: ours are small,
    and threads that wait for each other make a time that says little."""
    import scipy.optimize  # noqa: F401  so that its half second is in nobody's time

    with threadpool_limits(1, user_api="blas"):
        begun = time.perf_counter()
        return work(), time.perf_counter() - begun


@dataclass(frozen=True, eq=False)
class Experiment:
    """One model and one attribute."""

    dataset: AttributeDataset
    classifier: Classifier
    attribute: str
    tolerances: tuple[float, ...]  # accuracy that the guard lets go, as a share
    store: FeatureStore

    def rows(self) -> Iterator[Row]:
        """Every way to treat the model, vanilla first."""
        yield self._held_out.row(VANILLA, self._head)
        for strategy in STRATEGY_ORDER:
            yield from self._guarded(strategy)
        yield self._fixed()
        yield self._refit()
        if self.dataset.pair_method == "flipped":
            yield self._averaged()

    @property
    def _head(self) -> Head:
        return self.classifier.head

    def _features(self, split: Split) -> FeatureSet:
        return extract_features(self.classifier, self.dataset, split=split, store=self.store)

    def _pairs(self, split: Split) -> CounterfactualPairs:
        return pair_counterfactuals(
            self.dataset, self.classifier, split=split, attribute=self.attribute, store=self.store
        )

    def _placebo(self, people: FeatureSet) -> CounterfactualPairs | None:
        """Placebo twins, where twins are two real people."""
        if self.dataset.pair_method != "matched":
            return None
        return placebo_pairs(self.dataset, people, self.attribute, self._head)

    @cached_property
    def _held_out(self) -> HeldOut:
        people = self._features("test")
        return HeldOut(self.dataset, people, self._pairs("test"), self._placebo(people))

    @cached_property
    def _external(self) -> CounterfactualPairs:
        return self._pairs("external")

    @cached_property
    def _guard(self) -> Guard:
        people = self._features("validation")
        return Guard(people, CounterfactualBias(self._pairs("validation"), self._placebo(people)))

    @cached_property
    def _prepared(self) -> tuple[UnlearningInputs, dict[StrategyName, float]]:
        """What decides the fix, and the seconds of it that each strategy needs."""
        train, bias = self._features("train"), CounterfactualBias(self._external)
        curvature, bending = timed(lambda: fit_curvature(self._head, train, damping=self.classifier.damping))
        scores, scoring = timed(lambda: bias_influence(self._head, train, bias, curvature))
        seconds: dict[StrategyName, float] = {"paper-external": bending, "iterated": 0.0}
        seconds |= dict.fromkeys(USES_K, bending + scoring)
        return UnlearningInputs(train, bias, curvature, scores, (self._pairs("train"),)), seconds

    def _guarded(self, strategy: StrategyName) -> Iterator[Row]:
        """What the guarded path suggests, at each tolerance."""
        inputs, seconds = self._prepared
        k = min(MOST_HARMFUL, len(inputs.train) // 10) if strategy in USES_K else 0
        solutions, solving = timed(lambda: solve_path(self._head, inputs, strategy=strategy, k=k))
        for tolerance in self.tolerances:
            guard = replace(self._guard, tolerance=tolerance)
            path, judging = timed(lambda guard=guard: judge_path(solutions, guard))  # type: ignore[misc]
            yield replace(
                self._held_out.row(guarded(strategy, tolerance), path.suggested.result.head),
                seconds=seconds[strategy] + solving,
                guard_seconds=judging,
                pairs=len(inputs.bias),
                setting=_setting(path),
            )

    def _fixed(self) -> Row:
        inputs, _ = self._prepared
        found, seconds = timed(lambda: unlearn(self._head, inputs, strength=FIXED_STRENGTH))
        setting = f"strength {FIXED_STRENGTH:g}"
        row = self._held_out.row(FIXED, found.head)
        return replace(row, seconds=seconds, pairs=len(inputs.bias), setting=setting)

    def _refit(self) -> Row:
        pairs, people = self._external, self._guard.features
        groups = group_codes(people.labels, self.dataset.attribute(self.attribute).codes[people.rows])
        heads, seconds = timed(lambda: dict(refits_on_pairs(self._head, [pairs])))
        chosen, judging = timed(lambda: most_even(list(heads), people, groups))
        return replace(
            self._held_out.row(REFIT, chosen),
            seconds=seconds,
            guard_seconds=judging,
            pairs=len(pairs),
            setting=f"damping {heads[chosen]:g}",
        )

    def _averaged(self) -> Row:
        rows = self._held_out.people.rows
        answers = averaged_answers(self.classifier, self.dataset, rows, self.attribute, store=self.store)
        return self._held_out.row_of_answers(AVERAGED, answers)


def guarded(strategy: StrategyName, tolerance: float) -> str:
    """The name of what a guarded path suggests."""
    return f"{strategy}, guarded, {100 * tolerance:g} point{'s' if tolerance > 0.01 else ''}"


def _setting(path: UnlearningPath) -> str:
    chosen = path.suggested.result
    if chosen.strength == 0:
        return "left as it was"
    harmful = f"K = {chosen.k:,}, " if chosen.k else ""
    return (
        f"{harmful}strength {chosen.strength:g}, blend {chosen.blend:g}, step share {chosen.step_share:.2g}"
    )

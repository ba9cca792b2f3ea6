"""Every way to debias one trained model, each measured on the same held-out people.

`fmd_core.reproduction` runs these and writes the tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from threadpoolctl import threadpool_limits

from fmd_core.data import AttributeDataset, group_codes
from fmd_core.heads.protocol import Head
from fmd_core.method import DEFAULT_STRATEGY, Need, Strategy, strategies
from fmd_core.models.classifier import Classifier
from fmd_core.models.feature_store import FeatureStore
from fmd_core.reproduction.held_out import HeldOut, Row
from fmd_core.study.study import Study
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.baselines import (
    Baseline,
    BaselineInputs,
    averaged_answers,
    baselines,
    most_even,
)
from fmd_core.unlearn.guarded_path import Guard, UnlearningPath, judge_path
from fmd_core.unlearn.one_strength import unlearn

FIXED_STRENGTH = 0.1
MOST_HARMFUL = 1_000  # K of the published steps, or a tenth of the training samples if that is less
VANILLA, AVERAGED = "vanilla", "averaged over the attribute"
FIXED = f"{DEFAULT_STRATEGY}, strength {FIXED_STRENGTH:g}, no guard"
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
        for strategy in sorted(strategies(), key=lambda each: not each.name.startswith("paper-")):
            yield from self._guarded(strategy)
        yield self._fixed()
        for baseline in baselines():
            if baseline.published:
                yield self._simpler(baseline)
        if self.dataset.pair_method == "flipped":
            yield self._averaged()

    @property
    def _head(self) -> Head:
        return self.classifier.head

    @cached_property
    def _study(self) -> Study:
        """Who decides, guards and judges; the published scores are first-order."""
        return Study(
            self.dataset,
            self.classifier,
            aim=self.attribute,
            influence_method="first-order",
            store=self.store,
        )

    @cached_property
    def _held_out(self) -> HeldOut:
        pairs, floor = self._study.pairs("test", self.attribute), self._study.placebo("test", self.attribute)
        return HeldOut(self.dataset, self._study.features("test"), pairs, floor)

    @cached_property
    def _external(self) -> CounterfactualPairs:
        return self._study.pairs("external", self.attribute)

    @cached_property
    def _guard(self) -> Guard:
        return self._study.guard()

    @cached_property
    def _seconds(self) -> dict[Need, float]:
        """The seconds that each need of a strategy took, from features and twins on."""
        study = self._study
        for name in ("train", "external"):
            study.pairs(name, self.attribute)
        _, bending = timed(study.curvature)
        _, scoring = timed(study.scores)
        return {"curvature": bending, "scores": scoring}

    @property
    def _most_harmful(self) -> int:
        """K of whoever takes out the most harmful samples."""
        return min(MOST_HARMFUL, len(self._study.features("train")) // 10)

    def _guarded(self, strategy: Strategy) -> Iterator[Row]:
        """What the guarded path suggests, at each tolerance."""
        seconds, inputs = self._seconds, self._study.inputs(strategy=strategy)
        k = self._most_harmful if strategy.uses_k else 0
        solutions, solving = timed(lambda: self._study.solutions(strategy=strategy, k=k))
        for tolerance in self.tolerances:
            guard = replace(self._guard, tolerance=tolerance)
            path, judging = timed(lambda guard=guard: judge_path(solutions, guard))  # type: ignore[misc]
            yield replace(
                self._held_out.row(guarded(strategy.name, tolerance), path.suggested.result.head),
                seconds=_total(seconds, strategy.needs) + solving,
                guard_seconds=judging,
                pairs=len(inputs.bias),
                setting=_setting(path),
            )

    def _fixed(self) -> Row:
        inputs = self._study.inputs()
        found, seconds = timed(lambda: unlearn(self._head, inputs, strength=FIXED_STRENGTH))
        setting = f"strength {FIXED_STRENGTH:g}"
        row = self._held_out.row(FIXED, found.head)
        return replace(row, seconds=seconds, pairs=len(inputs.bias), setting=setting)

    def _simpler(self, baseline: Baseline) -> Row:
        """What a baseline makes, chosen by validation people where it offers several heads."""
        people, k = self._guard.features, self._most_harmful
        scores = self._study.scores() if "scores" in baseline.needs else None
        groups = group_codes(people.labels, self.dataset.attribute(self.attribute).codes[people.rows])
        train, damping = self._study.features("train"), self.classifier.damping
        given = BaselineInputs(self._head, train, [self._external], k, damping, scores)
        offer, seconds = timed(lambda: baseline.fitted(given))
        chosen, judging = timed(lambda: most_even(list(offer.heads), people, groups))
        return replace(
            self._held_out.row(baseline.published, chosen),
            seconds=_total(self._seconds, baseline.needs) + seconds,
            guard_seconds=judging,
            pairs=len(self._external) if "pairs" in baseline.needs else 0,
            setting=offer.heads[chosen],
        )

    def _averaged(self) -> Row:
        rows = self._held_out.people.rows
        answers = averaged_answers(self.classifier, self.dataset, rows, self.attribute, store=self.store)
        return self._held_out.row_of_answers(AVERAGED, answers)


def guarded(strategy: str, tolerance: float) -> str:
    """The name of what a guarded path suggests."""
    return f"{strategy}, guarded, {100 * tolerance:g} point{'s' if tolerance > 0.01 else ''}"


def _total(seconds: Mapping[Need, float], needs: frozenset[Need]) -> float:
    """What is needed takes that long; scores are made with the curvature."""
    first: frozenset[Need] = frozenset({"curvature"} if "scores" in needs else ())
    return sum((seconds.get(need, 0.0) for need in needs | first), 0.0)


def _setting(path: UnlearningPath) -> str:
    chosen = path.suggested.result
    if chosen.strength == 0:
        return "left as it was"
    harmful = f"K = {chosen.k:,}, " if chosen.k else ""
    return (
        f"{harmful}strength {chosen.strength:g}, blend {chosen.blend:g}, step share {chosen.step_share:.2g}"
    )

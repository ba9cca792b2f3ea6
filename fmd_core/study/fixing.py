"""Fixes of the bias: training samples and external people decide them, validation people guard them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from fmd_core.data import ignore_progress
from fmd_core.forget.erasure import Erased, Form, erase
from fmd_core.influence.removal import EXCLUSION, refit_without
from fmd_core.method import DEFAULT_STRATEGY, Strategy, find_strategy
from fmd_core.running import distributed
from fmd_core.study.people import About
from fmd_core.study.steps import Progress, in_turn, part
from fmd_core.study.teaching import Teaching
from fmd_core.unlearn.guarded_path import (
    TOLERANCE,
    Guard,
    PathPoint,
    UnlearningPath,
    judge,
    judge_path,
    solve_path,
)
from fmd_core.unlearn.rivals import default_k
from fmd_core.unlearn.strategies import UnlearningInputs, UnlearningResult


class Fixing(Teaching):
    """What decides a fix, who guards it, and what comes of it."""

    def inputs(
        self,
        about: About = None,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        progress: Progress = ignore_progress,
    ) -> UnlearningInputs:
        """What decides the fix, as far as the strategy needs it: training samples and external people."""
        aim, needs = self.aim(about), find_strategy(strategy).needs
        steps = self.measured_on("external", aim)
        if "curvature" in needs:
            steps.append(self.curvature)
        if "scores" in needs:
            steps.append(partial(self.scores, aim))
        twins = aim.attributes if "training twins" in needs else ()
        in_turn([*steps, *(partial(self.pairs, "train", name) for name in twins)], progress)
        return UnlearningInputs(
            train=self.features("train"),
            bias=self.bias("external", aim),
            curvature=self.curvature() if "curvature" in needs else None,
            scores=self.scores(aim) if "scores" in needs else None,
            train_pairs=tuple(self.pairs("train", name) for name in twins),
        )

    def guard(self, about: About = None, tolerance: float = TOLERANCE) -> Guard:
        """Who guards the fix: validation people."""
        measured = self.bias("validation", about, beyond_placebo=True)
        return Guard(self.features("validation"), measured, tolerance, self.data.target.levels)

    def _count(self, strategy: str | Strategy) -> int:
        """How many harmful samples a strategy uses where nobody says: none if it uses none."""
        return default_k(len(self.features("train"))) if find_strategy(strategy).uses_k else 0

    def solutions(
        self,
        about: About = None,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        k: int | None = None,
        progress: Progress = ignore_progress,
    ) -> tuple[UnlearningResult, ...]:
        """Every strength of one strategy, before anybody judges it."""
        aim, name = self.aim(about), find_strategy(strategy).name
        count = self._count(strategy) if k is None else k

        def make() -> tuple[UnlearningResult, ...]:
            given = self.inputs(aim, strategy, part(progress, 0.0, 0.5))
            solving = part(progress, 0.5, 1.0)
            with distributed.watched(solving):
                return solve_path(self.head, given, strategy=strategy, k=count, progress=solving)

        return self.memory.recall(self._counted("solutions", aim, name, count), make)

    def prepare_path(
        self, about: About, strategy: str | Strategy, k: int, progress: Progress = ignore_progress
    ) -> None:
        """Compute what `path` needs; `progress` may raise to stop."""
        in_turn(self.measured_on("validation", about), part(progress, 0.0, 0.3))
        self.bias("validation", about, beyond_placebo=True)  # with the placebo
        self.solutions(about, strategy, k, part(progress, 0.3, 1.0))

    def is_solved(self, about: About, strategy: str | Strategy, k: int) -> bool:
        """Whether every strength of a path costs nothing."""
        name = find_strategy(strategy).name
        return self.memory.holds(self._counted("solutions", self.aim(about), name, k))

    def path(
        self,
        about: About = None,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        k: int | None = None,
        tolerance: float = TOLERANCE,
    ) -> UnlearningPath:
        """The guarded path of one strategy: another tolerance judges again, but solves nothing."""
        aim, name = self.aim(about), find_strategy(strategy).name
        count = self._count(strategy) if k is None else k

        def make() -> UnlearningPath:
            return judge_path(self.solutions(aim, strategy, count), self.guard(aim, tolerance))

        return self.memory.recall(self._counted("path", aim, name, count, tolerance), make)

    def judged(
        self, result: UnlearningResult, about: About = None, tolerance: float = TOLERANCE
    ) -> PathPoint:
        """What validation people say of one result beside the original."""
        return judge(self.head, result, self.guard(about, tolerance))

    @property
    def untouched(self) -> UnlearningResult:
        """The original, as a result in which nothing was done."""
        return UnlearningResult(self.head, DEFAULT_STRATEGY, 0.0, 0)

    def without(self, rows: Sequence[int], what: str = "") -> UnlearningResult:
        """The last layer fitted again without training samples, by their rows in the data; `what` says it."""
        train = self.features("train")
        members = np.flatnonzero(np.isin(train.rows, rows))
        head = refit_without(self.refitted(), train, members, damping=self.model.damping)
        return UnlearningResult(head, EXCLUSION.name, 1.0, len(rows), what=what)

    def erased(self, attributes: Sequence[str], form: Form = "within class") -> Erased:
        """Attributes erased from the features of the original in closed form."""
        names = tuple(attributes)

        def make() -> Erased:
            data, model = self.data, self.model
            drawn = data.pair_method != "matched"  # then everybody can be shown with every level
            return erase(
                model.head, data, self.features("train"), names, damping=model.damping, form=form,
                twins=[self.pairs("train", name) for name in names] if drawn else (),
            )  # fmt: skip

        return self.memory.recall(self._counted("erased", names, form), make)

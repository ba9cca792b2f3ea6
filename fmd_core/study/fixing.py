"""Fixes of the bias: training samples and external people decide them, validation people guard them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from fmd_core.data import Split, ignore_progress
from fmd_core.errors import FMDError, NoTwinsError
from fmd_core.figures import with_capital
from fmd_core.forget.erasure import Erased, Form, erase
from fmd_core.heads.answering import Answering, Rays
from fmd_core.heads.protocol import Head
from fmd_core.influence.removal import EXCLUSION, refit_without
from fmd_core.measure.bias_functions import FAIRNESS_MEASURES, FairnessMeasure, predictions
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import Family, Finding, Member, Outcome
from fmd_core.method import DEFAULT_STRATEGY, Strategy, find_strategy
from fmd_core.method import strategies as every_strategy
from fmd_core.models.taught import why_no_judge
from fmd_core.running import distributed
from fmd_core.study.aim import Aim, aim_of
from fmd_core.study.memory import Key
from fmd_core.study.people import About
from fmd_core.study.steps import Progress, in_turn, part
from fmd_core.study.suggestion import Road, Suggestion, Way
from fmd_core.study.teaching import Teaching
from fmd_core.unlearn.aiming import watched_groups
from fmd_core.unlearn.guarded_path import (
    TOLERANCE,
    Guard,
    PathPoint,
    Setting,
    UnlearningPath,
    aim_path,
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
            damping=self.model.damping,
        )

    def guard(self, about: About = None, tolerance: float = TOLERANCE) -> Guard:
        """Who guards the fix: validation people, each class of each group of theirs watched."""
        measured, people = self.bias("validation", about, beyond_placebo=True), self.features("validation")
        groups = watched_groups(self.data, people, self.aim(about).attributes)
        why_not = why_no_judge(self.original.model, self.data, "validation")
        return Guard(people, measured, tolerance, self.data.target.levels, groups, why_not)

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
        goal: Goal | None = None,
    ) -> UnlearningPath:
        """The guarded path of one strategy: another tolerance judges again, but solves nothing. With a `goal` the
        strength to suggest is the cheapest that reaches it, else the best trade."""
        aim, name = self.aim(about), find_strategy(strategy).name
        count = self._count(strategy) if k is None else k

        def make() -> UnlearningPath:
            judged = judge_path(self.solutions(aim, strategy, count), self.guard(aim, tolerance))
            return judged if goal is None else aim_path(judged, self._found(aim, name, count, goal))

        return self.memory.recall(self._path_key(aim, name, count, tolerance, goal), make)

    def known_path(self, about: About, strategy: str | Strategy, k: int, tolerance: float) -> UnlearningPath:
        """The path, whatever it aims at, if one is at hand: their settings are the same."""
        plain = self._path_key(self.aim(about), find_strategy(strategy).name, k, tolerance, None)
        goals = [key[-1] for key in self.memory.held() if key[:-1] == plain[:-1]]
        aimed_at = next((goal for goal in goals if isinstance(goal, Goal)), None)
        return self.path(about, strategy, k, tolerance, aimed_at)

    def _path_key(self, aim: Aim, strategy: str, k: int, tolerance: float, goal: Goal | None) -> Key:
        return self._counted("path", aim, strategy, k, tolerance, goal)

    def _found(self, aim: Aim, strategy: str, k: int, goal: Goal) -> Mapping[Setting, Finding | None]:
        """What every setting does to a goal, whatever accuracy it may cost."""

        def make() -> Mapping[Setting, Finding | None]:
            results = self.solutions(aim, strategy, k)
            whole = [result.head for result in results if result.blend == 1]
            asked, rays = self._asked(goal, "validation"), Rays(results[0].head, whole)
            return {(r.strength, r.blend): asked(rays.told(r.head, r.blend)) for r in results}

        return self.memory.recall(self._counted("found", aim, strategy, k, goal), make)

    def _answered(self, split: Split, head: Answering) -> Answered:
        """What a head answers to one part of the data."""
        people, data = self.features(split), self.data
        said = predictions(head, people.features)
        return Answered(people.rows, people.labels, said, data.weights, data.persons)

    def reached(self, goal: Goal, split: Split, head: Head | None = None) -> Finding | None:
        """The question of a goal asked of one part of the data; None where nobody can say. Of the original where no
        head is named."""
        return self._asked(goal, split)(self.head if head is None else head)

    def worst_group_goal(self, attribute: str, limit: float) -> Goal:
        """That whoever is served worst, as those who choose say, is right no more than `limit` less often than
        everybody else. Raises DataError where nobody can say."""
        group, target = self.worst_served(attribute), self.data.target.name
        members = (Member(target, group.label), Member(attribute, group.level))
        return Goal(Family.SERVICE, (attribute,), limit, members=(members, ()))

    def _asked(self, goal: Goal, split: Split) -> Callable[[Answering], Finding | None]:
        """The question of a goal about one part of the data, to be asked of heads. Those who taught the model call
        nothing within its limit: they are answered better than others."""
        twins_of, taught = self._twins_asked(goal, split), why_no_judge(self.original.model, self.data, split)

        def asked(head: Answering) -> Finding | None:
            found = goal.measured(self.data, self._answered(split, head), twins_of(head))
            if not taught or found is None or found.outcome is not Outcome.WITHIN:
                return found
            return replace(
                found, outcome=Outcome.UNKNOWN, sentence=f"{found.sentence} {with_capital(taught)}."
            )

        return asked

    def _twins_asked(self, goal: Goal, split: Split) -> Callable[[Answering], TwinAnswers | None]:
        """What heads answer to the twins of a goal between twins; None where there are none."""
        name = goal.attributes[0]
        try:
            pairs = self.pairs(split, name) if goal.family is Family.TWINS else None
        except NoTwinsError:
            pairs = None
        if pairs is None:
            return lambda head: None  # noqa: ARG005
        floor = self.placebo(split, name)
        is_kept = name in self.told_twice()  # then the verdict does not call its twins within either
        return lambda head: TwinAnswers.of(head, pairs, floor, is_kept=is_kept)

    # --- every road

    def ways(
        self,
        goal: Goal,
        strategies: Sequence[str | Strategy] | None = None,
        depths: Sequence[str] | None = None,
    ) -> tuple[Way, ...]:
        """Every way that might bring a finding within its limit, the cheapest first: by depth, by what is aimed at
        (the finding itself, and between groups also twins, the other gap and the worst group) and by strategy."""
        own = aim_of(goal, self.data.target.levels)
        others: tuple[FairnessMeasure, ...] = ()
        if goal.family is not Family.TWINS:
            # only one of both gaps among people of one truth is about the finding
            unrelated = "equal opportunity" if own.measure == "predictive equality" else "predictive equality"
            others = tuple(measure for measure in FAIRNESS_MEASURES if measure != unrelated)
        aims = dict.fromkeys((own, *(Aim(own.attributes, measure) for measure in others)))
        names = [find_strategy(strategy).name for strategy in strategies or every_strategy()]
        opened = depths or [depth.name for depth in self.depths()]
        return tuple(Way(aim, name, depth) for depth in opened for aim in aims for name in names)

    def road(
        self,
        way: Way,
        goal: Goal,
        k: int | None = None,
        tolerance: float = TOLERANCE,
        progress: Progress = ignore_progress,
    ) -> Road:
        """How far one way leads. What cannot be tried says why."""
        count = (self._count(way.strategy) if k is None else k) if find_strategy(way.strategy).uses_k else 0
        try:
            opened = self.at(way.depth)
            opened.prepare_path(way.aim, way.strategy, count, progress)
            return Road.along(way, opened.path(way.aim, way.strategy, count, tolerance, goal))
        except FMDError as problem:
            return Road(way, why_not=str(problem))

    def is_tried(self, way: Way, goal: Goal, k: int, tolerance: float = TOLERANCE) -> bool:
        """Whether a road costs nothing."""
        opened, count = self.at(way.depth), k if find_strategy(way.strategy).uses_k else 0
        return self.memory.holds(opened._path_key(way.aim, way.strategy, count, tolerance, goal))

    def try_roads(
        self,
        goal: Goal,
        ways: Sequence[Way],
        k: int | None = None,
        tolerance: float = TOLERANCE,
        progress: Progress = ignore_progress,
    ) -> Suggestion:
        """The roads along `ways`, ranked by how cheaply they bring a finding within its limit on validation people.
        `progress` may raise to stop: what was solved until then is kept."""

        def make() -> Suggestion:
            roads = []
            for place, way in enumerate(ways):
                told = part(progress, place / len(ways), (place + 1) / len(ways))
                told(0.0)
                roads.append(self.road(way, goal, k, tolerance, told))
            return Suggestion.of(goal, self.original.reached(goal, "validation"), roads)

        return self.memory.recall(self._roads_key(goal, ways, k, tolerance), make)

    def are_tried(
        self, goal: Goal, ways: Sequence[Way], k: int | None = None, tolerance: float = TOLERANCE
    ) -> bool:
        """Whether `try_roads` costs nothing."""
        return self.memory.holds(self._roads_key(goal, ways, k, tolerance))

    def _roads_key(self, goal: Goal, ways: Sequence[Way], k: int | None, tolerance: float) -> Key:
        return self._counted("roads", goal, tuple(ways), k, tolerance)

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
            drawn = data.pair_method in (
                "generated",
                "flipped",
            )  # then everybody can be shown with every level
            return erase(
                model.head, data, self.features("train"), names, damping=model.damping, form=form,
                twins=[self.pairs("train", name) for name in names] if drawn else (),
            )  # fmt: skip

        return self.memory.recall(self._counted("erased", names, form), make)

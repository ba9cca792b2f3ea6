"""From who taught the model to what helps: what leaving samples out really does, and what a refit on twins does, to
held-out test people. Every figure comes from an exact refit of the last layer; nothing is predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fmd_core.data import group_codes, ignore_progress
from fmd_core.errors import FMDError, ModelError
from fmd_core.figures import count
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.influence.removal import refit_without
from fmd_core.influence.score_check import CONVERGED
from fmd_core.measure.comparison import Comparison
from fmd_core.showing import one_line
from fmd_core.study.aim import Aim
from fmd_core.study.judging import Judging
from fmd_core.study.memory import Key
from fmd_core.study.people import About
from fmd_core.study.steps import Progress
from fmd_core.study.subject import Named
from fmd_core.unlearn.baselines import BaselineInputs, find_baseline, most_even

StopKind = Literal["everybody again", "without the top", "without all harmful", "refit on twins"]
TWO_LAYERS = (
    "The model is open two layers deep, and two fits of two layers differ by more than what is left out; "
    "change the last layer only to see what leaving them out does."
)


@dataclass(frozen=True, eq=False)
class Stop:
    """One fix of the original model, and what it does to held-out test people."""

    kind: StopKind
    n: int
    """Training samples left out, or pairs fitted to."""
    comparison: Comparison | None
    """Original against the fix; None where it cannot be made."""
    why_not: str = ""

    def __repr__(self) -> str:
        return one_line(self, self.kind, f"n = {count(self.n)}", self.why_not or repr(self.comparison))


class Bridging(Judging):
    """Fixes on the way from harmful samples to unlearning, each of the original model."""

    def bridge(
        self, about: About = None, *, k: int, progress: Progress = ignore_progress
    ) -> tuple[Stop, ...]:
        """What becomes of test people without the `k` most harmful training samples, without all harmful ones, and
        with the last layer fitted afresh to external twins, by the scores of one question. A model that was not fitted
        to convergence moves by being fitted again, which is told first.

        `progress` is told the share that is done and may raise to stop. What is made is kept: another `k` costs one
        refit. Raises ModelError for a head of two layers.
        """
        if not isinstance(self.head, LinearHead):
            raise ModelError(TWO_LAYERS)
        asked, found = self.aim(about), []
        kinds = self._stops(asked, k)
        for place, (kind, n) in enumerate(kinds):
            progress(place / len(kinds))
            found.append(self._stop(asked, kind, n))
        return tuple(found)

    def is_bridged(self, about: About = None, *, k: int) -> bool:
        """Whether `bridge` costs nothing."""
        asked = self.aim(about)
        if not self.are_scored(asked) or not self.memory.holds(self._key("refitted")):
            return False
        return all(self.memory.holds(self._stop_key(asked, kind, n)) for kind, n in self._stops(asked, k))

    def _stops(self, asked: Aim, k: int) -> list[tuple[StopKind, int]]:
        harmful = self.scores(asked).n_harmful
        moved = np.linalg.norm(self.refitted().theta - self.head.theta)
        again: list[tuple[StopKind, int]] = [("everybody again", 0)]
        return [
            *(again if moved > CONVERGED * np.linalg.norm(self.head.theta) else ()),
            ("without the top", k),
            ("without all harmful", harmful),
            ("refit on twins", 0),
        ]

    def _stop_key(self, asked: Aim, kind: StopKind, n: int) -> Key:
        return self._counted("bridge", asked, kind, n)

    def _stop(self, asked: Aim, kind: StopKind, n: int) -> Stop:
        # of the worst group twins are refitted and compared all the same
        aim = Aim(asked.attributes) if asked.measure == "worst group" else asked
        makes: dict[StopKind, Callable[[], tuple[Head, int]]] = {
            "everybody again": lambda: (self.refitted(), 0),
            "without the top": lambda: (self._without_worst(asked, n), n),
            "without all harmful": lambda: (self._without_worst(asked, n), n),
            "refit on twins": lambda: self._refit_on_twins(aim),
        }

        def make() -> Stop:
            try:
                head, used = makes[kind]()
            except FMDError as problem:  # as where all samples of a class are harmful
                return Stop(kind, n, None, str(problem))
            return Stop(kind, used, self.comparison(Named(("bridge", asked, kind, n), lambda: head), aim))

        return self.memory.recall(self._stop_key(asked, kind, n), make)

    def _without_worst(self, asked: Aim, k: int) -> Head:
        worst = self.scores(asked).most_harmful(k)
        return refit_without(self.refitted(), self.features("train"), worst, damping=self.model.damping)

    def _refit_on_twins(self, aim: Aim) -> tuple[Head, int]:
        """The last layer fitted to external twins; of several dampings validation people choose. And how many twins."""
        pairs = [self.pairs("external", name) for name in aim.attributes]
        given = BaselineInputs(self.head, self.features("train"), pairs, 0, self.model.damping)
        offer, guards = find_baseline("refit on twins").fitted(given), self.features("validation")
        groups = group_codes(guards.labels, self.data.attribute(aim.attribute).codes[guards.rows])
        return most_even(list(offer.heads), guards, groups), offer.n

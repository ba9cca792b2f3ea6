"""Who taught the bias: external people measure it, training samples are scored by it and left out of refits."""

from __future__ import annotations

from fmd_core.data import ignore_progress
from fmd_core.heads.curvature import Curvature, fit_curvature
from fmd_core.heads.protocol import Head
from fmd_core.influence.label_doubts import LabelDoubts, label_doubts
from fmd_core.influence.removal import refit_without
from fmd_core.influence.score_check import ScoreCheck, check_scores
from fmd_core.influence.scores import InfluenceMethod, InfluenceScores, bias_influence
from fmd_core.study.people import About, People
from fmd_core.study.steps import Progress, Step, in_turn, part

LEAVE_ONE_OUT_COST = 2e9  # operations, about a second: beyond, scores are first-order


class Teaching(People):
    """What each training sample does to the bias: predicted by scores, and measured by refits without samples."""

    def curvature(self, progress: Progress = ignore_progress) -> Curvature:
        """Curvature of the training loss around the original head."""

        def make() -> Curvature:
            model, train = self.model, self.features("train", progress)
            return fit_curvature(model.head, train, damping=model.damping, progress=progress)

        return self.memory.recall(self._key("curvature"), make)

    def scores(self, about: About = None, progress: Progress = ignore_progress) -> InfluenceScores:
        """Influence of every training sample on the bias of the original model."""
        asked = self.aim(about)

        def make() -> InfluenceScores:
            needed: list[Step] = [*self.taught_on("external", asked), self.curvature]
            in_turn(needed, part(progress, 0.0, 0.5))
            return bias_influence(
                self.head, self.features("train"), self.taught("external", asked), self.curvature(),
                method=self._method(), progress=part(progress, 0.5, 1.0),
            )  # fmt: skip

        return self.memory.recall(self._counted("scores", asked, self.influence_method), make)

    def _method(self) -> InfluenceMethod:
        """Leave-one-out where it pays, unless a method was asked for."""
        if self.influence_method is not None:
            return self.influence_method
        cost = len(self.features("train")) * self.head.n_parameters**2
        pays = self.curvature().solver == "cholesky" and cost < LEAVE_ONE_OUT_COST
        return "leave-one-out" if pays else "first-order"

    def are_scored(self, about: About = None) -> bool:
        """Whether `scores` cost nothing."""
        return self.memory.holds(self._counted("scores", self.aim(about), self.influence_method))

    def score_check(self, about: About = None, *, k: int, progress: Progress = ignore_progress) -> ScoreCheck:
        """What leaving out the top `k` really does, beside the scores: test samples judge. `progress` may raise
        to stop."""
        asked = self.aim(about)

        def make() -> ScoreCheck:
            return check_scores(
                self.head, self.features("train"), self.taught("external", asked), self.scores(asked),
                held_out=self.taught("test", asked), k=k, damping=self.model.damping, progress=progress,
            )  # fmt: skip

        return self.memory.recall(self._counted("score check", asked, k), make)

    def known_score_check(self, about: About = None, *, k: int) -> ScoreCheck | None:
        """The same where it costs nothing, else None."""
        asked = self.aim(about)
        known = self.memory.holds(self._counted("score check", asked, k))
        return self.score_check(asked, k=k) if known else None

    def known_score_checks(self, about: About = None) -> tuple[ScoreCheck, ...]:
        """Every check of these scores that costs nothing, the smallest K first."""
        place = self._counted("score check", self.aim(about))
        ks = [key[-1] for key in self.memory.held() if key[:-1] == place]
        return tuple(self.score_check(about, k=k) for k in sorted(k for k in ks if isinstance(k, int)))

    def label_doubts(self, progress: Progress = ignore_progress) -> LabelDoubts:
        """Training samples whose label contradicts fits that never saw it; `progress` may raise to stop."""
        was = self.original

        def make() -> LabelDoubts:
            train, persons = was.features("train"), self.data.persons
            return label_doubts(
                was.head, train, damping=was.model.damping, progress=progress,
                persons=None if persons is None else persons[train.rows],
            )  # fmt: skip

        return self.memory.recall(was._key("label doubts"), make)

    def are_labels_doubted(self) -> bool:
        """Whether `label_doubts` cost nothing."""
        return self.memory.holds(self.original._key("label doubts"))

    def refitted(self) -> Head:
        """The original's last layer fitted to convergence: itself, unless it comes from elsewhere."""

        def make() -> Head:
            return refit_without(self.head, self.features("train"), [], damping=self.model.damping)

        return self.memory.recall(self._key("refitted"), make)

    def measured_effect(self, about: About = None, *, position: int) -> float:
        """Change of the bias on external samples when one training sample is left out of an exact refit."""
        asked = self.aim(about)

        def make() -> float:
            everybody, measured = self.refitted(), self.taught("external", asked)
            without = refit_without(everybody, self.features("train"), [position], damping=self.model.damping)
            return measured.value(without) - measured.value(everybody)

        return self.memory.recall(self._counted("measured effect", asked, position), make)

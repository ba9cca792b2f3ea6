"""One review as one object: every step is computed when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from fmd_core.data import AttributeDataset, ignore_progress
from fmd_core.errors import DataError, NoTwinsError
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Finding, Limits, Verdict
from fmd_core.method import Strategy
from fmd_core.models.classifier import Classifier
from fmd_core.report.evidence import Evidence
from fmd_core.report.twin import TwinExample, twin_example
from fmd_core.report.writing import render_report
from fmd_core.study.aim import Aim, as_aim, finding_of
from fmd_core.study.bridging import Bridging
from fmd_core.study.memory import DictMemory, Key, Memory
from fmd_core.study.people import About
from fmd_core.study.steps import Progress
from fmd_core.study.subject import Change, Subject
from fmd_core.study.suggestion import Suggestion
from fmd_core.unlearn.guarded_path import TOLERANCE, PathPoint

if TYPE_CHECKING:
    from fmd_core.influence.scores import InfluenceMethod
    from fmd_core.models.feature_store import FeatureStore

LIMIT = 0.1  # delta, as a share: bias beyond it is called so unless somebody says otherwise
TOP_K = 50  # harmful samples that a report lists


class Study(Bridging):
    """The procedure of one review: who decides, who guards, who judges, and what depends on what.

    Training samples and external people decide a fix, validation people guard it, test people judge it, and no
    step mixes them up. A step computes what it depends on, and each is computed once:

        features -> pairs -> bias -> curvature -> scores -> inputs -> path -> comparison, rivals, report

    Parameters
    ----------
    data, model : what is under review.
    aim : the bias that questions are about where they name none: an attribute, several, or an `Aim`; without it
        the first attribute of the data.
    original : the same model open at its last layer, where `model` is open deeper.
    most_unlike : match distance beyond which two real people are no twins; None: every match counts.
    left_out : pairs that do not count: attribute, and row of the person whose pair it is.
    influence_method : how training samples are scored; None: leave-one-out where it pays, else first-order.
    store : features on disk, for data that take long to read.
    memory : where results are kept, a dict or a `Memory`; one memory can serve several studies.

    Examples
    --------
        study = fmd.Study(data, model, aim="colour")
        study.scores().most_harmful(5)
        study.comparison(study.path().suggested).verdict
    """

    def __init__(
        self,
        data: AttributeDataset,
        model: Classifier,
        *,
        aim: About = None,
        original: Classifier | None = None,
        most_unlike: float | None = None,
        left_out: tuple[tuple[str, int], ...] = (),
        influence_method: InfluenceMethod | None = None,
        store: FeatureStore | None = None,
        memory: Memory | MutableMapping[Key, Any] | None = None,
    ) -> None:
        self.subject = Subject.given(data, model, original)
        self.default_aim = None if aim is None else as_aim(aim)
        self.most_unlike, self.left_out = most_unlike, left_out
        self.influence_method, self.store = influence_method, store
        given = {} if memory is None else memory
        self.memory = DictMemory(given) if isinstance(given, MutableMapping) else given

    def __repr__(self) -> str:
        return f"Study({self.data.name}, {self.model.name or self.model.architecture})"

    def suggest(
        self,
        finding: Finding | Goal | None = None,
        *,
        strategies: Sequence[str | Strategy] | None = None,
        depths: Sequence[str] | None = None,
        k: int | None = None,
        tolerance: float = TOLERANCE,
        progress: Progress = ignore_progress,
    ) -> Suggestion:
        """The cheapest setting that brings a finding within its limit on validation people, over every strategy and
        depth; where none does, the nearest. Test people say what the finding is, and choose no setting.

        Parameters
        ----------
        finding : what has to come within its limit, a finding or the question behind one; the worst of the verdict
            where it is None.
        strategies, depths : names of those to try; all that there are where None. Deep ones may take minutes.
        k : harmful samples that the strategies use that count them; the usual number where None.
        tolerance : accuracy that the guard lets a fix cost, as a share.
        progress : is told the share that is done, 0 to 1, and may raise to stop.

        Raises
        ------
        DataError
            Where nothing was found that could be aimed at, and for unknown strategies.

        Examples
        --------
            found = study.suggest()
            deep = study.at(found.best.way.depth)
            deep.comparison(found.best.best, found.best.way.aim).verdict
        """
        aimed_at = self.original.verdict().worst if finding is None else finding
        if aimed_at is None:
            raise DataError(
                "Nothing could be compared, so there is nothing to aim at; more people would help."
            )
        goal = aimed_at if isinstance(aimed_at, Goal) else Goal.of(aimed_at, self.data.references)
        return self.try_roads(goal, self.ways(goal, strategies, depths), k, tolerance, progress)

    def evidence(
        self,
        point: PathPoint | None = None,
        about: About = None,
        *,
        threshold: float = LIMIT,
        tolerance: float = TOLERANCE,
        change: Change | None = None,
        limits: Limits | None = None,
        favourable: str = "",
        references: Mapping[str, str] | None = None,
    ) -> Evidence:
        """All that a report is made from; with a point that the guard judged at `tolerance`, what that changed as
        well. `change` is the same by the name that its results are kept by. What `limits` say goes before the
        `threshold` for all differences; with the rest they are what `verdict` takes."""
        aim, was, made = self.aim(about), self.original, change or point
        limits = limits or Limits.of_points(threshold)
        scored = Aim((aim.attribute,), aim.measure)
        scores = was.scores(scored)
        verdict = was.verdict(favourable=favourable, references=references, limits=limits)
        rivals, no_rivals = ((), "") if point is None else was.rivals_or_why(aim, point.result.k or None)
        return Evidence(
            dataset=self.data,
            classifier=was.model,
            audit=was.audit(),
            threshold=limits.of_aim(aim.measure),
            scores=scores,
            top_k=min(TOP_K, len(scores.rows)),
            point=point,
            tolerance=None if point is None else tolerance,
            comparison=None if made is None else self.comparison(made, aim),
            audit_after=None if made is None else self.audit(made),
            measure=aim.measure,
            attributes=aim.attributes,
            depth=self.model.depth,
            most_unlike=self.most_unlike,
            left_out=self.left_out,
            verdict=verdict,
            verdict_after=None
            if made is None
            else self.verdict(made, favourable=favourable, references=references, limits=limits),
            was_for=None if made is None else was._meant(aim, verdict),
            twin=was._twin(verdict.attribute or aim.attribute)
            if made is None
            else self._twin(aim.attribute, made),
            rivals=rivals,
            no_rivals=no_rivals,
            checks=was.known_score_checks(scored),
        )

    def _meant(self, aim: Aim, verdict: Verdict) -> Finding | None:
        """What an aim has to bring within its limit: the worst finding that it takes out; of the worst group what test
        people say of the one that those who choose have named."""
        if aim.measure != "worst group":
            return finding_of(verdict.findings, aim, verdict.classes)
        goal = self.worst_group_goal(aim.attribute, verdict.limits.of_aim(aim.measure))
        return self.reached(goal, "test")

    def _twin(self, attribute: str, change: Change | None = None) -> TwinExample | None:
        """The held-out pair that the original answers most differently; None where there are no twins."""
        try:
            pairs = self.pairs("test", attribute)
        except NoTwinsError:
            return None
        after = None if change is None else self._named(change).make()
        return twin_example(self.head, pairs, after)

    def report(
        self,
        point: PathPoint | None = None,
        about: About = None,
        *,
        threshold: float = LIMIT,
        tolerance: float = TOLERANCE,
    ) -> str:
        """The report as one HTML page."""
        return render_report(self.evidence(point, about, threshold=threshold, tolerance=tolerance))

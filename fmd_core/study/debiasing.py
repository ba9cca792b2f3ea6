"""One fix from beginning to end: let something of the model learn on, let validation people choose, ask test people."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from fmd_core.data import Split, ignore_progress
from fmd_core.errors import DataError, ModelError, NoTwinsError
from fmd_core.heads.protocol import Head
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.verdict.values import Limits, Verdict
from fmd_core.models.classifier import Classifier
from fmd_core.models.mixture import mixed_network, why_not_mixed
from fmd_core.showing import one_line
from fmd_core.study.aim import Aim
from fmd_core.study.deeper import asked, deepen
from fmd_core.study.judging import Judging
from fmd_core.study.steps import part
from fmd_core.study.study import Study
from fmd_core.study.table_answers import table_answers
from fmd_core.unlearn.baselines import Baseline, BaselineInputs, baselines, find_baseline
from fmd_core.unlearn.deeper.answers import Figures, figures_of
from fmd_core.unlearn.deeper.choosing import DeeperPath, DeeperPoint, choose
from fmd_core.unlearn.deeper.improving import find_improvement
from fmd_core.unlearn.deeper.settings import REACHES, DeeperSettings, Improve, Reach, usual_improve
from fmd_core.unlearn.guarded_path import TOLERANCE

Change = Literal["threshold"] | Reach
CHANGES: tuple[Change, ...] = ("threshold", *REACHES)
"""What may change, the cheapest first."""
VALIDATION: tuple[Split, ...] = ("validation",)


@dataclass(frozen=True, eq=False)
class Debiased:
    """What was tried, what validation people chose of it, and what that does to test people."""

    attribute: str
    change: Change
    """What was allowed to change, one of CHANGES."""
    improve: Improve
    """What was to improve."""
    judged_by: tuple[Split, ...]
    """The parts of the data whose people chose."""
    path: DeeperPath
    network: Classifier
    """The model that was chosen: the original where nothing better is admitted."""
    before: Figures
    after: Figures
    comparison: Comparison
    verdict: Verdict
    """Of the model that was chosen: what is still beyond its limit."""
    baselines: Mapping[str, JudgedBaseline]
    """What simpler fixes do to the same people, chosen under the same guard, by name."""
    seconds: float

    def __repr__(self) -> str:
        return one_line(self, self.change, self.attribute, f"{self.before!r} to {self.after!r}")


def debias(
    study: Judging,
    attribute: str,
    *,
    change: Change = "last block",
    improve: Improve | None = None,
    tolerance: float = TOLERANCE,
    limits: Limits | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> Debiased:
    """Fix the model of a study by an attribute.

    Parameters
    ----------
    change : what may change, one of CHANGES.
    improve : one of `improving.IMPROVEMENTS`. "groups": every group of class and level counts alike; "worst group":
        the one that is answered right least often; "parity": levels get an answer equally often; "opportunity": the
        same of those whose true class it is; "twins": twins are answered alike. None: groups where nobody can be shown
        with another level (`why_only_groups`), else twins.
    tolerance : accuracy that may be lost, as a share.
    limits : from where on a difference counts in the verdict on what was chosen.
    progress : is told the share that is done, 0 to 1, and may raise to stop.

    Raises DataError for an unknown change or aim, and where all groups are too small to say which is served worst,
    which "worst group" is judged by; ModelError for a network that could not be mixed with its original,
    both before anything is trained, and what `train_deeper` raises. The original is never changed.
    """
    begun = time.perf_counter()
    if change not in CHANGES:
        raise DataError(f"Unknown change '{change}'. Choose one of: {', '.join(CHANGES)}.")
    aim = find_improvement(improve or usual_improve(study.data, attribute)).name
    if aim == "worst group":
        study.worst_served(attribute)
    if change not in ("threshold", "last layer") and (why := why_not_mixed(study.model)):
        raise ModelError(why)
    solving = part(progress, 0.0, 0.8)
    if change == "threshold":
        path, heads, _ = simpler_fixes(study, attribute, find_baseline("thresholds moved"), aim, tolerance)
        head = heads[path.chosen.steps]
        network = study.model if head is study.head else study.model.with_head(head)
        after = figures_of_head(study, attribute, head)
        judge, named, chosen_by = study, head, VALIDATION
    else:
        settings = DeeperSettings(reach=change, improve=aim)
        deepened = deepen(study, attribute, settings, tolerance=tolerance, seed=seed, progress=solving)
        path, chosen, chosen_by = deepened.path, deepened.path.chosen, deepened.judged_by
        both, named = deepened.mixed()
        network = mixed_network(study.model, deepened.repaired, chosen.share) if chosen.steps else study.model
        after = deepened.judged(chosen)
        judge = Study(
            study.data, both, original=study.model, most_unlike=study.most_unlike, left_out=study.left_out
        )
    progress(0.85)
    others = judged_baselines(study, attribute, aim, tolerance)
    return Debiased(
        attribute, change, aim, chosen_by, path, network, figures_of_head(study, attribute, study.head), after,
        judge.comparison(named, judged_aim(aim, attribute)), judge.verdict(named, limits=limits), others,
        time.perf_counter() - begun,
    )  # fmt: skip


def judged_aim(improve: Improve, attribute: str) -> Aim:
    """What test people are compared by: how far the worst group lags where it is to improve, else twins."""
    return Aim((attribute,), "worst group" if improve == "worst group" else "counterfactual")


def figures_of_head(study: Judging, attribute: str, head: Head) -> Figures:
    """What a head on the study's own features does to test people, at the temperature of validation people."""
    validation, _ = asked(study, "validation", attribute)
    heat = validation.temperature(validation.answers(head))
    test, _ = asked(study, "test", attribute)
    return figures_of(test, test.answers(head), heat)


def simpler_fixes(
    study: Judging, attribute: str, baseline: Baseline, improve: Improve, tolerance: float
) -> tuple[DeeperPath, dict[int, Head], str]:
    """Every head that a baseline offers, judged by validation people under the same guard, 0 the original; and what
    the baseline is called."""
    scores = study.scores(attribute) if "scores" in baseline.needs else None
    pairs = [study.pairs("external", attribute)] if "pairs" in baseline.needs else []
    given = BaselineInputs(study.head, study.features("train"), pairs, 0, study.model.damping, scores)
    offer = baseline.fitted(given)
    heads = dict(enumerate(offer.heads, start=1))
    people, original = asked(study, "validation", attribute)
    path = choose(
        people, original, {place: people.answers(head) for place, head in heads.items()}, improve=improve,
        tolerance=tolerance, classes=study.data.target.levels, shares=(1.0,),
    )  # fmt: skip
    return path, {0: study.head, **heads}, baseline.title.format(n=offer.n)


@dataclass(frozen=True, eq=False)
class JudgedBaseline:
    """A simpler fix of the last layer under the same guard."""

    title: str
    chosen: DeeperPoint
    """What validation people choose of it: the original where nothing better is admitted. What offers no choice is
    shown as it is, with a refusal where the guard has one."""
    after: Figures
    """What that does to test people."""
    is_reference: bool = False
    """Whether it says what accuracy can be had, and is no fix of the model."""

    def __repr__(self) -> str:
        return one_line(self, self.title, repr(self.after))


def judged_baselines(
    study: Judging, attribute: str, improve: Improve, tolerance: float, names: Collection[str] | None = None
) -> dict[str, JudgedBaseline]:
    """What simpler fixes come to, by name; of the registered ones only those in `names` where some are given. One that
    needs twins is left out where there are none. Of a table also what answers without the model's last layer."""
    found = {}
    for baseline in baselines():
        if not baseline.published or (names is not None and baseline.name not in names):
            continue
        with suppress(NoTwinsError):
            path, heads, title = simpler_fixes(study, attribute, baseline, improve, tolerance)
            after = figures_of_head(study, attribute, heads[path.chosen.steps])
            found[baseline.name] = JudgedBaseline(title, path.chosen, after)
    for other in table_answers(study, attribute):
        validation = asked(study, "validation", attribute)
        chosen, after = other.judged(*validation, asked(study, "test", attribute)[0], improve, tolerance)
        found[other.name] = JudgedBaseline(other.title, chosen, after, other.is_reference)
    return found

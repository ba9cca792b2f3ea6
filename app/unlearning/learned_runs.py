"""Networks that learned on from the model under review, which the Fix page can put on its stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app import cache
from app.cache.fixes import GUARDED_ALONE
from app.record.review import Review
from app.record.variants import Retrained
from app.session import memory, state
from app.view_models import deeper as words
from app.view_models import learning_on
from fmd_core.data import Split
from fmd_core.study.debiasing import VALIDATION
from fmd_core.study.learned import has_lost_its_choosers
from fmd_core.unlearn.deeper.choosing import SHARES, DeeperPath
from fmd_core.unlearn.deeper.settings import Improve, usual_improve


@dataclass(frozen=True)
class Run:
    """A network that learned on from the model under review."""

    variant: Retrained
    """The whole way to it."""
    improve: Improve
    """What was to improve; the usual where nobody remembers."""
    judged_by: tuple[Split, ...] = VALIDATION
    """The parts of the data whose people choose."""
    changed: str = ""
    """What was changed and how, in short; '' where nobody remembers."""


def runs(review: Review) -> list[Run]:
    """Networks that learned on from this model or were trained beside it, about the attribute under review: those on
    this machine, those in the history, and those that learned in this session; the latest that learned on last."""
    attribute, usual = state.attribute(), usual_improve(cache.dataset(review), state.attribute())
    found: dict[str, Run] = {}

    def add(run: Run) -> None:
        found.pop(run.variant.review.beside, None)
        found[run.variant.review.beside] = run

    kept = {one.id: one for one in cache.learned(review) if one.attribute == attribute}
    for one in sorted(kept.values(), key=lambda one: not one.method):  # ours come last, and are shown first
        there = replace(review, beside=one.id)
        made = Retrained(
            there, state.fix_aim(), learning_on.way_of(one), learning_on.named(one), one.tolerance
        )
        add(Run(made, one.improve, one.judged_by, learning_on.changed(one)))
    for past in state.history().kept:
        variant = past.variant
        if (
            isinstance(variant, Retrained)
            and variant.way in GUARDED_ALONE
            and variant.review.beside not in kept
        ):
            add(Run(replace(variant, share=1.0), usual))
    for trained in state.trained_here():
        if trained.learnt is not None:
            known = kept.get(trained.variant.review.beside)
            add(
                Run(
                    trained.variant,
                    trained.learnt.improve,
                    known.judged_by if known else VALIDATION,
                    learning_on.changed(known) if known else "",
                )
            )
    return [
        replace(run, variant=_today(run.variant, review))
        for run in found.values()
        if run.variant.aim.attribute == attribute
        and (run.variant.review.beside in kept or not has_lost_its_choosers(run.variant.review.beside))
    ]


def by_name(found: Sequence[Run]) -> dict[str, Run]:
    """Networks by what was done; of several by the same, as after another tolerance, the later ones are counted."""
    names: dict[str, Run] = {}
    for run in found:
        what = run.variant.what
        same = sum(other.variant.what == what for other in names.values())
        names[f"{what} ({same + 1})" if same else what] = run
    return names


def _today(variant: Retrained, review: Review) -> Retrained:
    """The same with the twins that count today, against the bias that is meant today."""
    return replace(variant, review=replace(review, beside=variant.review.beside), aim=state.fix_aim())


def in_force(run: Run, tolerance: float) -> float | None:
    """How far on the way the model in force stands; None where it is another, or the same network under another aim,
    tolerance or other data."""
    current = state.current()
    if not isinstance(current, Retrained) or replace(current, share=1.0) != replace(
        run.variant, tolerance=tolerance
    ):
        return None
    return current.share


def shares(run: Run, tolerance: float) -> tuple[float, ...]:
    """The points on the way: the usual ones, and where the model in force stands."""
    return tuple(sorted({*SHARES, in_force(run, tolerance) or 1.0}))


def path_of(run: Run, tolerance: float) -> DeeperPath:
    """What those who choose say of every point on the way to a network."""
    review = run.variant.review
    return cache.deeper_path(
        review, run.variant.aim.attribute, run.improve, tolerance, shares(run, tolerance)
    )


def put_on_stage(beside: str) -> None:
    """Let the slider of the Fix page lead to the network of this name; '' to what the last layer can do."""
    memory.put(state.NETWORK, beside)


def on_stage(review: Review) -> Run | None:
    """The network that the slider leads to, if it is one of the model under review; None: the last layer's path."""
    wanted = memory.value(state.NETWORK, "")
    if not wanted:
        return None
    return next((run for run in runs(review) if run.variant.review.beside == wanted), None)


def slider_key(run: Run) -> str:
    """Where it is kept how far on the way to a network the slider stands."""
    return f"deeper_share_{run.variant.review.beside}"


def share_on_stage(run: Run, path: DeeperPath, tolerance: float) -> float:
    """How far on the way to a network the slider stands: where it was moved, else what is in force, else our
    suggestion."""
    begins = in_force(run, tolerance)
    usual = words.stop_label(path.chosen.share if begins is None else begins)
    stops = {words.stop_label(point.share): point.share for point in path.points}
    return stops.get(str(memory.value(slider_key(run), usual)), stops[usual])

"""What was promised for the cases, and whether it came true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fmd_core.reproduction.cases import Case
from fmd_core.reproduction.cells import ORIGINAL, Cell, guarded
from fmd_core.reproduction.summary import Summary, summarise
from fmd_core.study.table_answers import SHOWN_AVERAGED
from fmd_core.unlearn.retraining.methods import METHODS

BLOCK, WHOLE = "last block", "whole network"
LITTLE, MORE = 0.001, 0.015
ROUNDING = 5e-4  # figures are told with three digits

ON_FACES = (
    "tried: four depths, 100 to 1,200 steps, a constant and a falling rate, emphasis on groups of 0.5 and 1, pictures "
    "varied up to twice as much, mixtures with the original, the mean of two networks, class frequencies given back; "
    "of the smallest group of blond hair 16 to 38 people choose (docs/deeper_tried.md)"
)
ON_SECONDS = (
    "tried: two networks at once; others kept both processors busy while this was measured, which makes a step cost "
    "up to three times as much (docs/deeper_tried.md has a quiet machine's seconds by the clock)"
)
ON_TWINS = (
    "tried: three depths, up to 3,200 steps, agreement of 0.1 to 10, batches of 64 to 256 pairs, and both levels shown "
    "from the beginning"
)


@dataclass(frozen=True)
class Aim:
    """A promise about one of `treatments`: every bound has to hold for it at once. Shares lie in [0, 1]."""

    case: str
    promise: str
    treatments: tuple[str, ...]
    accuracy: float = 0.0
    balanced: float = 0.0
    worst: float = 0.0
    bias: float = 1.0
    cost: float = 1.0
    """Accuracy that it may cost beside the original."""
    seconds: float = float("inf")
    above: tuple[str, ...] = ()
    """Treatments that it has to lie above, in accuracy and with every group counted alike."""
    fairer: tuple[str, ...] = ()
    """Treatments than which it has to have a better worst group, and be better with every group counted alike, whatever
    the accuracy of either."""
    tried: str = ""
    """What was tried where it is missed."""


@dataclass(frozen=True)
class Outcome:
    """An aim as it is written down."""

    case: str
    promise: str
    state: str
    """'met', 'missed', either of them 'by an earlier recipe', or 'not run'."""
    measured: str
    tried: str


def _both(tolerance: float) -> tuple[str, ...]:
    return guarded(WHOLE, tolerance), guarded(BLOCK, tolerance)


AIMS: tuple[Aim, ...] = (
    Aim(
        "celeba-blond", "every group alike at least 0.86 and the worst group at least 0.70, at 1.5 points of accuracy",
        _both(MORE), balanced=0.86, worst=0.70, cost=MORE, tried=ON_FACES,
    ),
    Aim(
        "celeba-blond", "the worst group at least 0.60, at 0.1 points of accuracy", _both(LITTLE), worst=0.60,
        cost=LITTLE, tried=ON_FACES,
    ),
    *(
        Aim(
            "celeba-blond",
            f"at {100 * limit:g} points of accuracy above the last-layer refit and GroupDRO at as many, in the worst "
            "group and with every group counted alike", _both(limit), tried=ON_FACES,
            fairer=(guarded("last-layer refit", limit), guarded(METHODS["group-dro"].title, limit)),
        )
        for limit in (LITTLE, MORE)
    ),
    Aim(
        "celeba-blond", "a point above the last-layer refit and GroupDRO without any guard, in accuracy and with every "
        "group counted alike", (*_both(MORE), guarded(WHOLE, None), guarded(BLOCK, None)),
        above=("last-layer refit, no guard", guarded(METHODS["group-dro"].title, None)), tried=ON_FACES,
    ),
    *(
        Aim(
            "celeba-blond", f"the {reach} within {within} of two processors, {seconds} CPU seconds",
            (guarded(reach, MORE),), seconds=seconds, tried=ON_SECONDS,
        )
        for reach, within, seconds in ((BLOCK, "a minute", 120), (WHOLE, "three minutes", 360))
    ),
    *(
        Aim(
            case, f"at {100 * limit:g} points of accuracy above GroupDRO at as many, in the worst group and with every "
            "group counted alike", _both(limit), tried=ON_FACES,
            fairer=(guarded(METHODS["group-dro"].title, limit),),
        )
        for case in ("celeba-attractive", "celeba-smiling")
        for limit in (LITTLE, MORE)
    ),
    *(
        Aim(
            f"mnist-{share}", f"the whole network at least {accuracy} at a bias of at most {bias}",
            (guarded(WHOLE, MORE),), accuracy=accuracy, bias=bias, tried=ON_TWINS,
        )
        for share, accuracy, bias in (
            ("995", 0.96, 0.02), ("99", 0.97, 0.015), ("98", 0.975, 0.012), ("95", 0.98, 0.008),
        )
    ),
    Aim(
        "mnist-995", "the last block at least 0.93 at a bias of at most 0.06 within 10 CPU seconds",
        (guarded(BLOCK, MORE),), accuracy=0.93, bias=0.06, seconds=10, tried=ON_TWINS,
    ),
    Aim("digits", "at least 0.87 at a bias of at most 0.05", _both(MORE), accuracy=0.87, bias=0.05, tried=ON_TWINS),
    Aim("faces", "at least 0.955 at a bias of at most 0.02", _both(MORE), accuracy=0.955, bias=0.02, tried=ON_TWINS),
    *(
        Aim(
            f"adult-{name}", "a bias of at most 0.004 at no loss of accuracy",
            (
                guarded(WHOLE, LITTLE), guarded(WHOLE, MORE), guarded(METHODS["both-levels"].title, LITTLE),
                SHOWN_AVERAGED.format(name),
            ), bias=0.004, cost=0.0, tried=ON_TWINS,
        )
        for name in ("sex", "race", "age")
    ),
)  # fmt: skip


def outcomes(case: Case, cells: Sequence[Cell], seeds: int) -> Iterator[Outcome]:
    """Every aim of one case. What is compared was measured in the same folds or seeds; of folds, in all of them."""
    for aim in AIMS:
        if aim.case == case.name:
            yield _outcome(aim, case, cells, seeds)


def _outcome(aim: Aim, case: Case, cells: Sequence[Cell], seeds: int) -> Outcome:
    runs = {
        name: {cell.run for cell in cells if name in _treatments(cell)}
        for name in (*aim.treatments, ORIGINAL, *aim.above, *aim.fairer)
    }
    ours = [name for name in aim.treatments if runs[name]]
    common = set.intersection(*(runs[name] for name in (*ours, ORIGINAL, *aim.above, *aim.fairer)))
    if not ours or not common or (case.folds > 1 and len(common) < case.folds):
        return Outcome(aim.case, aim.promise, "not run", "", "")
    used = [cell for cell in cells if cell.run in common]
    known = {of.treatment: of for of in summarise(case, used)}
    found = [known[name] for name in ours]
    compared = [known[name] for name in (ORIGINAL, *aim.above, *aim.fairer)]
    met = any(_holds(aim, one, known) for one in found)
    measured = "; ".join(_told(one) for one in [*found, *compared])
    if len(common) < len(case.runs(seeds)):
        measured += f" (seed{'s' * (len(common) > 1)} {', '.join(map(str, sorted(common)))} alone)"
    state, tried = ("met", "") if met else ("missed", aim.tried)
    if any(cell.is_earlier and not _treatments(cell).isdisjoint(ours) for cell in used):
        state += " by an earlier recipe"  # what is shipped today was not asked
    return Outcome(aim.case, aim.promise, state, measured, tried)


def _treatments(cell: Cell) -> set[str]:
    return {row.treatment for row in cell.rows}


def _holds(aim: Aim, of: Summary, known: Mapping[str, Summary]) -> bool:
    original, worst = known[ORIGINAL], _worst(of)
    bounds = (
        of.accuracy >= aim.accuracy - ROUNDING,
        of.balanced >= aim.balanced - ROUNDING,
        worst >= aim.worst - ROUNDING,
        aim.bias == 1.0 or (of.bias is not None and of.bias <= aim.bias + ROUNDING),
        original.accuracy - of.accuracy <= aim.cost + ROUNDING,
        of.seconds <= aim.seconds,
    )
    above, fairer = ([known[name] for name in names] for names in (aim.above, aim.fairer))
    return (
        all(bounds)
        and all(of.accuracy > rival.accuracy and of.balanced > rival.balanced for rival in above)
        and all(worst > _worst(rival) and of.balanced > rival.balanced for rival in fairer)
    )


def _worst(of: Summary) -> float:
    """Share of the worst group that is answered right; 1 where none is large enough."""
    return 1.0 if of.worst is None else of.worst.value


def _told(of: Summary) -> str:
    worst = "" if of.worst is None else f", worst {of.worst.value:.3f}"
    bias = "" if of.bias is None else f", bias {of.bias:.3f}"
    seconds = f", {of.seconds:.0f} s" if of.seconds >= 1 else ""
    return f"{of.treatment}: {of.accuracy:.3f}, alike {of.balanced:.3f}{worst}{bias}{seconds}"

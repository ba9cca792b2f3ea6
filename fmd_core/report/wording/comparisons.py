"""What a change did to the bias and to accuracy, in a sentence."""

from __future__ import annotations

from fmd_core.figures import count, counted, listed, percent, points, with_capital
from fmd_core.influence.scores import InfluenceScores
from fmd_core.measure.changes import Change
from fmd_core.measure.comparison import LOSS_TOLERANCE, Comparison
from fmd_core.report.wording.findings import problem_sentence


def bias_name(found: Comparison | InfluenceScores, called: str = "") -> str:
    """What a figure is about: 'colour bias', 'sex bias beyond the placebo', 'demographic parity gap by sex', 'loss of
    blond men'. Scores know their attribute by its name alone: `called` is what the data call it."""
    name = called or (found.called if isinstance(found, Comparison) else "") or found.attribute
    if isinstance(found, InfluenceScores) and found.people:
        return f"loss of {found.people}"
    if isinstance(found, Comparison) and found.measure == "worst group":
        return f"lag of {found.judged.who}"
    if found.measure != "counterfactual":
        return f"{found.measure} gap by {name}"
    beyond = isinstance(found, Comparison) and found.excess is not None
    return f"{name} bias{' beyond the placebo' if beyond else ''}"


def comparison_headline(comparison: Comparison) -> str:
    """Did it work, in one sentence: the verdict, the bias, accuracy, and what speaks against it."""
    bias, verdict = comparison.judged, comparison.verdict
    if verdict == "unchanged":
        return "Nothing has changed: this is the original model."
    if bias.before.value is None or bias.after.value is None:
        return problem_sentence("Whether it worked cannot be said", bias.before)
    ends = points(bias.before.value), points(bias.after.value)
    subject = f"the {bias_name(comparison)}"
    if bias.difference.excludes_zero:
        moved = f"from {ends[0]} to {ends[1]} points" if ends[0] != ends[1] else "by less than 0.1 points"
        said = f"{subject} {'rises' if (bias.difference.value or 0) > 0 else 'falls'} {moved}"
    else:
        said = f"no evidence that {subject} changes ({ends[0]} to {ends[1]} points)"
    openings = {"improved": "Improved: ", "mixed": "Mixed: ", "worse": "Worse: "}
    opening = openings.get(verdict, "Not an improvement: " if comparison.is_flatter else "")
    against = doubts(comparison) if verdict in ("mixed", "worse") or comparison.is_flatter else ()
    tail = f"; {listed(against)}" if against else ""
    joint = "but" if bias.fell and comparison.accuracy.fell else "and"
    sentence = f"{opening}{said}, {joint} {_accuracy_with_figures(comparison.accuracy)}{tail}."
    return sentence if opening else with_capital(sentence)


def doubts(comparison: Comparison) -> tuple[str, ...]:
    """What keeps a change from being an improvement beside the bias itself, a clause each."""
    found = [_flatter_clause(comparison)] if comparison.is_flatter else []
    if comparison.died:
        named = listed([comparison.classes[c] for c in comparison.died])
        found.append(f"{named} {'is' if len(comparison.died) == 1 else 'are'} never answered any more")
    if comparison.payers:
        found.append(_payers_clause(len(comparison.losers), len(comparison.payers)))
    if comparison.is_worst_group_worse:
        found.append("whoever is served worst is served worse than before")
    if comparison.measure == "counterfactual" and comparison.judged.fell and not comparison.flips.fell:
        found.append("there is no evidence that fewer decisions flip")
    if comparison.measure == "worst group" and comparison.judged.fell and not comparison.is_decisive:
        found.append(f"there is no evidence that {comparison.judged.called} are right more often")
    if not comparison.can_say_who_pays:
        found.append("there are not enough people to say who pays")
    return tuple(found)


def _payers_clause(lost: int, paid: int) -> str:
    """How many groups lost, the number that `losers_sentence` gives too, and how many of them what counts."""
    said = f"{counted(lost, 'group')} {'loses' if lost == 1 else 'lose'} accuracy"
    least = counted(round(100 * LOSS_TOLERANCE), "point")
    return said if lost == paid else f"{said}, {count(paid)} of them more than {least}"


def _flatter_clause(comparison: Comparison) -> str:
    """Why a bias that fell is no improvement by itself."""
    even = comparison.calibrated
    if even is None or even.before.value is None or even.after.value is None:
        return "there are too few validation people to say whether the answers only became flatter"
    moved = f"{points(even.before.value)} to {points(even.after.value)} points"
    said = (
        f"it rises, {moved}"
        if comparison.is_calibrated_worse
        else f"there is no evidence that it falls ({moved})"
    )
    return f"the answers became flatter, not fairer: calibrated, {said}"


def calibrated_sentence(comparison: Comparison) -> str:
    """What is judged once both models are as sure as they are right; '' where nobody asked."""
    even = comparison.calibrated
    if even is None or comparison.verdict == "unchanged":
        return ""
    if even.before.value is None or even.after.value is None:
        return problem_sentence("Calibrated bias", even.before)
    ends = f"from {points(even.before.value)} to {points(even.after.value)} points"
    does = "falls" if comparison.is_calibrated_better else "shows no evidence of a change,"
    does = "rises" if comparison.is_calibrated_worse else does
    told = "" if not comparison.is_flatter else " The answers became flatter, not fairer."
    return f"Calibrated, with both models as sure as they are right, the {bias_name(comparison)} {does} {ends}.{told}"


def still_beyond(comparison: Comparison, threshold: float) -> str:
    """A sentence if what is judged stays beyond the limit, a share, after the change; else ''. Of a lag, which is asked
    as a question too, only where its whole interval does."""
    after, is_lag = comparison.judged.after, comparison.measure == "worst group"
    least, what = (after.low, "lag") if is_lag else (after.value, "bias")
    if least is None or least <= threshold:
        return ""
    return f"The {what} is still beyond the limit of {counted(round(100 * threshold), 'point')}."


def accuracy_clause(accuracy: Change, name: str = "accuracy") -> str:
    """What happened to accuracy, under its `name`, as a part of a sentence without figures."""
    if accuracy.before.value is None or accuracy.after.value is None:
        return f"{name} cannot be said"
    if not accuracy.is_beyond_chance:
        return f"there is no evidence that {name} changes"
    return f"{name} {'falls' if accuracy.fell else 'rises'}"


def _accuracy_with_figures(accuracy: Change) -> str:
    clause = accuracy_clause(accuracy)
    if accuracy.before.value is None or accuracy.after.value is None:
        return clause
    moved = f"from {percent(accuracy.before.value)} to {percent(accuracy.after.value)}"
    return f"{clause} {moved}" if accuracy.is_beyond_chance else f"{clause} ({moved})"

"""What the account of forgetting says in words: of a pattern, of each attribute, and of what the task lost."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core.figures import count, interval, listed, percent, points, with_capital
from fmd_core.forget.forgetting import Forgetting, Reading
from fmd_core.forget.probes import Kind, ProbeResult
from fmd_core.measure.changes import Change

NEAR = 0.03
"""A reader who is above chance by no more than this tells the attribute barely; it is named wherever it decides."""
NAMED_CLASSES = 4
"""As many classes stand in a sentence with their hit rates; of more, those that lost and the one recognised least."""
READERS: dict[Kind, str] = {"linear": "a linear reader", "mlp": "a small network"}


def forgetting_sentence(found: Forgetting) -> str:
    """Whether the attributes are forgotten and what the task lost, a sentence for each."""
    return " ".join(forgetting_sentences(found))


def forgetting_sentences(found: Forgetting) -> tuple[str, ...]:
    """The same apart: of a pattern, then one for each attribute in their order, then that of the task."""
    of_pattern = [] if found.reliance is None else [_pattern_sentence(found.reliance)]
    of_attributes = [
        _attribute_sentence(*(found.reading(name, kind) for kind in READERS)) for name in found.attributes
    ]
    return *of_pattern, *of_attributes, _task_sentence(found)


def is_above_chance(result: ProbeResult) -> bool:
    """Whether a probe reads more than chance, be it ever so little: its interval lies above it."""
    return result.interval[0] > result.chance


def is_read(result: ProbeResult) -> bool:
    """Whether a probe reads more than barely: above chance, and by more than NEAR."""
    return is_above_chance(result) and result.margin > NEAR


def _attribute_sentence(linear: Reading, mlp: Reading) -> str:
    name, chance = linear.attribute, percent(linear.after.chance, 0)
    now = percent(linear.after.accuracy, 0), percent(mlp.after.accuracy, 0)
    was = percent(linear.before.accuracy, 0), percent(mlp.before.accuracy, 0)
    if is_read(linear.after):
        return (
            f"{with_capital(name)} can still be read: {READERS['linear']} tells it for {now[0]} (before {was[0]}), "
            f"{READERS['mlp']} for {now[1]} (before {was[1]}), chance {chance}."
        )
    if is_read(mlp.after):
        at = "barely above" if is_above_chance(linear.after) else "at"
        return (
            f"A linear reader is {at} chance with {name} ({now[0]}, chance {chance}), but a small network still reads "
            f"it at {now[1]} (before {was[1]})."
        )
    best = _most_read(linear.after, mlp.after)
    ends = f"{percent(best.accuracy)} ({interval(best.estimate)}"
    if not (is_read(linear.before) or is_read(mlp.before)):
        hardly = "barely" if is_above_chance(_most_read(linear.before, mlp.before)) else "not"
        return f"{with_capital(name)} could {hardly} be read to begin with: {ends}), chance {chance}."
    before = percent(max(linear.before.accuracy, mlp.before.accuracy), 0)
    if is_above_chance(best):
        return (
            f"The model can barely tell {name} any more: {ends}; before {before}), above chance, {chance}, by no more "
            f"than {points(NEAR, 0)} points."
        )
    return f"The model can no longer tell {name}: {ends}; before {before}), chance {chance}."


def _most_read(first: ProbeResult, second: ProbeResult) -> ProbeResult:
    """The probe that is surest to read something."""
    return max(first, second, key=lambda result: (is_above_chance(result), result.accuracy))


def _pattern_sentence(reliance: Change) -> str:
    was, now, moved = reliance.before, reliance.after, reliance.difference
    if was.value is None or now.value is None or moved.value is None:
        return f"How far the answers hang on {reliance.group} cannot be said: {moved.problem}."
    if reliance.fell or reliance.rose:
        said = f"The answers hang {'less' if reliance.fell else 'more'} on {reliance.group}"
    else:
        said = f"There is no evidence that the answers hang less on {reliance.group}"
    return (
        f"{said}: hiding it moves the probability of the true class by {points(was.value)} points ({interval(was)}) "
        f"before and by {points(now.value)} ({interval(now)}) after, n = {count(moved.n)}."
    )


def _task_sentence(found: Forgetting) -> str:
    accuracy, classes = found.accuracy, _classes_sentence(found.classes)
    moved, ends = accuracy.difference.value, (accuracy.before.value, accuracy.after.value)
    if moved is None or ends[0] is None or ends[1] is None:
        return f"What the task lost cannot be said: {accuracy.difference.problem}."
    way = f"from {percent(ends[0])} to {percent(ends[1])}"
    if not accuracy.is_beyond_chance:
        said = f"There is no evidence that the task lost or gained ({way})"
    else:
        said = f"The task {'lost' if moved < 0 else 'gained'} {points(abs(moved))} points ({way})"
    if found.majority is not None:
        said += f"; always answering “{found.majority_class}” is right for {percent(found.majority)}"
    return f"{said}. {classes}".rstrip()


def _classes_sentence(classes: Sequence[Change]) -> str:
    """Hit rates before and after: overall accuracy says little of a rare class."""
    known = [change for change in classes if change.after.value is not None]
    if not classes:
        return ""
    if not known:
        return "How many of each class are recognised cannot be said: there are too few people."
    if len(classes) <= NAMED_CLASSES:
        return f"Recognised: {'; '.join(_hit_rates(change) for change in classes)}."
    least = min(known, key=lambda change: change.after.value or 0.0)
    said = f"Recognised least of {len(classes)} classes: {_hit_rates(least)}."
    lost = [change for change in known if change.fell]
    if lost:
        named = listed([_hit_rates(change) for change in lost[:NAMED_CLASSES]])
        more = f", and {len(lost) - NAMED_CLASSES} more" if len(lost) > NAMED_CLASSES else ""
        said += f" Recognised less often than before: {named}{more}."
    return said


def _hit_rates(change: Change) -> str:
    if change.before.value is None or change.after.value is None:
        return f"{change.who}, too few people to say (n = {count(change.before.n)})"
    ends = f"from {percent(change.before.value)} to {percent(change.after.value)}"
    return f"{change.who} {ends} (n = {count(change.before.n)})"

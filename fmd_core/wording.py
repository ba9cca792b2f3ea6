"""Figures in words: one place for number formats and for what a result means in a sentence.

Shares are written in percent, differences of shares in percentage points.
"""

from __future__ import annotations

from fmd_core.bias import AttributeBias
from fmd_core.comparison import Change, Comparison
from fmd_core.guarded_path import UnlearningPath
from fmd_core.intervals import Estimate
from fmd_core.unlearning import USES_K, StrategyName

STRATEGY_TITLES: dict[StrategyName, str] = {
    "iterated": "Learn from twins (iterated)",
    "paper-remove": "Forget harmful samples (paper-remove)",
    "paper-replace": "Swap harmful samples for twins (paper-replace)",
    "paper-external": "One step on the twins (paper-external)",
}
STRATEGY_NOTES: dict[StrategyName, str] = {
    "iterated": "Refits the last layer on twin pairs until it answers both sides alike. The default.",
    "paper-remove": "One Newton step that takes the top-K harmful training samples out of the last layer.",
    "paper-replace": "One Newton step that puts each top-K harmful sample's twin in its place.",
    "paper-external": "One Newton step on twin pairs; needs no training samples.",
}


def points(share: float, digits: int = 1) -> str:
    """A difference of shares in percentage points: 0.588 is '58.8'."""
    text = f"{100 * share:.{digits}f}"
    return signed(text.removeprefix("-") if float(text) == 0 else text)


def signed(text: str) -> str:
    """The same text with a true minus sign."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text


def percent(share: float, digits: int = 1) -> str:
    """A share in percent: 0.588 is '58.8 %'."""
    return f"{points(share, digits)} %"


def in_hundred(share: float) -> str:
    """A share of people: 0.588 is '59 in 100'."""
    return f"{100 * share:.0f} in 100"


def figure(estimate: Estimate, *, difference: bool = False) -> str:
    """'58.8 (54.8 to 62.9)', or why there is no figure."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.problem
    mark = "+" if difference and round(100 * estimate.value, 1) > 0 else ""
    return f"{mark}{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def attribute_verdict(audit: AttributeBias, threshold: float) -> str:
    """Three words or so on one attribute at threshold delta."""
    bias = audit.bias
    if bias.value is None or bias.low is None or bias.high is None:
        return bias.problem
    if bias.low > threshold:
        return "biased"
    return "within the limit" if bias.high <= threshold else "too close to call"


def attribute_headline(audit: AttributeBias, threshold: float) -> str:
    """The finding on one attribute in one short sentence."""
    verdict = attribute_verdict(audit, threshold)
    if verdict == "biased":
        return f"This model decides by {audit.attribute}."
    if verdict == "within the limit":
        return f"{audit.attribute.capitalize()} hardly matters to this model."
    if verdict == "too close to call":
        return f"Whether {audit.attribute} matters more than the limit is too close to call."
    return f"There are {verdict.replace('not enough', 'too few')} about {audit.attribute}."


def attribute_sentence(audit: AttributeBias) -> str:
    """What changing only the attribute does, with interval and number of people."""
    bias, flips = audit.bias, audit.flips
    if bias.value is None or bias.low is None or bias.high is None:
        return f"{audit.attribute.capitalize()}: {bias.problem}."
    sentence = (
        f"Changing only the {audit.attribute} changes the answer by {points(bias.value)} points "
        f"(95 % interval {points(bias.low)} to {points(bias.high)}, n = {bias.n})"
    )
    if flips.value is None:
        return f"{sentence}."
    return f"{sentence}; for {in_hundred(flips.value)} it flips the decision."


def comparison_headline(comparison: Comparison) -> str:
    """Did it work, in one sentence."""
    bias, accuracy = comparison.bias, comparison.accuracy
    if comparison.verdict == "unchanged":
        return "Nothing has changed: this is the original model."
    if bias.before.value is None or bias.after.value is None:
        return f"Whether it worked cannot be said: {bias.before.problem}."
    moved = f"from {points(bias.before.value)} to {points(bias.after.value)} points"
    opening = {
        "improved": f"The {comparison.attribute} bias falls {moved}",
        "worse": f"The {comparison.attribute} bias rises {moved}",
        "no evidence": f"No evidence that the {comparison.attribute} bias changes ({moved})",
    }[comparison.verdict]
    return f"{opening}, {_accuracy_clause(accuracy)}."


def _accuracy_clause(accuracy: Change) -> str:
    if accuracy.before.value is None or accuracy.after.value is None:
        return "and accuracy cannot be said"
    moved = f"from {percent(accuracy.before.value)} to {percent(accuracy.after.value)}"
    if not accuracy.difference.excludes_zero:
        return f"and accuracy holds ({moved})"
    rose = (accuracy.difference.value or 0) > 0
    return f"and accuracy {'rises' if rose else 'falls'} {moved}"


def losers_sentence(comparison: Comparison) -> str:
    """Who pays, in one sentence."""
    measurable = [c for c in comparison.groups if c.difference.value is not None]
    unknown = len(comparison.groups) - len(measurable)
    tail = f" For {unknown} more there are not enough people to say." if unknown else ""
    if not comparison.losers:
        return f"None of {len(measurable)} groups lost accuracy beyond its interval.{tail}"
    names = ", ".join(
        f"{c.group} ({figure(c.difference, difference=True)} points)" for c in comparison.losers
    )
    return f"{len(comparison.losers)} of {len(measurable)} groups lost accuracy: {names}.{tail}"


def strength_label(strength: float) -> str:
    """A strength as the slider shows it."""
    return "0 (original)" if strength == 0 else f"{strength:g}"


def setting(strategy: StrategyName, strength: float, k: int, blend: float) -> str:
    """Strategy and settings of one unlearning."""
    if strength == 0:
        return "the original model"
    parts = [STRATEGY_TITLES[strategy], f"strength {strength:g}"]
    if strategy in USES_K:
        parts.append(f"K = {k}")
    if blend < 1:
        parts.append(f"{100 * blend:.0f} % of the way")
    return ", ".join(parts)


def suggestion_reason(path: UnlearningPath) -> str:
    """Why the guarded path suggests what it suggests."""
    best, start = path.suggested, path.original
    refused = [p for p in (*path.points, *path.blends) if p.refusal]
    rule = (
        f"On {path.people} validation people accuracy may fall by at most {100 * path.tolerance:g} points, "
        "no class by more than 5, and the bias may not rise."
    )
    if best is start:
        return f"{rule} No strength is allowed or better, so we suggest to leave the model as it is."
    out = (
        f" {len(refused)} of {len(path.points) + len(path.blends)} tried settings break that rule."
        if refused
        else ""
    )
    return (
        f"{rule}{out} Among the rest this one trades best: bias {points(start.bias)} to {points(best.bias)} "
        f"points, accuracy {percent(start.accuracy)} to {percent(best.accuracy)} on those people."
    )

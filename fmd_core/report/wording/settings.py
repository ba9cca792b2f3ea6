"""How a variant is made, what the guard allows, and why a setting is suggested, in a sentence."""

from __future__ import annotations

from fmd_core.figures import count, counted, many, percent, points
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.method import Strategy, find_strategy
from fmd_core.unlearn.guarded_path import UnlearningPath
from fmd_core.unlearn.strategies import UnlearningResult


def strategy_note(strategy: str | Strategy, measure: FairnessMeasure) -> str:
    """What a strategy does, in a sentence or two."""
    found = find_strategy(strategy)
    if measure == "worst group":
        return found.worst_note or found.note
    return found.note if measure == "counterfactual" else found.group_note or found.note


def setting(strategy: str | Strategy, strength: float, k: int, blend: float) -> str:
    """Strategy and settings of one unlearning along a path."""
    if strength == 0:
        return "the original model"
    found = find_strategy(strategy)
    parts = [found.title, f"{found.strength_name} {strength:g}"]
    if found.uses_k:
        parts.append(f"K = {k}")
    if blend < 1:
        parts.append(f"{100 * blend:.0f} % of the way")
    return ", ".join(parts)


def made(result: UnlearningResult) -> str:
    """How a variant was made, in words: its own, or strategy and settings; and how far its step was shortened."""
    if result.what:
        return result.what
    said, share = setting(result.strategy, result.strength, result.k, result.blend), result.step_share
    if share == 1 or result.strength == 0:
        return said
    shortened = percent(share, digits=1 if share >= 0.01 else 3)
    return f"{said}, of a step shortened to {shortened} of the published one"


def guard_refusal(refusal: str) -> str:
    """That the guard refuses a setting, and why."""
    return f"The guard refuses this: {refusal}, on the validation part."


def guard_rule(path: UnlearningPath, unit: str) -> str:
    """What the guard allows on a path; `unit` is what each of the people who guard it is called."""
    return (
        f"On {count(path.people)} validation {many(unit)} accuracy may fall by at most "
        f"{counted(100 * path.tolerance, 'point')} overall, no class by more than 5 or be given up, and the bias "
        "may not rise."
    )


def suggestion_reason(path: UnlearningPath, unit: str) -> str:
    """Why the guarded path suggests what it suggests."""
    best, start = path.suggested, path.original
    refused = [p for p in (*path.points, *path.blends) if p.refusal]
    rule = guard_rule(path, unit)
    if best is start:
        return (
            f"{rule} No strength is allowed and better, so we suggest to leave the model as it is. Another way to "
            "unlearn, more layers or feature unlearning may do better."
        )
    tried = len(path.points) + len(path.blends)
    breaks = "breaks" if len(refused) == 1 else "break"
    out = (
        f"{len(refused)} of {tried} tried settings {breaks} that rule. Of the rest"
        if refused
        else "Of all tried settings"
    )
    return (
        f"{rule} {out} we suggest the one that trades best, a point of bias counting as much as two points of "
        f"accuracy: bias from {points(start.bias)} to {points(best.bias)} points, counted in decisions from "
        f"{points(start.decided)} to {points(best.decided)}, accuracy from {percent(start.accuracy)} to "
        f"{percent(best.accuracy)}. The larger of both counts: a model that only becomes unsure earns nothing."
    )

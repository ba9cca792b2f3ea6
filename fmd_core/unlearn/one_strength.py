"""One strategy asked for one strength, or made ready for many: requests are checked here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fmd_core.errors import DataError
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import CounterfactualBias
from fmd_core.method import DEFAULT_STRATEGY, Mover, Need, Strategy, find_strategy
from fmd_core.unlearn.strategies import UnlearningInputs, UnlearningResult

LACKS: dict[Need, tuple[Callable[[UnlearningInputs], bool], str]] = {
    "pairs": (
        lambda inputs: not all(isinstance(part, CounterfactualBias) for part in inputs.bias.parts),
        "a bias between twins, and this is a gap between groups; choose another strategy",
    ),
    "curvature": (
        lambda inputs: inputs.curvature is None,
        "the curvature of the training loss (curvature); give it",
    ),
    "scores": (
        lambda inputs: inputs.scores is None,
        "the training samples' influence on the bias (scores); give it",
    ),
    "training twins": (
        lambda inputs: len(inputs.train_pairs) < len(inputs.bias.parts),
        "the training samples' own twins (train_pairs); give them",
    ),
}
"""When a need is not met, and what to say then."""


def unlearn(
    head: Head,
    inputs: UnlearningInputs,
    *,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    strength: float = 0.1,
    k: int = 0,
) -> UnlearningResult:
    """One unlearning at one strength; `k` counts harmful samples where the strategy uses them.

    `head` itself is never changed. Without a guard: see `unlearning_path` for that.

    Parameters
    ----------
    head
        The head to change.
    inputs
        Pairs, curvature, scores: what the strategy needs of them is checked.
    strategy
        A name of `strategies`, or a value.
    strength
        0 (the head as it is) or more; what 1 means depends on the strategy.
    k
        How many of the most harmful training samples, 0 to all.

    Raises
    ------
    DataError
        For an unknown strategy, a strength or K that makes no sense, an input that is missing or of another head.
    SolverError
        Where the head cannot be found.
    """
    chosen = check_request(inputs, strategy, strength, k)
    mover = prepare(head, inputs, strategy=chosen, k=k)
    return UnlearningResult(mover.move(strength, head), chosen.name, strength, k, step_share=mover.step_share)


def prepare(head: Head, inputs: UnlearningInputs, *, strategy: str | Strategy, k: int) -> Mover:
    """Do once what every strength needs. Raises DataError where an input is missing or of another head."""
    chosen, curvature = find_strategy(strategy), inputs.curvature
    if curvature is not None and curvature.head_fingerprint != head.fingerprint:
        raise DataError("The curvature and scores belong to another head; make them for the head at hand.")
    if chosen.uses_k and k == 0:
        return Mover(lambda strength, start: head)  # noqa: ARG005
    for need, (is_missing, wanted) in LACKS.items():
        if need in chosen.needs and is_missing(inputs):
            raise DataError(f"{chosen.name} needs {wanted}.")
    return chosen.prepare(head, inputs, k)


def check_request(inputs: UnlearningInputs, strategy: str | Strategy, strength: float, k: int) -> Strategy:
    """Refuse a strategy, strength or K that makes no sense, in words."""
    chosen = find_strategy(strategy)
    if not (np.isfinite(strength) and strength >= 0):
        raise DataError(f"Strength must be a number of 0 or more, got {strength}.")
    if not 0 <= k <= len(inputs.train):
        raise DataError(
            f"K = {k} is not possible: choose K between 0 and the {len(inputs.train)} training samples."
        )
    return chosen

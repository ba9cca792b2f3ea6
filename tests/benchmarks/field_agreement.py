"""Do the scores say what leaving samples out really does? Ours and the field's, on the same head and rows.

    python tests/benchmarks/field_agreement.py [--quick]

Truth is the last layer refitted to convergence without the samples, in float64. Nothing is asserted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import LinearHead, bias_influence, fit_curvature
from fmd_core.data import Array
from fmd_core.influence.removal import predict_removal, refit_without, whole_curvature
from tests.benchmarks import digits
from tests.benchmarks.digits import Problem
from tests.benchmarks.peers import PEERS, Peer, Question
from tests.benchmarks.timing import Aim, Report, clocked, duration, one_thread, progress, results_folder

TOP = 200
AGREEMENT = {"leave one out": 0.99, "groups of 1 %": 0.99, "half left out": 0.95}
"""What is aimed at, Spearman with the refits."""


@dataclass(frozen=True)
class Sizes:
    """How many groups of each kind are refitted."""

    singles: int
    hundredths: int
    halves: int


FULL, QUICK = Sizes(150, 40, 30), Sizes(6, 5, 4)


def main(*, quick: bool = False, folder: Path | None = None, peers: Sequence = PEERS) -> list[Aim]:
    """Measure, print, write, and say which aims are met."""
    report = Report("Agreement of the scores with leaving samples out")
    progress("the problem")
    problem = digits.load(quick=quick)
    folder = folder or results_folder(quick=quick)
    report.machine(quick=quick)
    groups = drawn_groups(len(problem.train), QUICK if quick else FULL)
    precise = problem.precise()
    base = refit_without(problem.head, precise.train, [], damping=problem.damping)
    truths = {kind: true_effects(precise, base, found, kind) for kind, found in groups.items()}
    rows, aims = ours(problem, groups, truths)
    for peer in peers:
        rows.append(peer_row(peer, problem, groups, truths))
    sizes = ", ".join(f"{len(found)} of {kind}" for kind, found in groups.items())
    report.table(
        f"Spearman with exact refits on {problem.name}, {problem.head.n_parameters} parameters of the head",
        ["scores", *groups, "time"],
        rows,
        f"Random groups: {sizes}. A group's prediction is the sum of its samples' scores, and for the step with the "
        "curvature of the kept samples the change of B that the step makes. Time: from features to all scores, once.",
    )
    report.write(folder, "field_agreement")  # whoever stops it keeps what there is
    aims += top_removal(report, problem, precise, base)
    report.aims(aims)
    report.write(folder, "field_agreement")
    return aims


def drawn_groups(n: int, sizes: Sizes) -> dict[str, list[Array]]:
    """Random groups of samples to leave out, by kind."""
    rng = np.random.default_rng(0)
    counts = (sizes.singles, 1), (sizes.hundredths, max(1, n // 100)), (sizes.halves, n // 2)
    drawn = [[rng.choice(n, k, replace=False) for _ in range(count)] for count, k in counts[1:]]
    singles = [np.array([i]) for i in rng.choice(n, sizes.singles, replace=False)]
    return dict(zip(AGREEMENT, [singles, *drawn], strict=True))


def true_effects(precise: Problem, base: LinearHead, groups: list[Array], kind: str) -> Array:
    """Change of B by refits without each group."""
    progress(f"{len(groups)} refits: {kind}")
    before = precise.bias.value(base)
    refits = (refit_without(base, precise.train, members, damping=precise.damping) for members in groups)
    return np.array([precise.bias.value(head) for head in refits]) - before


def ours(
    problem: Problem, groups: dict[str, list[Array]], truths: dict[str, Array]
) -> tuple[list, list[Aim]]:
    """Our rows, and whether they are as good as was promised."""
    progress("our scores")
    head, train, damping = problem.head, problem.train, problem.damping

    def scored(method: str) -> Callable[[], Array]:
        def work() -> Array:
            curvature = fit_curvature(head, train, damping=damping, solver="cholesky")
            return bias_influence(head, train, problem.bias, curvature, method=method).removal_effect

        return work

    rows, agreement = [], {}
    for name, method in (
        ("ours, exact curvature", "first-order"),
        ("ours, leave-one-out curvature", "leave-one-out"),
    ):
        scores, seconds = clocked(scored(method))
        sums = {kind: np.array([scores[m].sum() for m in found]) for kind, found in groups.items()}
        agreement[name] = {kind: spearman(sums[kind], truths[kind]) for kind in groups}
        rows.append((name, *map(digits3, agreement[name].values()), duration(seconds)))
    stepped, seconds = clocked(
        lambda: {kind: steps(problem.precise(), found) for kind, found in groups.items()}
    )
    name = "ours, a step with the curvature of the kept samples"
    agreement[name] = {kind: spearman(stepped[kind], truths[kind]) for kind in groups}
    each = duration(seconds / sum(map(len, groups.values())))
    rows.append((name, *map(digits3, agreement[name].values()), f"{each} a group"))
    judged = dict.fromkeys(groups, "ours, exact curvature") | {"half left out": name}
    return rows, [
        Aim(
            f"Spearman with refits, {kind}: at least {least} ({judged[kind].removeprefix('ours, ')})",
            agreement[judged[kind]][kind] >= least,
            digits3(agreement[judged[kind]][kind]),
        )
        for kind, least in AGREEMENT.items()
    ]


def steps(problem: Problem, groups: list[Array]) -> Array:
    """Change of B by `predict_removal` of each group."""
    whole, before = whole_curvature(problem.head, problem.train), problem.bias.value(problem.head)
    heads = (
        predict_removal(problem.head, problem.train, members, damping=problem.damping, whole=whole)
        for members in groups
    )
    return np.array([problem.bias.value(head) for head in heads]) - before


def peer_row(peer: Peer, problem: Problem, groups: dict[str, list[Array]], truths: dict[str, Array]) -> tuple:
    """One of the field, or why there is no figure."""
    progress(peer.name)
    nothing = ["–"] * len(groups)
    if peer.missing:
        return (peer.name, *nothing, peer.missing)
    try:
        score(peer, problem.small())
        scores, seconds = clocked(lambda: score(peer, problem))
    except Exception as error:  # whatever a library raises goes into the table
        return (peer.name, *nothing, f"Did not run: {type(error).__name__}: {str(error)[:120]}")
    found = [
        digits3(spearman(np.array([scores[m].sum() for m in members]), truths[kind]))
        for kind, members in groups.items()
    ]
    return (peer.name, *found, duration(seconds))


def score(peer: Peer, problem: Problem) -> Array:
    question = Question.of(problem.head, problem.pairs)
    return peer.scores(problem.head, problem.train, question, problem.damping)


def top_removal(report: Report, problem: Problem, precise: Problem, base: LinearHead) -> list[Aim]:
    """The most harmful samples left out together: predicted and true."""
    progress("the most harmful left out")
    head, train, damping = problem.head, problem.train, problem.damping
    k = min(TOP, len(train) // 10)
    curvature = fit_curvature(head, train, damping=damping, solver="cholesky")
    scores = bias_influence(head, train, problem.bias, curvature)
    worst = scores.most_harmful(k)
    before = precise.bias.value(base)
    refit, refit_seconds = clocked(lambda: refit_without(head, train, worst, damping=damping))
    truth = precise.bias.value(refit) - before
    step, step_seconds = clocked(lambda: predict_removal(head, train, worst, damping=damping))
    share = np.full(k, 1 / len(train))
    old = head.moved(curvature.solve(head.loss_gradient(train.features[worst], train.labels[worst], share)))
    predicted = {
        "scores added up (first order)": (float(scores.removal_effect[worst].sum()), ""),
        "a step with the curvature of all samples": (precise.bias.value(old) - before, ""),
        "a step with the curvature of the kept samples": (
            precise.bias.value(step) - before,
            duration(step_seconds),
        ),
        "exact refit": (truth, duration(refit_seconds)),
    }
    report.table(
        f"Leaving out the {k} most harmful of {len(train):,}: change of B, from {before:.4f}",
        ["how", "change of B", "off the truth", "time"],
        [
            (name, f"{value:+.4f}", f"{value / truth - 1:+.1%}", spent)
            for name, (value, spent) in predicted.items()
        ],
    )
    off = abs(predicted["a step with the curvature of the kept samples"][0] / truth - 1)
    return [
        Aim(
            f"Effect of removing the top {k} predicted within 10 % of the truth", off <= 0.1, f"{off:.1%} off"
        )
    ]


def spearman(a: Array, b: Array) -> float:
    return float(spearmanr(a, b).statistic)


def digits3(value: float) -> str:
    return f"{value:.3f}"


if __name__ == "__main__":
    one_thread()
    main(quick="--quick" in sys.argv)

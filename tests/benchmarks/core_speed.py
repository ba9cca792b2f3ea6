"""How fast the core is, beside what others do, in one run: `make bench`.

    python tests/benchmarks/core_speed.py [--quick]

Prints Markdown tables and leaves them in tests/benchmarks/results/. Nothing is asserted:
the machine is shared, so read the ratios, which are measured in turns, before the times. Where
other work holds the CPUs, BLAS threads wait for each other: OPENBLAS_NUM_THREADS=1 is then steadier.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import (
    AttributeDataset,
    Column,
    CounterfactualBias,
    CounterfactualPairs,
    FeatureSet,
    Guard,
    LinearHead,
    UnlearningInputs,
    UnlearningResult,
    audit_bias,
    bias_changes,
    bias_influence,
    compare,
    counterfactual_bias_gradient,
    extract_features,
    fit_curvature,
    judge_path,
    load_dataset,
    load_demo_classifier,
    pair_counterfactuals,
    unlearn,
    unlearning_path,
)
from fmd_core.data import Array
from fmd_core.heads.curvature import DENSE_PARAMETERS, Curvature, Solver
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.unlearn.guarded_path import BLENDS
from fmd_core.unlearn.one_strength import prepare
from tests.benchmarks.baselines import GradientSimilarity, autograd_hessian_seconds, published_step
from tests.benchmarks.timing import (
    Report,
    Timing,
    duration,
    peak_rss,
    progress,
    results_folder,
    side_by_side,
    timed,
    times,
)

N, D = 162_770, 512  # the training people of CelebA, features of a ResNet-18
FITTED_ON = 20_000
DAMPING = 1e-3
SCALED_TO = 500  # pairs
MANY, FEW = 5_000, 500
PEOPLE, NARROW, ATTRIBUTES = 20_000, 128, 40


def main(*, quick: bool = False, folder: Path | None = None) -> None:
    """Measure everything."""
    logging.disable(logging.WARNING)
    report, folder = Report("Speed of the core"), folder or results_folder(quick=quick)
    report.machine(quick=quick)
    shape = (6_000, 32) if quick else (N, D)
    features = np.random.default_rng(0).standard_normal(shape, dtype="float32")
    features.flags.writeable = False
    for n_classes in (2, 10):
        large(report, features, n_classes)
        report.write(folder, "core_speed")  # whoever stops it keeps what there is
    measuring(report, features)
    report.write(folder, "core_speed")
    demo(report)
    report.table(
        "Memory", ["what", "measured"], [("peak of the whole run, torch and captum included", peak_rss())]
    )
    report.write(folder, "core_speed")


def large(report: Report, features: Array, n_classes: int) -> None:
    """Synthetic features as many as CelebA has."""
    n, d = features.shape
    progress(f"{n:,} x {d}, {n_classes} classes: fitting a head")
    head, train, direction = planted(features, n_classes)
    pairs = {m: shifted_pairs(train, direction, m) for m in (FEW, MANY)}
    scored = scoring(report, f"{n:,} x {d} float32, {n_classes} classes", head, train, pairs)
    progress("one re-solve")
    inputs = {
        m: UnlearningInputs(train, CounterfactualBias(p), scored["curvature"], scored["scores"], (p,))
        for m, p in pairs.items()
    }
    solves = {f"{m:,} pairs": lambda m=m: unlearn(head, inputs[m], strength=0.1) for m in pairs}
    rows = [(name, timing) for name, timing in side_by_side(solves).items()]
    report.table(
        f"One re-solve of `iterated`, {n_classes} classes, d = {d}", ["external pairs", "from cold"], rows
    )
    if n_classes == 2:
        published(report, head, train, pairs[FEW], scored, pairs_run=1, autograd_rows=4)
        quarter = train.subset(slice(0, n // 4))
        similarity(report, f"{n:,} x {d}, 2 classes", head, train, pairs[FEW], scored, quarter)


def measuring(report: Report, features: Array) -> None:
    """What judges a path, audits many attributes and compares two heads by them; docs/benchmarks.md has what each of
    these took before it was changed."""
    rows = []
    for n_classes in (2, 10):
        progress(f"judging a path, {n_classes} classes")
        head, people, direction = planted(features[:PEOPLE], n_classes)
        guard = Guard(people, CounterfactualBias(shifted_pairs(people, direction, len(people))))
        steps = np.random.default_rng(0).standard_normal((10, head.n_parameters)) / 100
        results = [UnlearningResult(head, "iterated", 0.0, 0)]
        for number, step in enumerate(steps, start=1):
            results.append(UnlearningResult(head.moved(number * step), "iterated", number / 10, 0))
            blends = ((share, head.moved(share * number * step)) for share in BLENDS)
            results += [UnlearningResult(one, "iterated", number / 10, 0, share) for share, one in blends]
        took = timed(lambda results=results, guard=guard: judge_path(tuple(results), guard))
        rows.append(
            (f"`judge_path`, {len(results)} points, {n_classes} classes, d = {head.n_features}", took)
        )
    progress("auditing many attributes")
    dataset, people, twins = many_attributes(features[:PEOPLE, :NARROW])
    head, _, _ = planted(people.features, 2)
    after = head.moved(np.full(head.n_parameters, 1e-3))
    given = [(pairs, None) for pairs in twins]
    steps = {
        f"`audit_bias`, {ATTRIBUTES} attributes, d = {NARROW}": lambda: audit_bias(
            head, dataset, people, twins
        ),
        f"`bias_changes`, {ATTRIBUTES} attributes, d = {NARROW}": lambda: bias_changes(
            head, after, dataset, people, given
        ),
    }
    rows += side_by_side(steps).items()
    report.table(f"Measuring {PEOPLE:,} people", ["step", "time"], rows)


def many_attributes(
    features: Array, attributes: int = ATTRIBUTES
) -> tuple[AttributeDataset, FeatureSet, list[CounterfactualPairs]]:
    """Attributes that say nothing, of people who are their own training set too, and random twins by each."""
    rng, n = np.random.default_rng(0), len(features)
    labels = rng.integers(0, 2, 2 * n)
    columns = {f"a{i}": Column(f"a{i}", rng.integers(0, 2, 2 * n), ("no", "yes")) for i in range(attributes)}
    split = np.repeat(["train", "test"], n)
    dataset = AttributeDataset(
        "Made", Column("target", labels, ("no", "yes")), columns, split, Unread(), "matched"
    )
    people = FeatureSet(features, labels[n:], np.arange(n, 2 * n))

    def pairs(column: Column) -> CounterfactualPairs:
        own, other = column.codes[n:], rng.permutation(n)
        side = FeatureSet(people.features[other], people.labels, people.rows[other])
        return CounterfactualPairs(column.name, "matched", people, side, own, 1 - own, own)

    return dataset, people, [pairs(column) for column in columns.values()]


class Unread:
    """A source that nobody reads from: the features are there."""

    kind, fingerprint = "table", "made for a benchmark"


def planted(features: Array, n_classes: int) -> tuple[LinearHead, FeatureSet, Array]:
    """A head fitted to labels of a noisy linear model, its training set, and the (d,) direction of an attribute."""
    rng = np.random.default_rng(n_classes)
    d, fitted_on = features.shape[1], min(FITTED_ON, len(features))
    truth = rng.standard_normal((n_classes, d)) * 1.5 / np.sqrt(d)
    scores = features @ truth.T.astype("float32") + rng.gumbel(size=(len(features), n_classes))
    train = FeatureSet(features, np.argmax(scores, axis=1), np.arange(len(features)))
    some, weights = train.subset(slice(0, fitted_on)), np.full(fitted_on, 1 / fitted_on)
    zero = LinearHead(np.zeros((n_classes, d)), np.zeros(n_classes))
    head = fit_head(zero, ConvexProblem(some.features, some.labels, weights, DAMPING))
    direction = truth[0] - truth[1] + truth.std() * rng.standard_normal(d)
    return head, train, direction / np.linalg.norm(direction)


def shifted_pairs(train: FeatureSet, direction: Array, m: int) -> CounterfactualPairs:
    """The first m samples, and the same a step along the attribute's direction."""
    favoured = train.subset(slice(0, m))
    moved = favoured.features + (2 * direction).astype("float32")
    other = FeatureSet(moved, favoured.labels, favoured.rows)
    return CounterfactualPairs(
        "planted", "generated", favoured, other, *(np.full(m, code) for code in (0, 1, 0))
    )


def of_all_samples(head: LinearHead, train: FeatureSet) -> Curvature:
    """The curvature made from all samples at once, which of very many is else made when something asks for it."""
    solver: Solver = "cholesky" if head.n_parameters <= DENSE_PARAMETERS else "conjugate_gradient"
    return fit_curvature(head, train, damping=DAMPING, solver=solver)


def scoring(
    report: Report, name: str, head: LinearHead, train: FeatureSet, pairs: dict[int, CounterfactualPairs]
) -> dict:
    """Statistics, solve and scores beside a plain read of the features."""
    progress(f"{name}: statistics")
    statistics = timed(lambda: of_all_samples(head, train))
    curvature = of_all_samples(head, train)
    x, y = train.features, train.labels
    first = next(iter(pairs.values()))
    gradient = counterfactual_bias_gradient(head, first)
    progress("solve, scoring and plain reads, in turns")
    solve = timed(lambda: curvature.solve(gradient))
    solution = curvature.solve(gradient)
    probe = np.ones(x.shape[1], x.dtype)
    fixed = replace(curvature, solve=lambda rhs: solution, few_passes=None)  # noqa: ARG005
    steps = {
        "plain read: gemv": lambda: x @ probe,
        "plain read: sum": x.sum,
        "gradient_products": lambda: head.gradient_products(x, y, solution),
    }
    for m, p in pairs.items():
        steps[f"bias_influence less the solve, {m:,} pairs"] = lambda p=p: bias_influence(
            head, train, CounterfactualBias(p), fixed
        )
    bias = CounterfactualBias(first)
    steps["all scores, from nothing"] = lambda: bias_influence(
        head, train, bias, fit_curvature(head, train, damping=DAMPING)
    )
    found = side_by_side(steps)
    gemv, total = found["plain read: gemv"], found["plain read: sum"]
    rows = [
        (
            f"feature statistics (`fit_curvature`, {curvature.solver})",
            statistics,
            *_reads(statistics, gemv, total),
        ),
        (f"solve, p = {head.n_parameters:,}", solve, *_reads(solve, gemv, total)),
        *((step, timing, *_reads(timing, gemv, total)) for step, timing in found.items()),
    ]
    note = (
        f"Aim: scoring within 3x of a plain read. gemv: features times one vector, BLAS on all threads, the "
        f"fastest read there is; sum: features.sum(), one thread. Float32 scores of up to {FITTED_ON:,} samples differ "
        f"from float64 by {_error(head, train, solution):.0e} of the largest. Peak memory so far {peak_rss()}."
    )
    columns = ["step", "median", "in gemv reads", "in sum reads"]
    report.table(f"Influence on {name}", columns, rows, note)
    return {
        "curvature": curvature,
        "statistics": statistics,
        "solve": solve,
        "gradient_products": found["gradient_products"],
        "scores": bias_influence(head, train, CounterfactualBias(first), curvature),
    }


def _reads(timing: Timing, *reads: Timing) -> Iterator[str]:
    return (times(timing / read) for read in reads)


def _error(head: LinearHead, train: FeatureSet, solution: Array) -> float:
    some = train.subset(slice(0, FITTED_ON))
    ours = head.gradient_products(some.features, some.labels, solution)
    exact = head.gradient_products(some.features.astype("float64"), some.labels, solution)
    return float(np.abs(ours - exact).max() / np.abs(exact).max())


def published(
    report: Report,
    head: LinearHead,
    train: FeatureSet,
    pairs: CounterfactualPairs,
    scored: dict,
    *,
    pairs_run: int,
    autograd_rows: int | None,
) -> None:
    """The published single step for 500 pairs, as published and as done here."""
    progress("the published procedure")
    pairs = pairs.subset(np.arange(SCALED_TO) % len(pairs))  # repeated where there are fewer
    curvature, weights = scored["curvature"], np.full(len(pairs), 1 / len(pairs))

    def ours() -> Array:
        total = head.loss_gradient(pairs.favoured.features, pairs.labels, weights)
        return curvature.solve(total - head.loss_gradient(pairs.other.features, pairs.labels, weights))

    def theirs(n_pairs: int = pairs_run) -> Array:
        return published_step(head, train, pairs, damping=DAMPING, n_pairs=n_pairs)

    found = side_by_side({"statistics": lambda: of_all_samples(head, train), "step": ours, "theirs": theirs})
    scale, m = SCALED_TO / pairs_run, len(pairs)
    with_statistics = found["statistics"].median + found["step"].median
    autograd = autograd_hessian_seconds(head, train, n_rows=autograd_rows)
    rows = [
        (f"ours, all {m} pairs, statistics known", f"{m} pairs", duration(found["step"].median), "1x", ""),
        (f"ours, all {m} pairs, statistics included", f"{m} pairs", duration(with_statistics), "", "1x"),
    ]
    small = "" if autograd_rows is None else f" ({autograd_rows} of its rows, scaled)"
    for name, run, seconds in (
        (
            "as published, our BLAS kernel for its Hessian",
            f"{pairs_run} pairs",
            found["theirs"].median * scale,
        ),
        ("as published, Hessian by automatic differentiation", f"one Hessian{small}", autograd * SCALED_TO),
    ):
        ratios = times(seconds / found["step"].median), times(seconds / with_statistics)
        rows.append((name, run, f"{duration(seconds)}, **scaled to {SCALED_TO} pairs**", *ratios))
    same = spearmanr(theirs(1), ours_of_first(head, pairs, curvature)).statistic
    report.table(
        f"The published procedure on {len(train):,} x {head.n_features}, p = {head.n_parameters}",
        [
            "procedure",
            "what was run",
            f"time for {SCALED_TO} pairs",
            "slower than ours",
            "slower, our statistics included",
        ],
        rows,
        "A Hessian of the training loss and its explicit inverse for every pair, against one solve for the sum "
        f"of the pairs' gradients. Aim: more than 1,000x for {SCALED_TO} pairs. With the same kernel for both, "
        f"little more than {SCALED_TO}x can come of counting our own statistics in: their inverse is all that "
        "costs more than our factor. Rank correlation of both "
        f"steps for one pair: {same:.4f}.",
    )


def ours_of_first(head: LinearHead, pairs: CounterfactualPairs, curvature: object) -> Array:
    """Our step for the first pair alone, to see that both procedures compute the same."""
    one, first = np.ones(1), pairs.subset([0])
    gradient = head.loss_gradient(first.favoured.features, first.labels, one)
    return curvature.solve(gradient - head.loss_gradient(first.other.features, first.labels, one))


def similarity(
    report: Report,
    name: str,
    head: LinearHead,
    train: FeatureSet,
    pairs: CounterfactualPairs,
    scored: dict,
    subset: FeatureSet,
) -> None:
    """captum's TracInCPFast beside ours."""
    progress("captum")
    tracin, scale = GradientSimilarity(head, subset), len(train) / len(subset)
    timing = timed(lambda: tracin.scores(pairs))
    ours = scored["statistics"].median + scored["solve"].median + scored["gradient_products"].median
    agreement = spearmanr(tracin.scores(pairs), scored["scores"].removal_effect[: len(subset)]).statistic
    seconds = timing.median * scale
    scaled = f", **scaled from {len(subset):,} samples**" if scale > 1 else ""
    report.table(
        f"captum TracInCPFast on {name}, {len(pairs)} pairs",
        ["procedure", "time", "beside ours", "Spearman with ours"],
        [
            ("ours: statistics, solve, scores", duration(ours), "1x", "1"),
            (
                "TracInCPFast, one checkpoint",
                f"{duration(seconds)}{scaled}",
                times(seconds / ours),
                f"{agreement:.2f}",
            ),
        ],
        "It answers another question, how alike gradients are, without any curvature, and it leaves out the bias "
        "of the last layer.",
    )


def demo(report: Report) -> None:
    """The bundled demo, from features to the comparison."""
    progress("demo: encoding")
    dataset, classifier = load_dataset("colored_digits"), load_demo_classifier("colored_digits")
    head = classifier.head
    people = {s: extract_features(classifier, dataset, split=s) for s in ("train", "validation", "test")}
    pairs = {
        s: pair_counterfactuals(dataset, classifier, split=s, attribute="colour")
        for s in ("train", "external", "validation", "test")
    }
    train, external = people["train"], pairs["external"]
    sizes = f"{len(train):,} x {head.n_features}, {head.n_classes} classes"
    scored = scoring(report, f"the demo, {sizes}", head, train, {len(external): external})
    inputs = UnlearningInputs(
        train, CounterfactualBias(external), scored["curvature"], scored["scores"], (pairs["train"],)
    )
    guard = Guard(people["validation"], CounterfactualBias(pairs["validation"]))
    mover = prepare(head, inputs, strategy="iterated", k=0)
    near = mover.move(0.06, head)
    after = mover.move(0.1, near)

    def judge(new: LinearHead) -> object:
        return compare(head, new, dataset, people["test"], pairs["test"])

    progress("demo: slider")
    found = side_by_side(
        {
            "re-solve at strength 0.1 from 0.06": lambda: mover.move(0.1, near),
            "re-solve at strength 0.1 from the original": lambda: mover.move(0.1, head),
            f"`compare` on {len(people['test'])} test people": lambda: judge(after),
            "slider move off the path: re-solve and `compare`": lambda: judge(mover.move(0.1, near)),
            "whole guarded path (10 strengths, 30 blends)": lambda: unlearning_path(head, inputs, guard),
        }
    )
    report.table(
        f"Slider on the demo, {len(external)} external pairs, p = {head.n_parameters}",
        ["step", "time"],
        found.items(),
        "Aim: a slider move under 100 ms. On the path it is a look-up and `compare`.",
    )
    published(report, head, train, external, scored, pairs_run=3, autograd_rows=None)
    similarity(report, f"the demo, {sizes}", head, train, external, scored, train)


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)

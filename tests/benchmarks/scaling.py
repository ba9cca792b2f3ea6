"""How cost grows with samples, features, classes, samples left out and pairs, and how near the machine it is.

    python tests/benchmarks/scaling.py [--quick]

A slope of 1 is proportional, 2 quadratic: the exponent of a power law fitted to all sizes, on logarithmic
axes. Nothing is asserted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import (
    CounterfactualBias,
    CounterfactualPairs,
    FeatureSet,
    LinearHead,
    UnlearningInputs,
    bias_influence,
    fit_curvature,
    unlearn,
)
from fmd_core.data import Array
from fmd_core.heads.curvature import DENSE_PARAMETERS
from fmd_core.influence.removal import predict_removal, whole_curvature
from tests.benchmarks import core_speed
from tests.benchmarks.core_speed import DAMPING, of_all_samples, planted, shifted_pairs
from tests.benchmarks.timing import (
    Aim,
    Report,
    Timing,
    duration,
    one_thread,
    progress,
    results_folder,
    side_by_side,
    times,
)

CLICK_MS, READS = 100, 3
PAIRS = 500


@dataclass(frozen=True, eq=False)
class Size:
    """One synthetic problem, ready to be measured on."""

    head: LinearHead
    train: FeatureSet
    direction: Array

    @classmethod
    def of(cls, n: int, d: int, n_classes: int) -> Size:
        """A problem of n samples, d features and some classes."""
        progress(f"{n:,} x {d}, {n_classes} classes")
        features = np.random.default_rng(0).standard_normal((n, d), dtype="float32")
        features.flags.writeable = False
        return cls(*planted(features, n_classes))

    def pairs(self, m: int = PAIRS) -> CounterfactualPairs:
        return shifted_pairs(self.train, self.direction, min(m, len(self.train)))

    def steps(self) -> dict[str, Callable[[], object]]:
        """What scores cost: the statistics of the features, the solve, and one pass over the samples."""
        bias = CounterfactualBias(self.pairs())
        curvature = of_all_samples(self.head, self.train)
        gradient = bias.gradient(self.head)
        solution = curvature.solve(gradient)
        known = replace(curvature, solve=lambda rhs: solution, few_passes=None)  # noqa: ARG005
        return {
            "curvature": lambda: of_all_samples(self.head, self.train),
            "solve": lambda: curvature.solve(gradient),
            "scores": lambda: bias_influence(self.head, self.train, bias, known),
            "all, from nothing": lambda: bias_influence(
                self.head, self.train, bias, fit_curvature(self.head, self.train, damping=DAMPING)
            ),
        }

    def inputs(self, m: int) -> UnlearningInputs:
        """What unlearning on m pairs needs."""
        bias = CounterfactualBias(self.pairs(m))
        curvature = of_all_samples(self.head, self.train)
        return UnlearningInputs(
            self.train, bias, curvature, bias_influence(self.head, self.train, bias, curvature)
        )


def main(*, quick: bool = False, folder: Path | None = None) -> list[Aim]:
    """Measure, print, write, and say which aims are met."""
    report = Report("How cost grows")
    folder = folder or results_folder(quick=quick)
    report.machine(quick=quick)
    small = 20 if quick else 1
    ns = [n // small for n in (10_000, 20_000, 40_000, 80_000, core_speed.N)]
    n, d = ns[2], core_speed.D // small
    grown(report, "samples N", {n: (n, d, 2) for n in ns}, f"d = {d}, 2 classes", "Expected: 1, 0 and 1.")
    widths = [64 // small * 2**i for i in range(5)]
    grown(report, "features d", {w: (n, w, 2) for w in widths}, f"N = {n:,}, 2 classes",
          "Expected: 2, 2 and 1, less where what does not grow still counts.")  # fmt: skip
    grown(report, "classes", {k: (n, 64 // small, k) for k in (2, 4, 8, 16, 32)}, f"N = {n:,}, d = {64 // small}",
          f"Up to {DENSE_PARAMETERS:,} parameters, (classes - 1)(d + 1), the curvature is a dense matrix: the slope is "
          "theirs (expected: 2, 2 and 1). Beyond, it is never built and the solve takes over its cost.")  # fmt: skip
    left_out(report, Size.of(n, d, 2))
    report.write(folder, "scaling")  # whoever stops it keeps what there is
    aims = [*click(report, Size.of(n, d, 2), quick=quick), *roofline(report, ns[-1], d)]
    report.aims(aims)
    report.write(folder, "scaling")
    return aims


def grown(report: Report, axis: str, sizes: dict[int, tuple[int, int, int]], where: str, note: str) -> None:
    """Cost of each step along one axis."""
    found = {size: side_by_side(Size.of(*shape).steps()) for size, shape in sizes.items()}
    dense = [size for size, (_, d, k) in sizes.items() if (k - 1) * (d + 1) <= DENSE_PARAMETERS]
    table(report, f"Scores by {axis} ({where})", axis, found, note, fitted=dense)


def left_out(report: Report, size: Size) -> None:
    """Cost of predicting what leaving K samples out does."""
    n, whole = len(size.train), whole_curvature(size.head, size.train)
    order = np.random.default_rng(0).permutation(n)
    counts = [k for k in (10, 100, 1_000, 10_000) if k <= n / 2]
    found = {}
    for k in counts:
        out = order[:k]
        found[k] = side_by_side({
            "prediction": lambda out=out: predict_removal(size.head, size.train, out, damping=DAMPING, whole=whole)
        })  # fmt: skip
    note = "Curvature of all samples known. Expected: flat, as a new factor costs the same for any K, then 1."
    table(
        report,
        f"Leaving K samples out, predicted (N = {n:,}, d = {size.head.n_features}, 2 classes)",
        "K",
        found,
        note,
    )


def click(report: Report, size: Size, *, quick: bool) -> list[Aim]:
    """Cost of one unlearning by the number of pairs."""
    counts = (50, 100, 200) if quick else (500, 1_000, 2_000, 5_000, 10_000)
    aimed = counts[-2]
    found: dict[int, dict[str, Timing]] = {}
    for m in counts:
        inputs = size.inputs(m)
        found[m] = side_by_side({
            "iterated": lambda inputs=inputs: unlearn(size.head, inputs, strength=0.1),
            "paper-external": lambda inputs=inputs: unlearn(size.head, inputs, strategy="paper-external", strength=1.0),
        })  # fmt: skip
    where = f"d = {size.head.n_features}, 2 classes"
    table(report, f"One unlearning, from cold ({where})", "pairs", found, "Curvature and scores known.")
    return [
        Aim(f"Unlearning click under {CLICK_MS} ms, `{name}`, {where}, {aimed:,} pairs",
            1000 * timing.median < CLICK_MS, str(timing))
        for name, timing in found[aimed].items()
    ]  # fmt: skip


def roofline(report: Report, n: int, d: int) -> list[Aim]:
    """The largest problem beside a plain read of its features and a plain matrix product."""
    aims, rows = [], []
    for n_classes in (2, 10):
        size = Size.of(n, d, n_classes)
        x, probe = size.train.features, np.ones(d, "float32")
        steps = size.steps()
        square = np.ones((1024, 1024))
        solve, curvature = steps.pop("solve"), steps.pop("curvature")
        found = side_by_side({"read": lambda x=x, probe=probe: x @ probe, **steps})
        dear = side_by_side(
            {"product": lambda square=square: square @ square, "curvature": curvature, "solve": solve}
        )
        scores, read = found["scores"], found["read"]
        rate = x.nbytes / 1e9
        rows.append((f"scores, {n_classes} classes", str(scores), f"{rate / scores.median:.1f} GB/s",
                     f"plain read {rate / read.median:.1f} GB/s: {times(scores / read)} its time"))  # fmt: skip
        peak = 2 * 1024**3 / dear["product"].median / 1e9
        if n_classes == 2:
            done = (
                n * (d + 1) ** 2 / dear["curvature"].median / 1e9
            )  # half of a full product: it is symmetric
            rows.append((f"curvature, {n_classes} classes", str(dear["curvature"]), f"{done:.0f} GFLOP/s",
                         f"float64 product of 1024 x 1024 {peak:.0f} GFLOP/s"))  # fmt: skip
        rows.append(
            (f"solve, {n_classes} classes", str(dear["solve"]), "", f"p = {size.head.n_parameters:,}")
        )
        promise = f"Scoring within {READS}x of reading the features once, {n_classes} classes"
        aims.append(Aim(promise, scores / read <= READS, times(scores / read)))
    report.table(f"Near the machine: {n:,} x {d} float32", ["step", "time", "reached", "beside"], rows)
    return aims


def table(
    report: Report,
    title: str,
    axis: str,
    found: dict[int, dict[str, Timing]],
    note: str,
    fitted: Sequence[int] = (),
) -> None:
    """Times by size with the slope below, through the sizes `fitted`, or all."""
    names = list(next(iter(found.values())))
    rows = [(f"{size:,}", *(duration(steps[name].median) for name in names)) for size, steps in found.items()]
    sizes = fitted or list(found)
    slopes = [slope(sizes, [found[size][name].median for size in sizes]) for name in names]
    report.table(
        title, [axis, *names], [*rows, ("**slope**", *(f"**{value:.2f}**" for value in slopes))], note
    )


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of the power law through these points, by least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


if __name__ == "__main__":
    one_thread()
    main(quick="--quick" in sys.argv)

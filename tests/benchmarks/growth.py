"""How large a problem can become: what stays under a second, what does not, and how much memory it takes.

    python tests/benchmarks/growth.py [--quick]

Every row runs in a process of its own, on features in a memory map where samples are many, so that its peak memory can
be told: what it holds at most beyond what it held before the step. Nothing is asserted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import (
    CounterfactualBias,
    FeatureSet,
    LinearHead,
    UnlearningInputs,
    audit_bias,
    bias_changes,
    bias_influence,
    fit_curvature,
    unlearn,
)
from fmd_core.data import Array
from fmd_core.heads.answering import Told
from fmd_core.measure.twin_bias import twin_bias_changes, twin_biases
from tests.benchmarks import core_speed
from tests.benchmarks.core_speed import DAMPING
from tests.benchmarks.timing import (
    Report,
    clocked,
    duration,
    forget_peak,
    memory_of,
    one_thread,
    progress,
    results_folder,
)

AT_ONCE_S = 1.0
LIMIT_S = 240
PAIRS = 1_000
Sizes = dict[str, int]
"""n samples, d features, k classes, a attributes."""
MEASURES = (
    "scores", "scores and what is solved exactly", "one strength of `iterated`",
    "audit", "a stop's other biases", "gaps of all attributes",
)  # fmt: skip
SAMPLES: tuple[Sizes, ...] = tuple(
    {"n": n, "d": 128, "k": 2} for n in (162_770, 500_000, 1_000_000, 2_000_000)
)
FEATURES: tuple[Sizes, ...] = tuple({"n": 40_000, "d": d, "k": 2} for d in (128, 512, 2_048))
CLASSES: tuple[Sizes, ...] = tuple({"n": 40_000, "d": 64, "k": k} for k in (2, 10, 30, 100))
BOTH: tuple[Sizes, ...] = (
    {"n": 162_770, "d": 512, "k": 2},
    {"n": 162_770, "d": 512, "k": 10},
    {"n": 500_000, "d": 128, "k": 10},
)
ATTRIBUTES: tuple[Sizes, ...] = tuple({"n": 20_000, "d": 128, "k": 2, "a": a} for a in (1, 10, 40))


def main(*, quick: bool = False, folder: Path | None = None) -> None:
    """Measure, print and write."""
    report, folder = Report("How large it can become"), folder or results_folder(quick=quick)
    report.machine(quick=quick)
    with tempfile.TemporaryDirectory() as arrays:
        for title, rows, names in (
            ("Samples, from a memory map", SAMPLES, MEASURES[:2]), ("Features", FEATURES, MEASURES[:3]),
            ("Classes", CLASSES, MEASURES[:3]), ("Both", BOTH, MEASURES[:2]), ("Attributes", ATTRIBUTES, MEASURES[3:]),
        ):  # fmt: skip
            one_table(
                report, title, [smaller(row) for row in rows[:2]] if quick else rows, names, Path(arrays)
            )
            report.write(folder, "growth")  # whoever stops it keeps what there is


def smaller(row: Sizes) -> Sizes:
    """Of the same shape, for a quick run."""
    return row | {"n": min(row["n"], 2_000), "d": min(row["d"], 16)}


def one_table(report: Report, title: str, rows: Sequence[Sizes], names: Sequence[str], arrays: Path) -> None:
    cells = []
    for row in rows:
        what = " x ".join(f"{row[key]:,} {word}" for key, word in WORDS.items() if key in row)
        progress(f"growth: {what}")
        found = [measured(name, row, arrays) for name in names]
        slow = [name for name, one in zip(names, found, strict=True) if one is None or one[0] >= AT_ONCE_S]
        cells.append((what, *(said(one) for one in found), "all" if not slow else f"not {', '.join(slow)}"))
    report.table(f"{title}: seconds and peak memory", ["size", *names, "under a second"], cells)


WORDS = {"n": "samples", "d": "features", "k": "classes", "a": "attributes"}


def said(found: tuple[float, float] | None) -> str:
    return f"over {LIMIT_S} s" if found is None else f"{duration(found[0])}, {found[1] / 2**20:,.0f} MiB"


def measured(name: str, row: Sizes, arrays: Path) -> tuple[float, float] | None:
    """Seconds and bytes of one step in a process of its own; None where it takes too long."""
    command = [sys.executable, __file__, "--one", name, json.dumps(row), str(arrays)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode:
        raise RuntimeError(f"{name} of {row} ended with:\n{ended.stderr}")
    seconds, memory = json.loads(ended.stdout.splitlines()[-1])
    return seconds, memory


# --- one step in a process of its own


def one(name: str, row: Sizes, arrays: Path) -> None:
    """Make the problem, do the step once, and say what it took."""
    step = audited(name, row) if "a" in row else scored(name, row, arrays)
    forget_peak()
    before = memory_of("VmRSS")
    _, seconds = clocked(step)
    print(json.dumps([seconds, max(memory_of("VmHWM") - before, 0.0)]))


def scored(name: str, row: Sizes, arrays: Path) -> Callable[[], object]:
    head, train, direction = problem(row, arrays)
    bias = CounterfactualBias(core_speed.shifted_pairs(train, direction, PAIRS))
    if name == MEASURES[2]:
        return lambda: unlearn(head, UnlearningInputs(train, bias), strength=0.1)

    def scores() -> Array:
        curvature = fit_curvature(head, train, damping=DAMPING)
        found = bias_influence(head, train, bias, curvature).removal_effect
        return found if name == MEASURES[0] else curvature.solve(bias.gradient(head))

    return scores


def problem(row: Sizes, arrays: Path) -> tuple[LinearHead, FeatureSet, Array]:
    """Features in a file, labels of a noisy linear model, a head near it, and an attribute's direction."""
    n, d, k = row["n"], row["d"], row["k"]
    rng, path = np.random.default_rng(0), arrays / f"{n}_{d}.npy"
    if not path.exists():
        made = np.lib.format.open_memmap(path, "w+", "float32", (n, d))
        for start in range(0, n, 50_000):
            made[start : start + 50_000] = rng.standard_normal((min(50_000, n - start), d), dtype="float32")
        made.flush()
        del made
    features = np.load(path, mmap_mode="r")
    truth = np.random.default_rng(k).standard_normal((k, d)) * 1.5 / np.sqrt(d)
    labels = np.empty(n, "int64")
    for start in range(0, n, 50_000):
        scores = features[start : start + 50_000] @ truth.T.astype("float32")
        labels[start : start + 50_000] = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
    direction = truth[0] - truth[1] + truth.std() * rng.standard_normal(d)
    head = LinearHead(0.9 * truth, np.zeros(k))
    return head, FeatureSet(features, labels, np.arange(n)), direction / np.linalg.norm(direction)


def audited(name: str, row: Sizes) -> Callable[[], object]:
    features = np.random.default_rng(0).standard_normal((row["n"], row["d"]), dtype="float32")
    dataset, people, twins = core_speed.many_attributes(features, row["a"])
    head, _, _ = core_speed.planted(features, 2)
    after = head.moved(np.full(head.n_parameters, 1e-3))
    given = [(pairs, None) for pairs in twins]
    audit_bias(head, dataset, people, twins[:1])  # loads the libraries and draws the resamples
    if name == MEASURES[3]:
        return lambda: audit_bias(head, dataset, people, twins)
    if name == MEASURES[4]:
        known = twin_biases(Told(head), people, given, dataset)
        return lambda: twin_bias_changes(known, twin_biases(Told(after), people, given, dataset))
    return lambda: bias_changes(head, after, dataset, people, given, "demographic parity")


if __name__ == "__main__":
    one_thread()
    if "--one" in sys.argv:
        one(sys.argv[2], json.loads(sys.argv[3]), Path(sys.argv[4]))
    else:
        main(quick="--quick" in sys.argv)

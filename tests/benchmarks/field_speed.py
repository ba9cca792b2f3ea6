"""How fast and how large: scores for every training sample, ours and the field's, on the same arrays.

    python tests/benchmarks/field_speed.py [--quick]

Every procedure runs in a process of its own, one after the other, so that its peak memory can be told;
ours runs before and after the others of each size. Nothing is asserted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import CounterfactualBias, FeatureSet, LinearHead, bias_influence, fit_curvature
from fmd_core.data import Array
from tests.benchmarks import core_speed
from tests.benchmarks.peers import PAIR_BY_PAIR, PEERS, Peer, Question
from tests.benchmarks.timing import (
    Aim,
    Report,
    clocked,
    duration,
    forget_peak,
    memory_of,
    one_thread,
    progress,
    results_folder,
    times,
)

FIELD = (*PEERS, PAIR_BY_PAIR)
PAIRS = 500
OURS = "ours"
SLOW_ROWS = {
    ("captum NaiveInfluenceFunction", 2): (10_000, 20_000),
    ("captum NaiveInfluenceFunction", 10): (1_000, 5_000),
    (PAIR_BY_PAIR.name, 2): (2_500, 5_000),
    (PAIR_BY_PAIR.name, 10): (1_000, 2_000),
    ("dattri conjugate gradients", 10): (10_000, 50_000),
    ("TRAK", 10): (10_000, 50_000),
}
"""Rows that slow peers are run on; beyond, their time is scaled."""
LEFT_OUT = "ArnoldiInfluenceFunction"  # slower than NaiveInfluenceFunction; see field_agreement.py
EQUAL = 0.99  # Spearman with the exact scores that counts as equal agreement
FASTER = {2: 40, 10: 18}
"""By number of classes."""
LIMIT_S = 400
ENOUGH_S = 1.0  # a run that took longer is not repeated
WARM_UP = 200, 16  # rows and features: loads the libraries


@dataclass(frozen=True)
class Run:
    """One procedure on some rows."""

    rows: int
    seconds: float
    memory: float
    """Bytes at the peak beyond what was held before: its own copies, factors and gradients."""
    agreement: float = 1.0  # Spearman with our scores of the same rows
    failure: str = ""


def main(*, quick: bool = False, folder: Path | None = None, peers: Sequence[Peer] = FIELD) -> list[Aim]:
    """Measure, print, write, and say which aims are met."""
    report, aims = Report("Speed and memory beside the field"), []
    folder = folder or results_folder(quick=quick)
    report.machine(quick=quick)
    sizes, n_features = ((1_000,), 32) if quick else ((10_000, 50_000, core_speed.N), core_speed.D)
    for n_classes in (2,) if quick else (2, 10):
        with tempfile.TemporaryDirectory() as arrays:
            write_arrays(Path(arrays), sizes[-1], n_features, n_classes)
            aims += one_table(report, Path(arrays), sizes, n_features, n_classes, peers)
        report.write(folder, "field_speed")  # whoever stops it keeps what there is
    report.aims(aims)
    report.write(folder, "field_speed")
    return aims


def write_arrays(folder: Path, n: int, d: int, n_classes: int) -> None:
    """Features, labels and a head, for every process."""
    progress(f"{n:,} x {d}, {n_classes} classes: fitting a head")
    features = np.random.default_rng(0).standard_normal((n, d), dtype="float32")
    head, train, direction = core_speed.planted(features, n_classes)
    np.save(folder / "features.npy", features)
    np.savez(folder / "rest.npz", labels=train.labels, direction=direction, **head.arrays)


def one_table(
    report: Report, arrays: Path, sizes: Sequence[int], d: int, n_classes: int, peers: Sequence[Peer]
) -> list[Aim]:
    """All procedures at all sizes for one number of classes."""
    peers = [peer for peer in peers if LEFT_OUT not in peer.name]
    mine = {n: [measured(OURS, n, arrays)] for n in sizes}
    runs = {peer.name: peer_runs(peer, sizes, n_classes, arrays) for peer in peers if not peer.missing}
    for n in sizes:
        mine[n].append(measured(OURS, n, arrays))
    best = {n: median(run.seconds for run in found) for n, found in mine.items()}
    memory = {n: max(run.memory for run in found) for n, found in mine.items()}
    rows = [(OURS, "all", *(cell(best[n], 1, memory[n]) for n in sizes), "1")]
    for peer in peers:
        rows.append(peer_row(peer, runs.get(peer.name, []), sizes, best))
    n = sizes[-1]
    report.table(
        f"Scores of N samples, d = {d}, {n_classes} classes, {PAIRS} pairs",
        ["procedure", "rows run", *(f"N = {n:,}" for n in sizes), "Spearman with ours"],
        rows,
        "Time, how many times ours, and peak memory beyond the arrays (GB). Ours: curvature, solve and scores, "
        "from nothing. **~** is scaled: run on the two row counts given, extended to N along the line through both "
        "or in proportion, whichever is less. The peers get all pairs as one test sample, which is their fastest "
        "way, except where it says 'side by side' and for TracInCPFast, which take the 1,000 sides one by one.",
    )
    every = {name: estimate(found, n)[0] for name, found in runs.items() if found and not found[-1].failure}
    equal = {name: s for name, s in every.items() if runs[name][-1].agreement >= EQUAL}
    return [*speed_aims(equal, every, best[n], n, n_classes)]


def speed_aims(
    equal: dict[str, float], every: dict[str, float], ours: float, n: int, n_classes: int
) -> list[Aim]:
    """Whether we are as much faster as was promised; nothing where no peer ran."""
    where, found = f"at N = {n:,}, {n_classes} classes", []
    if equal:
        name = min(equal, key=equal.__getitem__)
        ratio = equal[name] / ours
        promise = f"{FASTER[n_classes]}x faster than the fastest peer of equal agreement {where}"
        found.append(Aim(promise, ratio >= FASTER[n_classes], f"{times(ratio)} ({name})"))
    if every:
        name = min(every, key=every.__getitem__)
        ratio = every[name] / ours
        found.append(
            Aim(f"Faster than every other {where}", ratio > 1, f"{times(ratio)} the fastest of all ({name})")
        )
    return found


def peer_runs(peer: Peer, sizes: Sequence[int], n_classes: int, arrays: Path) -> list[Run]:
    """A peer at every size, or on fewer rows where it is slow; ends at the first failure."""
    slow = next((rows for (name, k), rows in SLOW_ROWS.items() if name in peer.name and k == n_classes), None)
    rows = sizes if slow is None or slow[-1] >= sizes[-1] else slow
    found: list[Run] = []
    for n in rows:
        found.append(measured(peer.name, n, arrays))
        if found[-1].failure:
            break
    return found


def peer_row(peer: Peer, runs: list[Run], sizes: Sequence[int], ours: dict[int, float]) -> tuple:
    """A peer's times beside ours, or why there is none."""
    if peer.missing or runs[-1].failure:
        why = peer.missing or f"did not run on {runs[-1].rows:,} rows: {runs[-1].failure}"
        return (peer.name, why, *["–"] * len(sizes), "–")
    cells = []
    for n in sizes:
        seconds, memory, scaled = estimate(runs, n)
        cells.append(("~ " if scaled else "") + cell(seconds, seconds / ours[n], memory))
    ran = ", ".join(f"{run.rows:,}" for run in runs) if runs[-1].rows < sizes[-1] else "all"
    return (peer.name, ran, *cells, f"{runs[-1].agreement:.3f}")


def cell(seconds: float, ratio: float, memory: float) -> str:
    return f"{duration(seconds)}, {times(ratio)}, {memory / 1e9:.2f} GB"


def estimate(runs: list[Run], n: int) -> tuple[float, float, bool]:
    """Seconds and memory at n rows, and whether they are scaled from fewer."""
    for run in runs:
        if run.rows == n:
            return run.seconds, run.memory, False
    a, b = runs[-2:]
    share = (n - b.rows) / (b.rows - a.rows)
    line = [
        getattr(b, name) + share * (getattr(b, name) - getattr(a, name)) for name in ("seconds", "memory")
    ]
    return min(line[0], b.seconds * n / b.rows), min(line[1], b.memory * n / b.rows), True


# --- one procedure in a process of its own


def measured(name: str, n: int, arrays: Path) -> Run:
    """Run a procedure on the first n rows."""
    progress(f"{name}, {n:,} rows")
    command = [sys.executable, __file__, "--one", name, str(n), str(arrays)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Run(n, 0, 0, failure=f"stopped after {LIMIT_S} s")
    if ended.returncode:
        return Run(n, 0, 0, failure=(ended.stderr.strip().splitlines() or ["it was killed"])[-1][:160])
    said = json.loads(ended.stdout.splitlines()[-1])
    return Run(n, median(said["seconds"]), said["memory"], said["agreement"])


def one(name: str, n: int, arrays: Path) -> None:
    """In the process: load, warm up, time, and compare with our scores of the same rows."""
    head, train, direction = load_arrays(arrays, n)
    pairs = core_speed.shifted_pairs(train, direction, min(PAIRS, n))
    rows, width = WARM_UP
    small = FeatureSet(train.features[:rows, :width], train.labels[:rows], train.rows[:rows])
    small_head = LinearHead(head.weight[:, :width], head.bias)
    procedure(name, small_head, small, core_speed.shifted_pairs(small, direction[:width], 20))
    forget_peak()
    before, seconds, peak = memory_of("VmRSS"), [], 0.0
    while not seconds or (len(seconds) < 3 and seconds[-1] < ENOUGH_S):
        scores, took = clocked(lambda: procedure(name, head, train, pairs))
        seconds.append(took)
        peak = peak or memory_of("VmHWM") - before
    agreement = (
        1.0 if name == OURS else float(spearmanr(scores, procedure(OURS, head, train, pairs)).statistic)
    )
    print(json.dumps({"seconds": seconds, "memory": max(peak, 0.0), "agreement": agreement}))


def load_arrays(arrays: Path, n: int) -> tuple[LinearHead, FeatureSet, Array]:
    features = np.array(np.load(arrays / "features.npy", mmap_mode="r")[:n])
    features.flags.writeable = False
    rest = np.load(arrays / "rest.npz")
    train = FeatureSet(features, rest["labels"][:n], np.arange(n))
    return LinearHead(rest["weight"], rest["bias"]), train, rest["direction"]


def procedure(name: str, head: LinearHead, train: FeatureSet, pairs: object) -> Array:
    """The scores by one procedure."""
    damping = core_speed.DAMPING
    if name == OURS:
        curvature = fit_curvature(head, train, damping=damping)
        return bias_influence(head, train, CounterfactualBias(pairs), curvature).removal_effect
    peer = next(peer for peer in FIELD if peer.name == name)
    return peer.scores(head, train, Question.of(head, pairs), damping)


if __name__ == "__main__":
    if "--one" in sys.argv:
        name, n, arrays = sys.argv[2:]
        one(name, int(n), Path(arrays))
    else:
        one_thread()
        main(quick="--quick" in sys.argv)

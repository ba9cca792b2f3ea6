"""Curvature and scores of 2 million x 512 rows on a Dask cluster: two workers beside one, and no cluster.

    python tests/benchmarks/dask_scaling.py [--quick]

The rows lie in a file of 4 GB in the temporary folder, made by the workers. Workers are processes of one thread
with a limit of 2 GB. Where neighbours hold the processors, the clock says how many neighbours there were: so the
processor time of the busiest worker stands beside it, which is what the clock would show if each worker had a
processor of its own, and how long its threads were ready and had none. Nothing is asserted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core import CounterfactualBias, FeatureSet, LinearHead, bias_influence, fit_curvature
from fmd_core.data import Array
from fmd_core.running import distributed
from tests.benchmarks import core_speed
from tests.benchmarks.core_speed import DAMPING, planted, shifted_pairs
from tests.benchmarks.timing import (
    Aim,
    Report,
    duration,
    one_thread,
    progress,
    results_folder,
    times,
)

ROOT = Path(__file__).resolve().parents[2]
LIMIT_GB, PAIRS, ROUNDS = 2.0, 500, 2
LINE_UP = (1, 2, 0)  # workers; 0: no cluster


@dataclass(frozen=True)
class Spent:
    """What a process has used so far, or between two looks at it."""

    ran: float  # seconds on a processor
    queued: float  # seconds ready to run without one, all threads together
    peak_gb: float  # the most memory that it held, pages of mapped files included

    @classmethod
    def now(cls) -> Spent:
        """Of this process. Not by getrusage: a process inherits its parent's peak there."""
        threads = [path.read_text().split() for path in Path("/proc/self/task").glob("*/schedstat")]
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return cls(time.process_time(), sum(int(queued) for _, queued, _ in threads) / 1e9, peak / 1e6)

    def since(self, before: Spent) -> Spent:
        return Spent(self.ran - before.ran, self.queued - before.queued, self.peak_gb)


@dataclass(frozen=True, eq=False)
class Run:
    """Curvature and scores once."""

    workers: int
    clock: dict[str, float]  # seconds of each step
    spent: list[Spent]  # of each worker; of this process where there are none
    load: float
    scores: Array

    @property
    def busiest(self) -> Spent:
        """The worker that ran longest."""
        return max(self.spent, key=lambda spent: spent.ran)


def main(*, quick: bool = False, folder: Path | None = None) -> list[Aim]:
    """Measure, print, write, and say which aims are met."""
    n, d = (40_000, 64) if quick else (2_000_000, core_speed.D)
    report = Report("Curvature and scores on a cluster")
    report.machine(quick=quick)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "features.npy"
        with cluster(2, Path(scratch)):
            progress(f"{n:,} x {d}: made on two workers")
            made(file, n, d)
        progress("fitting a head")
        head, train, direction = planted(np.load(file, mmap_mode="r"), 2)
        bias = CounterfactualBias(shifted_pairs(train, direction, PAIRS))
        runs = []
        for _ in range(1 if quick else ROUNDS):
            for workers in LINE_UP:
                progress(f"{workers} workers")
                with cluster(workers, Path(scratch)):
                    runs.append(measured(workers, head, train, bias))
    aims = told(report, runs, n, d)
    report.aims(aims)
    report.write(folder or results_folder(quick=quick), "dask_scaling")
    return aims


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[None]:
    """A scheduler and workers as processes, and the setting that names them; for 0 workers nothing."""
    if not workers:
        yield
        return
    file = folder / f"scheduler-{time.monotonic_ns()}.json"
    dask = [sys.executable, "-m", "dask"]
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    options = ["--no-nanny", "--nthreads", "1", "--memory-limit", f"{LIMIT_GB}GB"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common]]
    commands += [[*dask, "worker", *options, *common]] * workers
    with (folder / "log").open("a") as log:
        processes = [subprocess.Popen(c, cwd=ROOT, stdout=log, stderr=log) for c in commands]
        try:
            while not file.exists() or not file.stat().st_size:
                time.sleep(0.1)
            os.environ[distributed.SETTING] = json.loads(file.read_text())["address"]
            distributed._client().wait_for_workers(workers)
            yield
        finally:
            distributed._client().close()
            os.environ.pop(distributed.SETTING, None)
            for process in processes:
                process.kill()
                process.wait()


def made(file: Path, n: int, d: int) -> None:
    """A .npy of standard normal float32, (n, d), written block by block by the workers."""
    np.lib.format.open_memmap(file, "w+", "float32", (n, d)).flush()
    step = distributed.READ_BYTES // (4 * d)
    blocks = [(str(file), start, min(step, n - start)) for start in range(0, n, step)]
    for _ in distributed.map_blocks(write_rows, blocks, len(blocks)):
        pass


def write_rows(file: str, start: int, rows: int) -> Array:
    """One block of `made`."""
    features = np.lib.format.open_memmap(file, "r+")
    features[start : start + rows] = np.random.default_rng(start).standard_normal(
        (rows, features.shape[1]), dtype="float32"
    )
    return np.array(rows)


def measured(workers: int, head: LinearHead, train: FeatureSet, bias: CounterfactualBias) -> Run:
    """Both steps."""
    fit_curvature(
        head, train.subset(slice(0, 5_000)), damping=DAMPING
    )  # has the workers import what they need
    before, begun = spent_so_far(workers), time.perf_counter()
    curvature = fit_curvature(head, train, damping=DAMPING)
    middle = time.perf_counter()
    scores = bias_influence(head, train, bias, curvature)
    ended, after = time.perf_counter(), spent_so_far(workers)
    clock = {"curvature": middle - begun, "scores": ended - middle, "both": ended - begun}
    spent = [after[who].since(before[who]) for who in after]
    return Run(workers, clock, spent, os.getloadavg()[0], scores.removal_effect)


def spent_so_far(workers: int) -> dict[str, Spent]:
    """By worker."""
    return distributed._client().run(Spent.now) if workers else {"": Spent.now()}


def told(report: Report, runs: list[Run], n: int, d: int) -> list[Aim]:
    """Tables of all runs, and what was promised."""
    rows = [
        (
            f"{run.workers} workers" if run.workers else "no cluster",
            *(duration(seconds) for seconds in run.clock.values()),
            duration(run.busiest.ran),
            duration(run.busiest.queued),
            ", ".join(f"{spent.peak_gb:.2f} GB" for spent in run.spent),
            f"{run.load:.1f}",
        )
        for run in runs
    ]
    report.table(
        f"{n:,} x {d} float32 from a file, 2 classes, {n * d * 4 / 1e9:.1f} GB",
        ["who", "curvature", "scores", "both", "busiest ran", "busiest queued", "peak of each", "load after"],
        rows,
        "By the clock, in the order of measuring; then of the busiest worker (of this process, without a cluster) "
        "the processor time of both steps and how long its threads were ready and had no processor.",
    )
    clock = {w: min(run.clock["both"] for run in runs if run.workers == w) for w in LINE_UP}
    ran = {w: min(run.busiest.ran for run in runs if run.workers == w) for w in LINE_UP}
    alone = next(run.scores for run in runs if not run.workers)
    off = max(np.abs(run.scores - alone).max() for run in runs) / np.abs(alone).max()
    peak = max(spent.peak_gb for run in runs if run.workers for spent in run.spent)
    one, none = (
        f"{times(clock[w] / clock[2])} by the clock, {times(ran[w] / ran[2])} by the busiest's processor time"
        for w in (1, 0)
    )
    return [
        Aim(f"Peak of a worker under {LIMIT_GB:g} GB", peak < LIMIT_GB, f"{peak:.2f} GB"),
        Aim("Scores equal to those without a cluster to 1e-6 of the largest", bool(off < 1e-6), f"{off:.1e}"),
        Aim("Two workers faster than one by the clock, best of the rounds", clock[2] < clock[1], one),
        Aim("Two workers faster than no cluster by the clock, best of the rounds", clock[2] < clock[0], none),
    ]


if __name__ == "__main__":
    one_thread()
    main(quick="--quick" in sys.argv)

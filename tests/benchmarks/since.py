"""How much faster than before: each step that was made quicker, on today's code and on commit 79d59c1, in turns.

    python tests/benchmarks/since.py [--quick]

The older code comes out of git, so it takes a clone with its history. Every run is a process of its own (see
`since_steps.py`); the least of its rounds counts. Nothing is asserted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core.home import data_folder
from tests.benchmarks import core_speed, field_speed
from tests.benchmarks.timing import Aim, Report, duration, one_thread, progress, results_folder, times

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "79d59c1"
ROUNDS = 2
DEAR_S = 8.0  # a step that took longer is not repeated
LIMIT_S = 300
Figures = np.ndarray


@dataclass(frozen=True)
class Asked:
    """A step, what it is called, how much faster it is to be, how many seconds it may take, and on how many threads; by
    the clock where several work at once, else by the clock or by the CPU, whichever is less."""

    step: str
    name: str
    aim: float | None = None
    most_s: float | None = None
    threads: int = 1
    by_clock: bool = False


ASKED = (
    Asked("scores, 2 classes", "scores, 162,770 x 512, 2 classes", 7),
    Asked("scores, 10 classes", "scores, 162,770 x 512, 10 classes", 3),
    Asked("ladder, d = 128", "ladder of ten strengths, 40,000 x 128, 2 classes", 3),
    Asked("ladder, d = 512", "ladder of ten strengths, 40,000 x 512, 2 classes", 2.5),
    Asked("judging, 2 classes", "judging a path, 20,000 people, 2 classes", 8),
    Asked("judging, 10 classes", "judging a path, 20,000 people, 10 classes", 8),
    Asked("preconditioner", "preconditioner, 5,000 x 64, 100 classes", 30),
    Asked("audit", "Find bias, 40 attributes, 20,000 people", most_s=3),
    Asked("gaps", "gaps by 40 attributes, 20,000 people"),
    Asked("features", "features of 6,000 faces, one thread", 1.8, by_clock=True),
    Asked("features", "features of 6,000 faces, two threads", 3.5, threads=2, by_clock=True),
    Asked("training", "training on CelebA, 5 epochs, two threads", most_s=45, threads=2, by_clock=True),
    Asked("first start", "the demo's accuracy on screen after a first start", most_s=5, by_clock=True),
)


@dataclass
class Side:
    """One checkout's best time of a step and its figures."""

    seconds: float
    figures: Figures


def main(*, quick: bool = False, folder: Path | None = None, asked: tuple[Asked, ...] = ASKED) -> list[Aim]:
    """Measure, print, write, and say which aims are met."""
    report, folder = Report(f"Faster than commit {BEFORE}"), folder or results_folder(quick=quick)
    report.machine(quick=quick)
    rows, aims = [], []
    with tempfile.TemporaryDirectory() as made:
        older = Path(made) / "before"
        if why := checked_out(older):
            report.table("Not compared", ["why"], [[why]])
            asked = ()
        n, d = (2_000, 128) if quick else (core_speed.N, core_speed.D)
        for classes in (2, 10) if asked else ():
            (Path(made) / str(classes)).mkdir()
            field_speed.write_arrays(Path(made) / str(classes), n, d, classes)
        for one in asked:
            row, found = compared(one, older, Path(made), quick=quick)
            rows.append(row)
            aims += found
    if rows:
        columns = ["step", "before", "today", "faster", "how alike their figures are"]
        report.table("The same steps on both, in turns", columns, rows)
    report.aims(aims)
    report.write(folder, "since")
    return aims


def checked_out(older: Path) -> str:
    """The older code in a folder, or why not."""
    older.mkdir()
    packed = older / "code.tar"
    steps = (["git", "archive", "-o", str(packed), BEFORE], ["tar", "-xf", str(packed), "-C", str(older)])
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"Commit {BEFORE} could not be had from git: {done.stderr.strip()[:160]}"
    return ""


def compared(asked: Asked, older: Path, arrays: Path, *, quick: bool) -> tuple[tuple[str, ...], list[Aim]]:
    """A row of the table, and what was promised of it."""
    progress(asked.name)
    try:
        before, today = sides(asked, older, arrays, quick=quick)
    except RuntimeError as error:  # one step that fails loses nothing of the others
        return (asked.name, "–", "–", "–", f"Did not run: {error}"), []
    ratio, alike = before.seconds / today.seconds, likeness(before.figures, today.figures)
    aims = []
    if asked.aim is not None:
        aims.append(Aim(f"{asked.name}: {asked.aim:g}x", ratio >= asked.aim, f"{times(ratio)}, {alike}"))
    if asked.most_s is not None:
        took = today.seconds
        aims.append(Aim(f"{asked.name}: {asked.most_s:g} s", took <= asked.most_s, duration(took)))
    return (asked.name, duration(before.seconds), duration(today.seconds), times(ratio), alike), aims


def sides(asked: Asked, older: Path, arrays: Path, *, quick: bool) -> tuple[Side, Side]:
    """Both checkouts' best times and figures, from rounds in turns."""
    found: list[list[Side]] = [[], []]
    for _ in range(1 if quick else ROUNDS):
        for place, root in enumerate((older, ROOT)):
            found[place].append(ran(asked, root, arrays, quick=quick))
        if found[0][-1].seconds > DEAR_S:
            break
    best: Callable[[list[Side]], Side] = lambda rounds: min(rounds, key=lambda one: one.seconds)  # noqa: E731
    return best(found[0]), best(found[1])


def ran(asked: Asked, root: Path, arrays: Path, *, quick: bool) -> Side:
    """One round of one checkout."""
    script = str(Path(__file__).with_name("since_steps.py"))
    command = [sys.executable, "-P", script, asked.step, str(arrays), "small" if quick else "whole"]
    threads = {name: str(asked.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    env = os.environ | threads | {"PYTHONPATH": str(root), "FMD_DATA_DIR": str(data_folder().resolve())}
    try:
        ended = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"stopped after {LIMIT_S} s") from error
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["it was killed"])[-1][:160])
    wall, cpu = json.loads(ended.stdout.splitlines()[-1])
    return Side(wall if asked.by_clock else min(wall, cpu), np.load(arrays / "figures.npy"))


def likeness(before: Figures, today: Figures) -> str:
    """How alike both checkouts' figures are: to the bit, or by how much, and in what order."""
    if before.shape != today.shape:
        return f"other figures: {before.shape} and {today.shape}"
    if np.array_equal(before, today, equal_nan=True):
        return "to the bit"
    return ", ".join(_differences(before.ravel(), today.ravel()))


def _differences(before: Figures, today: Figures) -> Iterator[str]:
    largest = np.nanmax(np.abs(before)) or 1.0
    yield f"{np.nanmax(np.abs(before - today)) / largest:.0e} of the largest"
    if len(before) > 1_000:
        yield f"1 - Spearman {1 - spearmanr(before, today).statistic:.0e}"


if __name__ == "__main__":
    one_thread()
    main(quick="--quick" in sys.argv)

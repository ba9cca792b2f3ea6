"""Measuring fairly on a shared machine, and writing down what was measured."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

RESULTS = Path(__file__).parent / "results"
T = TypeVar("T")
BUDGET_S = 2.5
"""About how long one group of measurements may take beyond three repetitions."""


@dataclass(frozen=True)
class Timing:
    """Wall times of one step, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __truediv__(self, other: Timing) -> float:
        return self.median / other.median

    def __str__(self) -> str:
        return f"{duration(self.median)} (best {duration(min(self.seconds))}, {len(self.seconds)} runs)"


def side_by_side(steps: dict[str, Callable[[], object]], *, most: int = 15) -> dict[str, Timing]:
    """Warm every step up once, then run them in turns, so that a neighbour's load meets all of them.

    Three to `most` rounds, as the budget allows; where one round takes longer than the budget,
    the warm-up is the measurement.
    """
    rounds = [_round(steps)]
    if sum(rounds[0].values()) < BUDGET_S:
        rounds = []
        while len(rounds) < 3 or (len(rounds) < most and sum(sum(r.values()) for r in rounds) < BUDGET_S):
            rounds.append(_round(steps))
    return {name: Timing(tuple(r[name] for r in rounds)) for name in steps}


def timed(step: Callable[[], object]) -> Timing:
    """One step alone, measured like `side_by_side`."""
    return side_by_side({"step": step})["step"]


def _round(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    spent = {}
    for name, step in steps.items():
        _, spent[name] = clocked(step)
    return spent


def clocked(step: Callable[[], T]) -> tuple[T, float]:
    """What a step gives and the seconds it takes, by the clock or by the CPU, whichever is less: where
    neighbours hold the CPUs the clock counts them in, and of several threads the CPU counts each."""
    begun = time.perf_counter(), time.process_time()
    found = step()
    return found, min(time.perf_counter() - begun[0], time.process_time() - begun[1])


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    if seconds < 1:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds / 3600:.3g} h"


def times(ratio: float) -> str:
    """A ratio such as 2.3x."""
    return f"{ratio:,.0f}x" if ratio >= 20 else f"{ratio:.2g}x"


def progress(message: str) -> None:
    """A line for whoever waits."""
    print(f"[{time.strftime('%H:%M:%S')}] {message}", file=sys.stderr, flush=True)


def results_folder(*, quick: bool) -> Path:
    """Where a script leaves its report: a quick run beside the real ones."""
    return RESULTS / "quick" if quick else RESULTS


def one_thread() -> None:
    """One thread for every library, in this process and those it starts; to be called by scripts, before torch
    is loaded. Threads that wait for each other on shared CPUs make times that say little."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpool_limits(1)


def machine_facts() -> list[tuple[str, str]]:
    """Threads, load, bandwidth and arithmetic peak of this machine, measured now."""
    facts = [
        ("CPUs this process may use", str(len(os.sched_getaffinity(0)))),
        ("BLAS", blas()),
        ("load average at the start (1, 5, 15 min)", ", ".join(f"{load:.1f}" for load in os.getloadavg())),
    ]
    block = np.ones((100_000, 512), "float32")
    found = side_by_side({"gemv": lambda: block @ block[0], "sum": block.sum, "copy": block.copy})
    for name, moved in (("gemv", 1), ("sum", 1), ("copy", 2)):
        rate = moved * block.nbytes / found[name].median / 1e9
        facts.append((f"memory bandwidth by {name}, 205 MB of float32", f"{rate:.1f} GB/s"))
    for dtype in ("float32", "float64"):
        square = np.random.default_rng(0).standard_normal((2048, 2048)).astype(dtype)
        rate = 2 * 2048**3 / timed(lambda square=square: square @ square).median / 1e9
        facts.append((f"matrix product of 2048 x 2048, {dtype}", f"{rate:.0f} GFLOP/s"))
    return facts


def blas() -> str:
    """Which BLAS computes here and with which kernel: a setting of the machine can hold it to an older, slower one."""
    found = threadpool_info()
    return ", ".join(
        f"{one['internal_api']} {one.get('version') or ''} ({one.get('architecture') or 'kernel unknown'}), "
        f"threads: {one['num_threads']}"
        for one in found
    )


def memory_of(name: str) -> float:
    """Bytes that this process holds (VmRSS) or held at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * float(line.split()[1])
    return 0.0


def forget_peak() -> None:
    """From here on VmHWM counts anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_rss() -> str:
    """The most memory this process has held so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"


@dataclass(frozen=True)
class Aim:
    """Something that was promised, and whether it came true."""

    promise: str
    met: bool
    figure: str


@dataclass
class Report:
    """Tables, printed as they come and kept as Markdown and JSON."""

    title: str
    parts: list[str] = field(default_factory=list)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def table(
        self, title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], note: str = ""
    ) -> None:
        """Add one table and print it."""
        columns, cells = list(columns), [[str(cell) for cell in row] for row in rows]
        lines = [f"## {title}", ""] + ([note, ""] if note else [])
        lines += [_line(columns), _line(["---"] * len(columns))] + [_line(row) for row in cells]
        self.tables[title] = [dict(zip(columns, row, strict=True)) for row in cells]
        self.parts.append("\n".join(lines))
        print(self.parts[-1] + "\n", flush=True)

    def machine(self, *, quick: bool = False) -> None:
        """A table of what this machine can do now; a quick run says instead that it is one."""
        if quick:
            self.parts.append("**A quick run on small data: it shows that everything works, not how well.**")
        else:
            self.table("Machine", ["what", "measured"], machine_facts())

    def aims(self, aims: Iterable[Aim]) -> None:
        """A table of what was promised."""
        rows = [(aim.promise, aim.figure, "met" if aim.met else "**missed**") for aim in aims]
        self.table("Aims", ["aim", "measured", "met or missed"], rows)

    def write(self, folder: Path, name: str) -> None:
        """Leave the report in a folder, with the load that it ended under."""
        folder.mkdir(parents=True, exist_ok=True)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        now = time.strftime("%Y-%m-%d at %H:%M")
        ending = f"Finished on {now}, load average then (1, 5, 15 min) {load}. BLAS: {blas()}."
        text = "\n\n".join([f"# {self.title}", ending, *self.parts]) + "\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
        content = json.dumps(self.tables, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(content, encoding="utf-8")


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"

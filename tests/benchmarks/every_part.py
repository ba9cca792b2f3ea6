"""Every benchmark, one after the other, and the page of what they found after each: `make bench`.

    python tests/benchmarks/every_part.py [--quick] [PART ...]

A part that fails, or is stopped, loses nothing of the others; the page then says so, and this ends with 1. `--quick`
shows in minutes that every part runs, and leaves the page alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from tests.benchmarks import page
from tests.benchmarks.timing import progress, results_folder

HERE = Path(__file__).parent
PARTS = (
    "field_speed", "since", "scaling", "growth", "core_speed", "field_agreement", "app_speed", "unlearning_quality",
)  # fmt: skip
"""What is asked most of stands first."""
LIMIT_S = 15 * 60
Run = Callable[[Sequence[str]], int]


def main(parts: Sequence[str], *, quick: bool = False, run: Run | None = None, docs: Path = page.DOCS) -> int:
    """Run the parts; how many failed."""
    folder, begun = results_folder(quick=quick), time.monotonic()
    for part in parts:  # what an earlier run left is not this one's
        for kind in ("md", "json"):
            (folder / f"{part}.{kind}").unlink(missing_ok=True)
    failed: dict[str, str] = {}
    for part in parts:
        progress(part)
        started = time.monotonic()
        command = [sys.executable, str(HERE / f"{part}.py"), *(["--quick"] if quick else [])]
        if ended := (run or to_its_end)(command):
            failed[part] = f"it ended with {ended} after {(time.monotonic() - started) / 60:.0f} minutes"
            progress(f"{part}: {failed[part]}")
        progress(f"{part} took {time.monotonic() - started:.0f} s")
        if quick:
            with tempfile.TemporaryDirectory() as nowhere:
                page.main(folder, Path(nowhere), failed)
        else:
            page.main(folder, docs, failed)
    progress(
        f"all of it took {(time.monotonic() - begun) / 60:.0f} minutes; failed: {', '.join(failed) or 'none'}"
    )
    return len(failed)


def to_its_end(command: Sequence[str]) -> int:
    """Run a part, what it prints and all; its exit status, 124 where it takes too long."""
    with subprocess.Popen(command, start_new_session=True) as part:
        try:
            return part.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            return 124
        finally:  # also what it started: a server, a procedure that is being measured
            with contextlib.suppress(ProcessLookupError):
                os.killpg(part.pid, signal.SIGKILL)


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name != "--quick"]
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; choose of {', '.join(PARTS)}.")
    sys.exit(min(1, main(chosen or PARTS, quick="--quick" in sys.argv)))

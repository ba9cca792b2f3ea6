"""One page of what the benchmarks have left in their results so far: docs/benchmarks.md and .json.

python tests/benchmarks/page.py
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from tests.benchmarks.timing import RESULTS

DOCS = Path(__file__).parents[2] / "docs"
REPORTS = ("since", "field_agreement", "field_speed", "unlearning_quality", "scaling", "growth")
PACKAGES = ("numpy", "scipy", "torch", "captum", "dattri", "kronfluence", "traker")
GUIDE = """\
**How to read this.** Measured by `make bench` on a shared machine, whose load and BLAS kernel stand in each part: read
ratios before times. Agreement, speed, growth and comparisons with earlier code are measured with one thread for every
library, ours and theirs, unless two are named: threads that wait for each other on shared CPUs make times that say
little. Their times are by the clock or by the CPU, whichever is less, so that neighbours are not counted in.
Fine-tuning of the whole network uses all CPUs. A
figure with **~** is scaled from fewer rows; all others were measured as they stand. The peers are needed
by the benchmark alone (`requirements-bench.txt`), never by FMD Studio.
"""


CHANGES = "## Changes\n"
"""The last part of the page, which is written by hand: what each change of speed was measured at, once."""


NONE_FAILED: Mapping[str, str] = MappingProxyType({})


def main(results: Path = RESULTS, docs: Path = DOCS, failed: Mapping[str, str] = NONE_FAILED) -> None:
    """Write both files; `failed` says of a part how it ended where it did not finish."""
    tables = {name: json.loads(read(results / f"{name}.json") or "{}") for name in REPORTS}
    aims = [row for found in tables.values() for row in found.get("Aims", [])]
    missing = [name for name in REPORTS if not tables[name]]
    lines = [
        "# Measured against the field",
        "",
        f"Written on {time.strftime('%Y-%m-%d')}; {versions()}.",
        "",
        GUIDE.rstrip(),
        "",
    ]
    said = [f"- Not run: {name}." for name in missing if name not in failed]
    said += [f"- Not finished: {name}; {how}." for name, how in failed.items()]
    lines += [
        *said,
        *([""] if said else []),
        "## Aims",
        "",
        "| aim | measured | met or missed |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(row.values())} |" for row in aims]
    lines += [lowered(read(results / f"{name}.md")) for name in REPORTS if name not in missing]
    lines += ["", CHANGES + by_hand] if (by_hand := written(docs / "benchmarks.md")) else []
    docs.mkdir(exist_ok=True)
    (docs / "benchmarks.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    content = json.dumps(tables, indent=1, ensure_ascii=False)
    (docs / "benchmarks.json").write_text(content + "\n", encoding="utf-8")


def read(path: Path) -> str:
    """A file's text; nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def written(page: Path) -> str:
    """What stands under CHANGES on the page as it is."""
    return read(page).partition(f"\n{CHANGES}")[2]


def lowered(report: str) -> str:
    """A report under a heading one step lower, without its aims, which stand at the top of the page."""
    parts = [part for part in re.split(r"(?m)^(?=##? )", report) if part and not part.startswith("## Aims")]
    return "".join(["\n", *(f"#{part}" for part in parts)]).rstrip()


def versions() -> str:
    """The packages' versions, of those that are here."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


if __name__ == "__main__":
    main()

"""docs/results.md and docs/results.json from the cells that were measured; the page is made of the numbers alone."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmd_core.errors import DataError
from fmd_core.figures import with_capital
from fmd_core.reproduction.aims import outcomes
from fmd_core.reproduction.cases import Case
from fmd_core.reproduction.cells import PARTS, Cell, Row
from fmd_core.reproduction.summary import cells_of, summarise
from fmd_core.reproduction.trained_models import this_machine
from fmd_core.unlearn.retraining.methods import METHODS

JSON, MARKDOWN = "results.json", "results.md"
DIGITS = 6  # of shares of groups
SCHEMA = "fmd-results-3"
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")
NOTHING = "–"
HEADINGS = (
    "treatment", "accuracy", "every group alike", "worst group [95 %]", "n", "bias", "calibrated", "flips", "CPU s",
)  # fmt: skip
GUIDE = """\
**How to read this.** Test people judge; they had no part in training, in a fix or in its choice. Training and external
people teach, on the same network with the same seed for every row; validation people choose, under the guard "at most
so many points": no more of overall accuracy lost, no class given up, neither the worst group nor the bias at equal
sureness worse by more than its error. "no guard": what validation people are answered best by with every group counted
alike, whatever it costs. Of folds everybody is tested once and the people are pooled; of seeds the figures are means,
accuracy with the lowest and the highest, and n is that of one test part. *every group alike* is the mean accuracy over
class x level; *worst group* is that with the lowest accuracy of those with at least 30 people, with its 95 % interval.
*bias* is that between twins, where twins are other people beyond the placebo; *calibrated*: the same at the temperature
that suits validation people; *flips*: twins who get another answer. *CPU s* is of one thread, training included.

**What the rows are.** "last layer, iterated" is what the page suggests first; paper-remove, -replace and -external are
the steps of the publication of FMD (Chen et al., NeurIPS 2023). "thresholds moved" learns nothing; "last-layer refit"
is deep feature reweighting (arXiv 2204.02937). "last layer" to "whole network" let the network learn on. The methods
below them train the same network from the beginning with the original's recipe, untuned, each with one setting of its
publication; the guard may mix the original in, as it may when a network learns on. Gradient boosting is a reference of
what accuracy the columns allow, not a fix."""
CHOSEN_BEFORE = """\
The targets of CelebA beside blond hair, smiling by high cheekbones and attractive by male, were written down before any
network was trained on them and before any test figure was seen."""


def results(cases: Sequence[Case], seeds: int, skipped: Sequence[str] = ()) -> dict[str, Any]:
    """Everything that is written down, from the cells that there are. Raises DataError where there are none."""
    found = []
    for case in cases:
        cells = cells_of(case, seeds)
        if cells:
            found.append(_case(case, cells, seeds))
    if not found:
        raise DataError(
            "Nothing was measured yet, so there is nothing to write down; leave out --write-only."
        )
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {
        "schema": SCHEMA,
        "machine": this_machine(),
        "versions": versions,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seeds": seeds,
        "cases": found,
        "skipped": list(skipped),
    }


def _case(case: Case, cells: Sequence[Cell], seeds: int) -> dict[str, Any]:
    summaries = list(summarise(case, cells))
    measured = {(cell.part, cell.run) for cell in cells}
    people = list(dict.fromkeys(_people(row) for cell in cells for row in cell.rows))
    missing = {part: [run for run in case.runs(seeds) if (part, run) not in measured] for part in PARTS}
    return {
        **asdict(case),
        "title": cells[0].title,
        "runs": list(case.runs(seeds)),
        "unit": cells[0].unit or "person",
        "machines": sorted({cell.machine for cell in cells}),
        "dates": sorted({cell.date for cell in cells}),
        "summaries": [asdict(summary) for summary in summaries],
        "aims": [asdict(outcome) for outcome in outcomes(case, cells, seeds)],
        "cannot": {cell.part: cell.why_not for cell in cells if cell.why_not},
        "notes": {
            note: list(dict.fromkeys(cell.part for cell in cells if cell.note == note))
            for note in dict.fromkeys(cell.note for cell in cells if cell.note)
        },
        "not_run": {part: runs for part, runs in missing.items() if runs},
        "people": [[list(group) for group in groups] for groups in people],
        "cells": [
            {"run": cell.run, "part": cell.part, "rows": [_written(row, people) for row in cell.rows]}
            for cell in cells
        ],
    }


def _people(row: Row) -> tuple[tuple[str, int], ...]:
    """The groups that a row tells of: name and people."""
    return tuple((name, n) for name, _, n in row.groups)


def _written(row: Row, people: Sequence[tuple[tuple[str, int], ...]]) -> dict[str, Any]:
    """A row, whose groups are named once for all rows of the same people: `people` is their place, `groups` the shares
    that are answered right, in that order."""
    shares = [round(share, DIGITS) for _, share, _ in row.groups]
    return {**asdict(row), "people": people.index(_people(row)), "groups": shares}


def write_results(content: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write the page and the numbers behind it. Raises DataError where the folder cannot be written."""
    text, numbers = folder / MARKDOWN, folder / JSON
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(_a_cell_a_line(content), encoding="utf-8")
        text.write_text(page(content), encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


def _a_cell_a_line(content: Mapping[str, Any]) -> str:
    """A figure a line would make a hundred thousand lines."""
    cells = [
        json.dumps({"case": case["name"], **cell}) for case in content["cases"] for cell in case["cells"]
    ]
    rest = {
        **content,
        "cases": [{k: v for k, v in case.items() if k != "cells"} for case in content["cases"]],
    }
    head = json.dumps(rest, indent=1).rstrip().removesuffix("}").rstrip()
    return head + ',\n "cells": [\n  ' + ",\n  ".join(cells) + "\n ]\n}\n"


# --- the page


def page(content: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    yield "# Results"
    yield ""
    yield (
        f"Written by `fmd reproduce` on {content['date']}, on {content['machine']}; {versions}. The same figures, run "
        f"by run, are in `{JSON}`."
    )
    yield from ("", GUIDE)
    if any(case["reference"].startswith("celeba?") for case in content["cases"]):
        yield from ("", CHOSEN_BEFORE)
    yield from ("", "## Aims", "")
    for case in content["cases"]:
        for aim in case["aims"]:
            yield _aim(case, aim)
    for sentence in content["skipped"]:
        yield f"- {sentence}"
    for case in content["cases"]:
        yield from _table(case)


def _aim(case: Mapping[str, Any], aim: Mapping[str, Any]) -> str:
    said = f"- **{aim['state']}**: {case['title']}: {aim['promise']}."
    if aim["measured"]:
        said += f" Measured: {aim['measured']}."
    return said + (f" {with_capital(aim['tried'])}." if aim["tried"] else "")


def _table(case: Mapping[str, Any]) -> Iterator[str]:
    what = "fold" if case["folds"] > 1 else "seed"
    of = len(case["runs"])
    yield from ("", f"## {case['title']} ({case['name']})", "")
    recipe = (
        "the demo's own model"
        if case["bundled"] and of == 1
        else f"{case['architecture']}, {case['epochs']} epochs"
        + (", seed 0 the demo's own" if case["bundled"] else "")
    )
    yield (
        f"`{case['reference']}`, {recipe}; {of} {what}{'s' * (of > 1)}. Measured on {', '.join(case['dates'])}, on "
        f"{', '.join(case['machines'])}."
    )
    yield ""
    yield f"| {' | '.join(HEADINGS)} |"
    yield "| --- |" + " ---: |" * (len(HEADINGS) - 1)
    for summary in case["summaries"]:
        yield _row(summary, of, what, pooled=case["folds"] > 1)
    told = [f"- {_named(part)} cannot be done here: {why}" for part, why in case["cannot"].items()]
    told += [f"- {', '.join(map(_named, parts))}: {note}" for note, parts in case["notes"].items()]
    if case["not_run"]:
        parts = "; ".join(
            f"{_named(part)} ({what}{'s' * (len(runs) > 1)} {', '.join(map(str, runs))})"
            for part, runs in case["not_run"].items()
        )
        told.append(
            f"- Not run, since the run was stopped before or did not ask for it: {parts}. "
            f"`fmd reproduce --cases {case['name']}` goes on there."
        )
    if told:
        yield from ("", *told)


def _named(part: str) -> str:
    return METHODS[part].title if part in METHODS else part


def _row(summary: Mapping[str, Any], of: int, what: str, *, pooled: bool) -> str:
    runs = summary["runs"]
    name = summary["treatment"] + (f" ({len(runs)} of {of} {what}s)" if len(runs) < of else "")
    accuracy = f"{summary['accuracy']:.3f}"
    if not pooled and len(runs) > 1:
        accuracy += f" ({summary['lowest']:.3f} to {summary['highest']:.3f})"
    worst, n = NOTHING, NOTHING
    if summary["worst"]:
        group = summary["worst"]
        worst = f"{group['value']:.3f} [{group['low']:.2f}, {group['high']:.2f}] {group['name']}"
        n = f"{group['n']:,}"
    twins = " | ".join(
        NOTHING if summary[what] is None else f"{summary[what]:.3f}"
        for what in ("bias", "calibrated", "flips")
    )
    seconds = f"{summary['seconds']:.1f}" if summary["seconds"] >= 0.05 else NOTHING
    return f"| {name} | {accuracy} | {summary['balanced']:.3f} | {worst} | {n} | {twins} | {seconds} |"

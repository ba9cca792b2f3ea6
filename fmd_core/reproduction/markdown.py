"""The results of `fmd_core.reproduction` as a page of Markdown, made of what stands in results.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Content = Mapping[str, Any]
NOTHING = "–"
COLUMNS = (
    ("accuracy", "accuracy", 3),
    ("B", "bias", 3),
    ("placebo's B", "placebo", 3),
    ("excess", "excess", 3),
    ("worst group", "worst_group", 3),
    ("parity", "parity", 3),
    ("opportunity", "opportunity", 3),
    ("solve, s", "seconds", 2),
    ("guard, s", "guard_seconds", 2),
)
"""Heading, name in results.json, decimals."""
COMMAND = "python -m fmd_core reproduce"

GUIDE = """\
**How to read this.** Every figure is measured on held-out test samples that had no part in training, in
the fix or in its choice; it is the mean over the seeds, with the lowest and the highest in brackets.
*accuracy* is overall (Coloured MNIST is tested in random ink, so there it is the unbiased accuracy).
*B* is the counterfactual bias, 0 to 1: how far the probability of the right class moves between twins.
Where twins are two real people they differ in more than the attribute, so beside B stands that of
*placebo* twins, who share the attribute; the *excess* is what is left for the attribute. *worst group* is
the lowest accuracy of a class and attribute level with at least 30 test people (who they are and how
many, n, stands under the table, with what was chosen, seed by seed). *parity* and *opportunity* are
aif360's demographic parity and equal opportunity difference, the level that training ties to a class
minus the others, classes pooled where there are more than two. *solve* is the time from features and
pairs to the heads (for the published steps with curvature and scores), all strengths of the path
together; *guard* is the time in which validation people choose one. *pairs* are the external pairs that
were used. "guarded, 1 point" is what the dashboard suggests when the guard lets 1 point of accuracy go.
"last-layer refit" is deep feature reweighting (Kirichenko et al., 2022) on the same pairs, its damping
chosen on validation people. "averaged over the attribute" asks the model once for every level of the
column and takes the mean: both twins get the same answer, so B is 0 by construction, and no fix of the
head can do better on B.
"""


def page(results: Content) -> str:
    """The whole page."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Content) -> Iterator[str]:
    yield "# Results"
    yield ""
    if results["quick"]:
        yield "**A quick run: one seed, one epoch. It shows that everything works, not how well.**"
        yield ""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    yield f"Written by `{COMMAND}` on {results['date']}, {_counted(results['seeds'], 'seed')}, on"
    yield f"{results['machine']}; {versions}. The same figures, seed by seed, are in `results.json`."
    yield ""
    yield GUIDE
    yield from _aims(results["aims"])
    for sentence in results["skipped"]:
        yield f"- {sentence}"
    for table in results["tables"]:
        yield from _section(table)


def _aims(aims: Sequence[Content]) -> Iterator[str]:
    if aims:
        yield "## Aims"
        yield ""
    for aim in aims:
        yield f"- **{'aim met' if aim['met'] else 'missed'}**: {aim['promise']}. Measured: {aim['figure']}."


def _section(table: Content) -> Iterator[str]:
    seconds = ", ".join(f"{value:.0f} s" for value in table["train_seconds"])
    task = f"{table['target']} by {table['attribute']}"
    yield from ("", f"## {table['title']}: {task} ({table['architecture']})", "")
    training = f"trained for {_counted(table['epochs'], 'epoch')}: {seconds}"
    yield f"`{table['reference']}`, {training}, on {table['trained_on']}."
    yield ""
    columns = [c for c in COLUMNS if any(s["figures"][c[1]] is not None for s in table["summaries"])]
    yield _table_row(["method", *(c[0] for c in columns), "pairs"])
    yield "| --- |" + " ---: |" * (len(columns) + 1)
    for summary in table["summaries"]:
        cells = [figure(summary["figures"][name], digits) for _, name, digits in columns]
        yield _table_row([summary["method"], *cells, f"{summary['pairs']:,}"])
    yield ""
    for summary in table["summaries"]:
        yield f"- {summary['method']}: {_who_and_what(summary)}"


def _table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _who_and_what(summary: Content) -> str:
    """Who the worst group is, and what was chosen, seed by seed."""
    worst = summary["worst_group_name"]
    who = f"worst group {worst} (n = {summary['worst_group_people']:,})" if worst else "no group of 30 people"
    return "; ".join([who, *summary["settings"]] if any(summary["settings"]) else [who]) + "."


def figure(spread: Content | None, digits: int) -> str:
    """Mean (lowest to highest) over the seeds; the mean alone where they agree."""
    if spread is None:
        return NOTHING
    mean, low, high = (f"{spread[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return mean if low == high else f"{mean} ({low} to {high})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""The tables of docs/language_models.md, made of what `language_study` measured and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmd_core.errors import DataError
from fmd_core.intervals import Estimate
from fmd_core.language.document import figure
from fmd_core.language.examples import SETS
from fmd_core.language.unlearning import FORMS
from fmd_core.running.whole_files import written_whole

JSON, MARKDOWN = "language_models.json", "language_models.md"
BEGINS, ENDS = "<!-- tables of fmd reproduce --language -->", "<!-- end of the tables -->"
HEADING = "# Language models (experimental)"
Told = Mapping[str, Any]


def write_language(content: Told, folder: Path) -> tuple[Path, Path]:
    """Write the numbers, and the tables into the page between their marks; other words of the page stay."""
    numbers, page = folder / JSON, folder / MARKDOWN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        around = page.read_text("utf-8") if page.is_file() else f"{HEADING}\n\n{BEGINS}\n{ENDS}\n"
        before, begins, rest = around.partition(BEGINS)
        _, ends, after = rest.partition(ENDS)
        if not begins or not ends:
            raise DataError(f"'{page}' has no place for the tables: the lines '{BEGINS}' and '{ENDS}'.")
        for file, text in (
            (numbers, json.dumps(content, indent=1) + "\n"),
            (page, f"{before}{BEGINS}\n{tables(content)}\n{ENDS}{after}"),
        ):
            with written_whole(file) as part:
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return page, numbers


def tables(content: Told) -> str:
    """All tables, with their headings."""
    parts = [
        f"## {content['model']['title']}\n\nMeasured on {content['date']} by `fmd reproduce --language`, "
        f"{content['machine']}, one thread, float32."
    ]
    for name, cell in content["scores"].items():
        parts.append(f"### {SETS[name]}: all {cell['examples']:,} examples\n\n{_by_type(cell['all'])}")
        tried = {
            form: content["tried"][f"{form}.{name}"] for form in FORMS if f"{form}.{name}" in content["tried"]
        }
        if tried:
            pairs = " (pairs)" if name == "crows-pairs" else ""
            parts.append(
                f"Taken out by {cell['terms'][0]} target terms of StereoSet, judged on {cell['terms'][1]} "
                f"others{pairs}:\n\n{_before_after(cell['judging'], tried)}"
            )
    why = [
        f"- {FORMS[form].capitalize()}: not tried. {one['why_not']}"
        for form, one in content["changes"].items()
        if one["why_not"]
    ]
    took = _seconds(content)
    return "\n\n".join([*parts, *(["\n".join(why)] if why else []), took])


def _by_type(told: Told) -> str:
    lines = [
        f"Perplexity on our prose: {told['perplexity']:.1f}.\n",
        "| bias type | examples | terms | LMS | SS | ICAT | difference |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one['bias_type']} | {one['examples']:,} | {one['terms']:,} | {_cell(one['lms'])} | {_cell(one['ss'])} | "
        f"{_cell(one['icat'])} | {_cell(one['difference'], 3)} |"
        for one in told["types"]
    ]
    return "\n".join(lines)


def _before_after(before: Told, tried: Mapping[str, Told]) -> str:
    lines = [
        "| | LMS | SS | ICAT | difference | change at equal temperature | perplexity | at its best temperature | |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
        _row("before", before, "", ""),
    ]
    was = before["at_best_temperature"]["difference"]["value"]
    for form, one in tried.items():
        moved = {key: None if end is None else 100 * end / was for key, end in one["moved"].items()}
        share = f"{_cell(moved)} %".replace("-", "\N{MINUS SIGN}")
        strength = one["strength"]
        how = f"{strength:.0f} steps" if form in ("block", "low-rank") else f"strength {strength:g}"
        lines.append(
            _row(f"{FORMS[form]} ({how})", one["after"], share, one["refused"] or "kept by the rules")
        )
    return "\n".join(lines)


def _row(name: str, told: Told, moved: str, verdict: str) -> str:
    overall = told["types"][0]
    cells = [
        _cell(overall["lms"]),
        _cell(overall["ss"]),
        _cell(overall["icat"]),
        _cell(overall["difference"], 3),
    ]
    even = told["at_best_temperature"]["perplexity"]
    return f"| {name} | {' | '.join(cells)} | {moved} | {told['perplexity']:.1f} | {even:.1f} | {verdict} |"


def _cell(told: Told | None, digits: int = 1) -> str:
    return figure(None if told is None else Estimate(told["value"], told["low"], told["high"], 0), digits)


def _seconds(content: Told) -> str:
    chosen = ", ".join(
        f"{FORMS[form]} {one['cpu_seconds']:,.0f}"
        for form, one in content["changes"].items()
        if not one["why_not"]
    )
    return f"CPU seconds of one thread on a shared machine for choosing a change: {chosen}."

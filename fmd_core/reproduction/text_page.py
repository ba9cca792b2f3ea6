"""docs/text.md and docs/text.json from the rows that were measured; the page is made of the numbers alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmd_core.errors import DataError
from fmd_core.figures import counted
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.method import default_strategy
from fmd_core.reproduction.text_study import FORMS, ORIGINAL, OWN, SENTENCES, TextRow
from fmd_core.reproduction.trained_models import this_machine

JSON, MARKDOWN = "text.json", "text.md"
BETTER = 0.005  # by which a form has to be ahead on average, and ahead with every seed, to be called better
ALIKE = "alike"


def write_texts(rows: Sequence[TextRow], folder: Path) -> tuple[Path, Path]:
    """Write the page and the numbers behind it. Raises DataError for no rows, and where nothing can be written."""
    if not rows:
        raise DataError(
            "Nothing was measured yet, so there is nothing to write down; leave out --write-only."
        )
    numbers, text = folder / JSON, folder / MARKDOWN
    content = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": this_machine(), "rows": [asdict(row) for row in rows]
    }  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        text.write_text(page(rows, content["date"], content["machine"]), encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


def page(rows: Sequence[TextRow], date: object, machine: object) -> str:
    """The document: what was done, tables for each study, the neutral statements, which aims were met, and which form
    is the default where."""
    parts = [INTRODUCTION.format(date=date, machine=machine)]
    for study in dict.fromkeys(row.study for row in rows):
        parts.append(f"## {study}\n")
        own = [row for row in rows if row.study == study]
        for judged in dict.fromkeys(row.judged for row in own):
            parts.append(_judged([row for row in own if row.judged == judged], judged))
    return "\n".join([*parts, _defaults(rows), TRIED])


def _judged(rows: Sequence[TextRow], judged: str) -> str:
    parts = [f"Judged by {judged}.\n" if judged else "", f"{_size(rows)}\n\n{_table(rows)}\n"]
    if any(row.neutral for row in rows):
        parts.append(_neutral_table(rows))
    if rows[0].twins == "swapped":
        parts.append(_aims(rows))
    return "\n".join(part for part in parts if part)


def _size(rows: Sequence[TextRow]) -> str:
    seeds, unit = len({row.seed for row in rows}), "texts" if rows[0].twins == "swapped" else "samples"
    first = min(row.seed for row in rows)
    one = next(row for row in rows if row.seed == first)
    return (
        f"{one.n:,} test {unit}, {one.pairs:,} of them with twins (seed {first}); mean of {counted(seeds, 'seed')}, "
        "and the spread (largest less smallest) of the bias."
    )


def _of(rows: Sequence[TextRow], treatment: str, what: str) -> list[float]:
    return [value for row in rows if row.treatment == treatment and (value := getattr(row, what)) is not None]


def _points(found: Sequence[float], of: str = "mean") -> str:
    return f"{100 * float(np.ptp(found) if of == 'spread' else np.mean(found)):.1f}" if len(found) else ""


def _table(rows: Sequence[TextRow]) -> str:
    lines = [
        "| treatment | accuracy, % | B, points | spread | placebo, points | flips, % | CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for treatment in dict.fromkeys(row.treatment for row in rows):
        bias = _of(rows, treatment, "bias")
        cells = [_points(_of(rows, treatment, "accuracy")), _points(bias), _points(bias, "spread")]
        cells += [_points(_of(rows, treatment, what)) for what in ("placebo", "flips")]
        cells.append(f"{float(np.mean(_of(rows, treatment, 'seconds'))):.1f}")
        lines.append(f"| {treatment} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _neutral_table(rows: Sequence[TextRow]) -> str:
    groups = [name for name, _ in next(row.neutral for row in rows if row.neutral)]
    lines = [
        "How sure the model is that a *neutral* statement of HateCheck is flagged, in %, on held-out templates:\n",
        f"| treatment | {' | '.join(groups)} | largest less smallest |",
        f"|---|{'---:|' * (len(groups) + 1)}",
    ]
    for treatment in dict.fromkeys(row.treatment for row in rows if row.neutral):
        found = np.mean([[v for _, v in row.neutral] for row in rows if row.treatment == treatment], axis=0)
        cells = " | ".join(f"{100 * value:.0f}" for value in found)
        lines.append(f"| {treatment} | {cells} | {100 * float(np.ptp(found)):.0f} |")
    return "\n".join(lines) + "\n"


def _aims(rows: Sequence[TextRow]) -> str:
    """Which aims the retained form met, a line each; or why that cannot be said."""

    def mean(treatment: str, what: str) -> float:
        return float(np.mean(_of(rows, treatment, what)))

    fewest = min((row.pairs for row in rows), default=0)
    if fewest < MIN_PEOPLE:
        return f"{counted(fewest, 'test text')} with twins: too few to say whether an aim is met.\n"
    before, after = mean(ORIGINAL, "bias"), mean("retained", "bias")
    accuracy = mean("retained", "accuracy") - mean(ORIGINAL, "accuracy")
    placebo = _of(rows, ORIGINAL, "placebo")
    said = [
        (
            "B at most a third of the original's",
            after <= before / 3,
            f"{100 * before:.1f} to {100 * after:.1f} points",
        )
    ]
    if placebo:
        floor = float(np.mean(placebo))
        if before <= floor + 0.01:
            return (
                f"The original's B ({100 * before:.1f} points) is no more than its placebo and 1 point "
                f"({100 * floor:.1f}): there is no bias here that a fix could be judged by.\n"
            )
        figures = f"{100 * after:.1f} and {100 * floor:.1f} points"
        said.append(("B below the original's placebo and 1 point", after <= floor + 0.01, figures))
    said.append(("no loss of accuracy", accuracy >= 0, f"{100 * accuracy:+.1f} points"))
    neutral = [row.neutral for row in rows if row.treatment == "retained" and row.neutral]
    if neutral:
        spread = float(np.ptp(np.mean([[v for _, v in one] for one in neutral], axis=0)))
        said.append(("neutral statements within 10 points", spread <= 0.1, f"{100 * spread:.0f} points"))
    return "\n".join(f"- {'Met' if met else 'Missed'}: {aim} ({figure})." for aim, met, figure in said) + "\n"


def ahead(rows: Sequence[TextRow]) -> dict[str, float]:
    """By how much the retained form is better than the iterated one, by study, as the guard trades: the larger of B and
    flips less half the accuracy, of test samples. 0 where the seeds do not agree or it is less than `BETTER`."""
    found = {}
    for study in dict.fromkeys(row.study for row in rows):
        costs = [
            [
                max(row.bias, row.flips or 0) - row.accuracy / 2
                for row in sorted(rows, key=lambda row: row.seed)
                if (row.study, row.treatment) == (study, form)
                and row.bias is not None
                and not _is_elsewhere(row)
            ]
            for form in FORMS
        ]
        if not costs[0]:
            continue
        better = np.subtract(np.array(costs[0]), np.array(costs[1]))
        agree = bool((better > 0).all() or (better < 0).all())
        found[study] = float(better.mean()) if agree and abs(better.mean()) >= BETTER else 0.0
    return found


def _is_elsewhere(row: TextRow) -> bool:
    """Whether other data judge than those that were shared out: what a fix was made for counts."""
    return row.judged not in ("", OWN, SENTENCES)


def preferred(rows: Sequence[TextRow]) -> dict[str, str]:
    """The form that is better by how twins are made: ahead in some study and behind in none; else `ALIKE`."""
    margins: dict[str, list[float]] = {}
    twins = {row.study: row.twins for row in rows if row.treatment == FORMS[0]}
    for study, margin in ahead(rows).items():
        margins.setdefault(twins[study], []).append(margin)
    return {
        how: FORMS[1] if max(all_) > 0 <= min(all_) else FORMS[0] if min(all_) < 0 >= max(all_) else ALIKE
        for how, all_ in margins.items()
    }


def _defaults(rows: Sequence[TextRow]) -> str:
    lines = [
        "## Which form is the default\n",
        "The larger of B and flips less half the accuracy, as the guard trades, on test samples: by how many points "
        "the\n"
        f"retained form is ahead of the iterated one. Alike where it is less than {100 * BETTER:g} or the seeds do not "
        "agree. The\nretained form is the default where it is ahead for that make of twins and behind nowhere.\n",
        "| study | twins | retained ahead by, points |",
        "|---|---|---:|",
    ]
    twins = {row.study: row.twins for row in rows if row.treatment == FORMS[0]}
    for study, margin in ahead(rows).items():
        lines.append(f"| {study} | {twins[study]} | {f'{100 * margin:+.1f}' if margin else ALIKE} |")
    lines.append("")
    for how, form in preferred(rows).items():
        lines.append(f"- Twins that are {how}: {form}; the default is {default_strategy(how)}.")
    return "\n".join(lines) + "\n"


INTRODUCTION = """# Texts

Made by `fmd reproduce --text` on {date}, {machine}. The sentence encoder all-MiniLM-L6-v2 stays as it is; what is
trained and changed is the last layer on its 384 features. Twins are the sentence of the same template about another
group, or the text with terms swapped by the lists that ship. External texts decide, validation texts guard (1 point
of accuracy may be lost), test texts judge. B is the mean change of the probability of the true answer between twins;
the *placebo* is the same when a neutral word is swapped, so that B means nothing where it is no larger. The published
steps (`paper-...`) are those of Chen et al. 2023, guarded. CDA is a refit on training texts and their twins.
Thresholds for each group use the group at test time and leave probabilities, and so B, as they are.

Tweets are those of Davidson et al. 2017; comments are those of Wikipedia's talk pages that Jigsaw had rated, as many
toxic as fine ones, and those that Conversation AI chose for the groups they mention; *other comments* are 1,000 of
CAT_LARGE (of its 10,000 are 59 toxic), of which nothing was learned. Texts of at most 400 characters, 2,000 at most,
of which up to 1,000 name somebody: those are taken first, so accuracy is that of this mix. By identity HateCheck's
sentences in templates are beside them: three tenths of the templates decide, two tenths guard, half judge.

Not shown here and not to be concluded: causal fairness from swapped words, languages other than English, and anything
of a model whose encoder has the bias in other directions than these terms.
"""
TRIED = """## What was tried, and what the seeds are

- The damping of the retained form was chosen on validation texts, of the demo and of tweets by gender and by
  identity, three seeds each: the guard's trade there (less is better) is -3.5 points at the head's own damping, -3.7
  at 4 times, -3.8 at 8 times and -3.3 at 16 times. At its own damping B stayed a point or two above the aim on the
  demo: a head that answers more surely is moved more by any word, a neutral one too. For tweets by gender alone
  validation texts prefer the head's own damping; one rule for all was kept.
- Guards of 0 points in place of 1 chose the same strength nearly everywhere. Shares of 0.2 to 4 for the twins beside
  the training samples change little; anchors to the original in place of damping left B near 9 points on the demo.
- By identity own texts lose between one and two points of accuracy and more of *other comments*, although the guard
  allows one: HateCheck's sentences, which the original answers badly, are among the validation texts and gain much.
  The iterated form loses three to seven there, and up to 18 of other comments.
- The seeds of the demos (words, digits, faces) share held-out samples out anew, those of other texts share all texts
  out anew, those of Adult are networks of their own.

## Training in the browser

A table of 6,000 of the comments above (64 tokens each on average) came in through "Your texts" in a real browser, on
30 November 2026, on a quiet machine of two processors (load 1.9, most of it passing): 40.5 s by the clock (36 CPU
seconds) from "Train" to a model of its 3,600 training texts, and 60.8 s from "Train" to the first finding on 1,200 test
texts with twins and placebo twins. With six others on the same machine (load 8 to 13) the same took 116 and 251 s. In
double the bits (float32) the same texts took 3.3 times as long; features differ by up to 0.002 of a length of 1.
Threads are taken where processors are free, and change no number.
"""

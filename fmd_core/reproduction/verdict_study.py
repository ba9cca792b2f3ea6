"""How often is the verdict wrong? Synthetic data whose bias is planted, and what is said of each.

    python -m fmd_core.reproduction.verdict_study [--sets 250] [--folder docs]

Models of known probabilities (no training, so that the truth is exact) for biases that lie in the answers,
and whole tables through `fmd audit`'s own steps, with training, for those that hide in columns.
A false all-clear is "within the limit" of biased answers, a false alarm "beyond the limit" of fair ones.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, SampleSource
from fmd_core.home import REPOSITORY
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.judging import give_verdict
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import Outcome

SIZES = (400, 1_500, 6_000, 24_000)
POWER = 6_000  # people from which on a planted bias should be found
TABLE_ROWS = 5_200  # enough for a test part of its own
SEXES, ORIGINS = ("F", "M"), ("A", "B", "C")
SHARES = (0.6, 0.3, 0.1)

PUBLIC_TABLES = "\n# What it says of public tables\n"
"""The heading of the second part of docs/verdicts.md, which a script beside the tests writes; it is kept."""


@dataclass(frozen=True)
class Said:
    """What was said of one set."""

    planted: str
    n: int
    outcome: Outcome

    @property
    def is_wrong(self) -> bool:
        """A false all-clear, or of a fair set a false alarm."""
        return self.outcome is (Outcome.BEYOND if self.planted in NO_FAULT else Outcome.WITHIN)


FAIR, NEARLY, BARELY = "none", "8 points in one hit rate", "13 points in one hit rate"
NO_FAULT = (FAIR, NEARLY)  # below the limit of 10 points
UNSAYABLE = ("order of classes", "construction")


def right_word(planted: str) -> Outcome:
    """What should be said of enough people."""
    if planted in UNSAYABLE:
        return Outcome.UNKNOWN
    return Outcome.WITHIN if planted in NO_FAULT else Outcome.BEYOND


class _Nothing:
    """Nobody asks for the inputs of people whose answers are given."""

    kind = "table"
    fingerprint = "verdict study"


@dataclass(frozen=True, eq=False)
class World:
    """People with the probability of 'yes' that a model gives them, and gives them with the other sex."""

    sex: Array
    origin: Array
    truth: Array
    own: Array  # (n,) in [0, 1]
    changed: Array


def people(rng: np.random.Generator, n: int, planted: str) -> World:
    """So many people and a model with one planted bias."""
    sex, origin = rng.integers(0, 2, n), rng.choice(3, n, p=SHARES)
    skill = rng.normal(size=n)
    if planted == "selection only":
        skill = skill + np.where(sex == 1, 0.5, -0.5)
    truth = (skill + 0.3 * rng.logistic(size=n) > 0).astype(int)
    score, other = skill, skill
    if planted == "twins only":  # each sex is favoured in half of the cases, so that groups come out even
        side = np.where(rng.integers(0, 2, n) == 1, 1.0, -1.0) * 0.8
        score, other = skill + side * np.where(sex == 1, 1, -1), skill - side * np.where(sex == 1, 1, -1)
    if planted == "one small group only":
        hurt = (sex == 0) & (origin == 2) & (rng.random(n) < 0.7)
        score = np.where(hurt, -np.abs(skill) * np.sign(truth - 0.5), skill)
        other = score
    if planted in (NEARLY, BARELY):
        missed = {NEARLY: 0.08, BARELY: 0.13}[planted] / 0.84  # of those who would be recognised
        score = np.where((sex == 0) & (truth == 1) & (rng.random(n) < missed), -np.abs(skill), skill)
        other = score
    jitter = 0.05 * rng.normal(size=n)
    return World(sex, origin, truth, _sure(score), _sure(other + jitter))


def _sure(score: Array) -> Array:
    return 1 / (1 + np.exp(-4 * score))


def judge_world(world: World, planted: str) -> Outcome:
    """The verdict on a world's model."""
    n = len(world.truth)
    source: SampleSource = _Nothing()  # type: ignore[assignment]
    dataset = AttributeDataset(
        "planted",
        Column("hired", world.truth, ("no", "yes")),
        MappingProxyType(
            {"sex": Column("sex", world.sex, SEXES), "origin": Column("origin", world.origin, ORIGINS)}
        ),
        np.full(n, "test"),
        source,
        unit="person",
    )
    said = (world.own > 0.5).astype(int)
    if planted == "order of classes":
        said = 1 - said
    rows = np.arange(n)
    twins = TwinAnswers(
        "sex", rows, np.abs(world.own - world.changed), (world.own > 0.5) != (world.changed > 0.5)
    )
    small = np.abs(world.own - _sure(np.log(world.own / (1 - world.own) + 1e-9) / 4 + 0.02))
    by_origin = TwinAnswers("origin", rows, small, np.zeros(n, dtype=bool))
    not_read = ["sex"] if planted == "construction" else []
    return give_verdict(
        dataset, Answered(rows, world.truth, said), [twins, by_origin], favourable="yes", not_read=not_read
    ).outcome


def judge_table(seed: int, planted: str) -> Outcome:
    """The verdict of `fmd audit` on a table whose answers are biased by sex and where a column hides it."""
    import pandas as pd

    from fmd_core.commands import audit

    rng = np.random.default_rng(seed)
    n = TABLE_ROWS
    frame = pd.DataFrame({"skill": rng.normal(size=n).round(4), "hours": rng.integers(10, 60, n)})
    sex = rng.integers(0, 2, n)
    frame["sex"] = np.array(SEXES)[sex]
    score = 2 * frame["skill"] + 1.2 * np.where(sex == 1, 1, -1) + rng.logistic(size=n)
    frame["hired"] = np.where(score > 0, "yes", "no")
    if planted == "leak":
        frame["contract"] = np.where(score > 0, "signed", "none")
    else:  # numbers that were given out to women first
        order = np.lexsort((rng.random(n), sex))
        frame["person_no"] = np.argsort(order) + 1
    parser = argparse.ArgumentParser()
    audit.add_arguments(parser)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as kept:
        path = Path(folder) / "planted.csv"
        frame.to_csv(path, index=False)
        asked = [str(path), "--target", "hired", "--protected", "sex", "--seed", str(seed)]
        return audit.audit(parser.parse_args(asked), kept)[0].outcome


def judge_answers(seed: int, planted: str, n: int) -> Outcome:
    """One set of people."""
    return judge_world(people(np.random.default_rng(seed), n, planted), planted)


IN_ANSWERS = (
    FAIR,
    NEARLY,
    BARELY,
    "twins only",
    "selection only",
    "one small group only",
    "order of classes",
    "construction",
)
IN_COLUMNS = ("leak", "identifier")


def study_verdicts(sets: int = 250, say: Callable[[str], None] = print) -> list[Said]:
    """What is said of `sets` sets, the kinds in turn, of four sizes."""
    each = max(1, sets // len((*IN_ANSWERS, *IN_COLUMNS)))
    found: list[Said] = []
    for planted in IN_ANSWERS:
        for k in range(each):
            n = SIZES[k % len(SIZES)]
            found.append(Said(planted, n, judge_answers(k, planted, n)))
        say(_line(planted, found))
    for planted in IN_COLUMNS:
        found += [Said(planted, TABLE_ROWS, judge_table(k, planted)) for k in range(each)]
        say(_line(planted, found))
    return found


def _line(planted: str, found: Sequence[Said]) -> str:
    """One row of the table."""
    mine = [one for one in found if one.planted == planted]
    outcomes = Counter(one.outcome for one in mine)
    powered = [one for one in mine if one.n >= POWER or planted in IN_COLUMNS]
    seen = sum(one.outcome is right_word(planted) for one in powered)
    return (
        f"| {planted} | {len(mine)} | {outcomes[Outcome.BEYOND]} | {outcomes[Outcome.WITHIN]} | "
        f"{outcomes[Outcome.UNKNOWN]} | {sum(one.is_wrong for one in mine)} | {seen} of {len(powered)} |"
    )


def verdicts_page(found: Sequence[Said]) -> str:
    """docs/verdicts.md."""
    kinds = list(dict.fromkeys(one.planted for one in found))
    fair = [one for one in found if one.planted in NO_FAULT]
    biased = [one for one in found if one.planted not in NO_FAULT]
    alarms, clears = sum(one.is_wrong for one in fair), sum(one.is_wrong for one in biased)
    rows = "\n".join(_line(planted, found) for planted in kinds)
    return f"""# How often is the verdict wrong?

Made by `python -m fmd_core.reproduction.verdict_study`: {len(found)} synthetic sets with a planted bias, of
{", ".join(f"{n:,}" for n in SIZES)} people in turn (tables: {TABLE_ROWS:,} rows, a fifth of them in the test).

**False all-clears: {clears} of {len(biased)} biased sets** ("within the limit"; aim 0).
**False alarms: {alarms} of {len(fair)} fair sets** ("beyond the limit"; aim at most 5 %).

| planted | sets | beyond | within | cannot be said | wrong | right where the power is there |
|---|---|---|---|---|---|---|
{rows}

"Wrong" counts "within" of biased sets and "beyond" of fair ones. The last column counts sets of {POWER:,} people or
more: "within" is right for none and for 8 points, "cannot be said" for swapped classes and for a sex that the model
does not read, "beyond" for the others. 8 and 13 points lie so close to the limit of 10 that thousands of people of
each group are needed to tell: there, "cannot be said" is the honest word. A leak and an identifier hide a bias by sex
that the audit finds once it leaves the column out.

What was planted: 8 and 13 points, so much less often are women recognised who deserve a yes; twins only, the model
favours each sex in half of the cases, so that groups come out even; selection only, the sexes differ in skill and the
model is as right for both; one small group only, women of origin C (5 % of people) are answered wrongly 7 times in
10; order of classes, every answer means the other; construction, the model does not read the sex; leak, a column
holds the answer; identifier, numbers that were given out by sex. Not covered: photographs (their twins are matched;
see "beyond the placebo" in docs/results.md) and more than two classes.
"""


def main() -> None:
    """Run the study and write docs/verdicts.md."""
    parser = argparse.ArgumentParser(
        description="Measure how often the verdict is wrong; writes docs/verdicts.md."
    )
    parser.add_argument("--sets", type=int, default=250)
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "docs")
    chosen = parser.parse_args()
    found = study_verdicts(chosen.sets)
    path = chosen.folder / "verdicts.md"
    _, heading, tables = (
        path.read_text(encoding="utf-8").partition(PUBLIC_TABLES) if path.is_file() else ("", "", "")
    )
    path.write_text(verdicts_page(found) + heading + tables, encoding="utf-8")
    print(f"Written: {path}.")


if __name__ == "__main__":
    main()

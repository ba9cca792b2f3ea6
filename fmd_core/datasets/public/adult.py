"""Adult, also called census income: does a person earn more than 50,000 dollars a year (Kohavi 1996)?

Reads the raw files of the UCI repository, `adult.data` and `adult.test`. The official test part
stays the test; of the training part a fixed draw is held back to decide the fix and to guard it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import SPLITS, Array, AttributeDataset
from fmd_core.datasets.phrases import AGES, RACES, SEXES
from fmd_core.datasets.table_dataset import AlsoChange, make_table_dataset
from fmd_core.datasets.table_encoding import AGE_LABELS, ages
from fmd_core.datasets.table_notes import leak_note
from fmd_core.errors import DataError
from fmd_core.running.whole_files import written_whole

if TYPE_CHECKING:
    import pandas as pd

TRAIN, TEST = "adult.data", "adult.test"
COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country",
    "income",
)  # fmt: skip
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
UNUSED = ("fnlwgt", "education-num")  # a weight of the survey; education once more, as a number
PROTECTED = ("sex", "race", "age")
CLASSES = {"<=50K": "up to 50K", ">50K": "over 50K"}
PHRASES = {
    "sex": SEXES,
    "race": RACES,
    "age": AGES,
    "income": {"up to 50K": "{} up to 50K", "over 50K": "{} over 50K"},
}
OPENML_ID = 1590
_FIRST_TRAIN, _FIRST_TEST = (39, 77516), (25, 226802)  # age and fnlwgt of the first row of each file
_HELD_BACK = 2_000
_SEED = 20231210
_HINT = 0.02  # a column that helps less than this to guess an attribute is not worth a word
_BY_HAND = f"put UCI's files '{TRAIN}' and '{TEST}' into the folder 'adult' yourself"


def load_adult(folder: Path, *, protected: Sequence[str] = PROTECTED) -> AttributeDataset:
    """Adult from UCI's two raw files in `folder`, 48,842 persons when whole.

    `protected` takes sex, race and age (or "age group", the same: age in four groups). A twin of the
    other sex swaps Husband and Wife as well; `notes` says what else hints at sex and race.
    Raises DataError where a file is missing or broken, and for other attributes.
    """
    import pandas as pd  # takes half a second, and the first page paints before it

    wanted = _protected(protected)
    parts = [_records(folder, TRAIN), _records(folder, TEST)]
    raw = pd.concat(parts, ignore_index=True)  # with the survey weight, which tells alike people apart
    frame = raw.drop(columns=list(UNUSED))
    frame.columns = frame.columns.str.replace("-", " ")
    split = _split(len(parts[0]), len(parts[1]))
    swap = _swap(frame) if "sex" in wanted else {}
    dataset = make_table_dataset(
        "Adult",
        frame,
        target="income",
        classes=CLASSES,
        protected=[ages("age") if name == "age" else name for name in wanted],
        split=split,
        also_change=swap,
        unit="person",
        notes=[*_notes(frame, wanted, swapped=bool(swap)), *leak_note(raw, split, "person")],
    )
    return replace(dataset, phrases=PHRASES)


def fetch_adult(folder: Path) -> None:
    """Download Adult from OpenML with scikit-learn and write UCI's two files into `folder`.

    Raises DataError that says in words why it did not work.
    """
    from sklearn.datasets import fetch_openml

    try:
        with TemporaryDirectory() as cache:
            frame = fetch_openml(data_id=OPENML_ID, as_frame=True, parser="pandas", data_home=cache).frame
    except Exception as error:  # the network, OpenML, checksums and parsers each have their own
        raise DataError(
            f"Adult cannot be downloaded from OpenML ({type(error).__name__}); check the connection, "
            f"or {_BY_HAND}."
        ) from error
    frame = frame.rename(columns={"class": "income"})
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(f"What OpenML sent has no column '{missing[0]}', so it is not Adult; {_BY_HAND}.")
    train, test = _official_parts(frame[list(COLUMNS)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / TEST, test, "|1x3 Cross validator\n", ".")
        _write(folder / TRAIN, train, "", "")
    except OSError as error:
        raise DataError(
            f"Adult cannot be saved: the folder '{folder.name}' may not be written to."
        ) from error


def _official_parts(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The official training and test part, told apart by the first row of each: OpenML has both in one
    table and does not say which row is which."""
    keys = list(zip(frame["age"], frame["fnlwgt"], strict=True))
    if _FIRST_TRAIN in keys and keys[0] == _FIRST_TEST:
        cut = keys.index(_FIRST_TRAIN)
        return frame.iloc[cut:], frame.iloc[:cut]
    if _FIRST_TEST in keys and keys[0] == _FIRST_TRAIN:
        cut = keys.index(_FIRST_TEST)
        return frame.iloc[:cut], frame.iloc[cut:]
    raise DataError(f"OpenML's rows are not in the official order, so its test part is unknown; {_BY_HAND}.")


def _write(path: Path, frame: pd.DataFrame, first: str, stop: str) -> None:
    """UCI's own format. Under another name until it is whole, so that half a file is never read."""
    frame = frame.astype(dict.fromkeys(NUMBERS, int)).astype(object)
    rows = frame.where(frame.notna(), "?").values.tolist()
    lines = (", ".join(str(cell) for cell in row) + stop + "\n" for row in rows)
    with written_whole(path) as part:
        part.write_text(first + "".join(lines), encoding="utf-8")


def _records(folder: Path, name: str) -> pd.DataFrame:
    """The persons of one raw file; "?" is missing, the full stop after a label is dropped."""
    import pandas as pd

    if not (folder / name).is_file():
        raise DataError(f"Adult is not complete here: '{name}' is missing; download it, or {_BY_HAND}.")
    text = (folder / name).read_text(encoding="utf-8-sig", errors="replace")
    if text.lstrip()[:1] == "<":
        raise DataError(f"'{name}' is a web page, not the file itself; delete it and {_BY_HAND}.")
    strange = next((sign for sign in sorted(set(text)) if not (sign.isprintable() or sign in "\r\n\t")), "")
    if strange:
        raise DataError(f"'{name}' holds the sign {strange!r}, which no text of Adult has; {_BY_HAND}.")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("|")]
    odd = next((line for line in lines if line.count(",") != len(COLUMNS) - 1), None)
    if odd is not None or not lines:
        seen = f"the line {odd[:40]!r}" if odd else "no lines"  # repr: hidden marks are written out
        raise DataError(f"'{name}' has {seen}, where Adult has {len(COLUMNS)} values in each; {_BY_HAND}.")
    frame = pd.read_csv(
        StringIO("\n".join(lines)),
        names=list(COLUMNS),
        dtype=str,
        skipinitialspace=True,
        keep_default_na=False,
        na_values="?",
        quoting=csv.QUOTE_NONE,
        low_memory=False,
    )
    for column in NUMBERS:
        frame[column] = _whole_numbers(frame[column], name)
    frame["income"] = frame["income"].str.strip().str.removesuffix(".")
    return frame


def _whole_numbers(series: pd.Series, file: str) -> pd.Series:
    import pandas as pd

    numbers = pd.to_numeric(series, errors="coerce")
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        seen = series.astype(object).where(series.notna(), "?")[wrong].iloc[0]
        raise DataError(f"'{file}' has {str(seen)[:40]!r} as {series.name}, which is no number; {_BY_HAND}.")
    return numbers


def _split(n_train: int, n_test: int) -> Array:
    """Split name of each person, (n_train + n_test,)."""
    split = np.full(n_train + n_test, "train", f"U{max(len(name) for name in SPLITS)}")
    split[n_train:] = "test"
    drawn, held = np.random.default_rng(_SEED).permutation(n_train), min(_HELD_BACK, n_train // 8)
    split[drawn[:held]] = "external"
    split[drawn[held : 2 * held]] = "validation"
    return split


def _protected(names: Sequence[str]) -> list[str]:
    """The chosen columns, each once, in the order given."""
    given = [names] if isinstance(names, str) else list(names)
    plain = [name.lower().replace("_", " ").removesuffix(" group").strip() for name in given]
    for name, column in zip(given, plain, strict=True):
        if column not in PROTECTED:
            raise DataError(
                f"Adult has no protected attribute {name[:40]!r}. It has: {', '.join(PROTECTED)}."
            )
    if not plain:
        raise DataError(f"No protected attribute is chosen; choose from: {', '.join(PROTECTED)}.")
    return list(dict.fromkeys(plain))


def _swap(frame: pd.DataFrame) -> AlsoChange:
    """Husband and Wife change places with sex, where the data know both words."""
    if not {"Husband", "Wife"} <= set(frame["relationship"]):
        return {}
    return {"sex": {"relationship": {"Husband": "Wife", "Wife": "Husband"}}}


def _notes(frame: pd.DataFrame, wanted: list[str], *, swapped: bool) -> list[str]:
    notes = [
        "Left out: the survey weight (fnlwgt), and education as a number, which says education twice.",
        "A question mark in the files is read as not stated.",
    ]
    if swapped:
        notes.append("A twin of the other sex also changes from husband to wife, or from wife to husband.")
    if "age" in wanted:
        notes.append(f"A twin of another age group ({', '.join(AGE_LABELS)}) gets that group's median age.")
    kept = frame.replace({"relationship": {"Wife": "Husband"}}) if swapped else frame  # no hint any more
    for name in ("sex", "race"):
        if name in wanted and (hints := _hints(kept, name)):
            notes.append(hints)
    return notes


def _hints(frame: pd.DataFrame, attribute: str) -> str:
    """A sentence on the columns that give `attribute` away, or "": how often it is guessed right by
    the most common level of each of their values."""
    blind = frame[attribute].value_counts(normalize=True).max()
    right = {}
    for column in frame.select_dtypes(exclude="number").columns.drop([attribute, "income"]):
        table = frame.groupby([column, attribute], dropna=False).size()
        right[column] = table.groupby(level=0, dropna=False).max().sum() / len(frame)
    told = sorted((name for name in right if right[name] > blind + _HINT), key=lambda name: -right[name])
    if not told:
        return ""
    found = ", ".join(f"{name} {right[name]:.0%}" for name in told)
    return (
        f"Other columns still hint at {attribute}, and a twin keeps them: guessed from one alone it is "
        f"right for {found} of people (from nothing {blind:.0%})."
    )

"""A reviewer's own texts as a data set: a column of texts, a label, and what should not matter in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column
from fmd_core.datasets.own.answers import (
    Answers,
    answered_columns,
    protected_rule,
    share_out,
    suggested,
    used_classes,
    used_rows,
    weights_of,
)
from fmd_core.datasets.own.people import codes_of
from fmd_core.datasets.own.sheet_checks import with_one_spelling
from fmd_core.datasets.own.sniffing import Sheet, count
from fmd_core.datasets.own.table import check_answers
from fmd_core.datasets.table_dataset import protected_column, target_column
from fmd_core.datasets.texts.source import TemplateTwins, TermTwins, TextSource, TwinMaker
from fmd_core.datasets.texts.terms import TermList
from fmd_core.errors import DataError

NOBODY = "none of them"
LONGEST = 20_000  # characters of a text that are kept; an encoder reads less


@dataclass(frozen=True)
class TextImport(Answers):
    """Answers about texts: besides, which column holds them, term lists by attribute, and what tells templates."""

    text: str = ""
    lists: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Term lists as CSV, by the attribute that they make: what a text says itself of whom it is about."""
    template: str = field(default="", kw_only=True)
    """The column that names the template of each text: texts of one template differ in nothing but the protected
    column. '' where there is none."""
    case: str = field(default="", kw_only=True)
    """The column that says what kind of text each is; '' where none does."""
    unit: str = "text"

    def compares(self) -> bool:
        return bool(self.protected or self.lists)

    def unanswered(self) -> str:
        return "" if self.text else "Choose the column with the texts."


def suggest_texts(sheet: Sheet) -> TextImport:
    """Answers to begin with; `text` is '' where no column holds sentences."""
    prose = [column.name for column in sheet.columns if column.prose]
    return TextImport(**suggested(sheet), text=prose[0] if prose else "")


def read_terms(text: str, name: str) -> TermList:
    """A term list from CSV: a heading of levels, then a row for each set of terms. Raises DataError."""
    rows = [tuple(cell.strip() for cell in row) for row in csv.reader(io.StringIO(text)) if any(row)]
    if len(rows) < 2:
        raise DataError(f"The term list of '{name}' is empty; write at least one row of terms.")
    return TermList(rows[0], tuple(rows[1:]))


def write_terms(terms: TermList) -> str:
    """The same list as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([terms.levels, *terms.rows])
    return out.getvalue()


def open_texts(sheet: Sheet, settings: TextImport) -> AttributeDataset:
    """The data set that a sheet of texts and the answers about it make; what was skipped is in its notes.

    Raises DataError for an unknown column, a target with one class or over 20, a term list that no text names a term
    of, and a class too small to share out.
    """
    if settings.unanswered():
        raise DataError(settings.unanswered())
    sheet = with_one_spelling(sheet, settings.one_spelling)
    check_answers(sheet, settings)
    rows, given, notes = used_rows(sheet, settings)
    texts = tuple(str(text)[:LONGEST] for text in sheet.texts(settings.text)[rows])
    if not all(texts):
        full = np.array([bool(text) for text in texts])
        notes.append(f"{count(int((~full).sum()), 'row')} skipped: '{settings.text}' is empty.")
        rows, given, texts = rows[full], given[full], tuple(text for text in texts if text)
    frame = answered_columns(sheet, settings, rows)
    target = target_column(frame[settings.target], used_classes(settings, frame[settings.target]))
    persons = _persons(sheet, settings, rows)
    words = np.array(target.levels, dtype=object)[target.codes]
    split, drawn = share_out(words, given, settings.seed, persons)
    attributes = {
        name: protected_column(frame[name], protected_rule(sheet, settings, name, rows))
        for name in settings.protected
    }
    phrases = {**settings.phrases}
    if settings.lists:  # or a text about somebody and its answer could not be named together
        phrases.setdefault(
            target.name, {level: f"{{}} with {target.name} {level}" for level in target.levels}
        )
    twins: dict[str, TwinMaker] = {
        name: _by_template(texts, column, persons, settings) for name, column in attributes.items()
    }
    for name, written in settings.lists.items():
        column, terms, told = _by_terms(texts, name, read_terms(written, name))
        attributes[name], twins[name] = column, TermTwins(texts, column.codes, terms)
        phrases.setdefault(name, {level: f"{{}} about {level}" for level in column.levels})
        notes.append(told)
    case = None
    if settings.case:
        levels, codes = np.unique(sheet.texts(settings.case)[rows].astype(str), return_inverse=True)
        case = Column(settings.case, codes, tuple(levels.tolist()))
    return AttributeDataset(
        sheet.name, target, attributes, split, TextSource(texts, twins, case=case, offensive=True),
        pair_method="swapped", unit=settings.unit, favourable=settings.favourable, phrases=phrases,
        references=settings.references, persons=persons, weights=weights_of(sheet, settings, rows),
        notes=(*sheet.notes, *notes, *drawn), parts_are_drawn=not settings.split_column,
    )  # fmt: skip


def _persons(sheet: Sheet, settings: TextImport, rows: Array) -> Array | None:
    """Texts of one template, or of one person, are never in two parts."""
    name = settings.template or settings.person
    return codes_of(sheet.texts(name)[rows]) if name else None


def _by_template(
    texts: tuple[str, ...], column: Column, templates: Array | None, settings: TextImport
) -> TemplateTwins:
    """Twins of one protected column: of the same template with another value and other words, since whoever reads the
    same words twice cannot answer otherwise; none without templates."""
    places = np.full((len(texts), len(column.levels)), -1)
    if settings.template and templates is not None:
        for template in np.unique(templates):
            inside = np.flatnonzero(templates == template)
            places[np.ix_(inside, column.codes[inside])] = inside
        own, words = np.arange(len(texts)), np.array(texts, dtype=object)
        places[own, column.codes] = own  # of several with one value each is its own
        same = (places >= 0) & (places != own[:, None]) & (words[places] == words[:, None])
        places[same] = -1
    return TemplateTwins(texts, places)


def _by_terms(texts: tuple[str, ...], name: str, terms: TermList) -> tuple[Column, TermList, str]:
    """Whom each text names by a list, and how many name nobody."""
    found = [terms.level_of(text) for text in texts]
    none = sum(level is None for level in found)
    if none == len(texts):
        raise DataError(f"No text has a term of the list '{name}'; choose another list, or edit it.")
    codes = np.array([len(terms.levels) if level is None else level for level in found])
    column = Column(name, codes, (*terms.levels, NOBODY) if none else terms.levels)
    return (
        column,
        terms,
        f"{count(none, 'text')} of {len(texts):,} without any term of the list '{name}': no twins.",
    )

"""Tables in the formats of other programs, to be spoilt: workbooks, ARFF and JSON, sound or with odd parts."""

import datetime
import io
import json
from random import Random
from zipfile import ZIP_DEFLATED, ZipFile

from tests.fuzz import tables
from tests.fuzz.mutation import VALUES, changed

ROWS = 60


def workbook(rng: Random) -> bytes:
    """A workbook; in one of two, a part of it is spoilt inside a sound zip."""
    import openpyxl

    book, out = openpyxl.Workbook(), io.BytesIO()
    odd = (
        *(cell for cell in tables.CELLS if cell.isprintable()),
        "=1+1",
        "#N/A",
        datetime.date(2021, 7, 1),
        True,
        1.5,
    )
    for row in _rows(rng, odd):
        book.active.append(row)
    if rng.random() < 0.3:
        book.create_sheet("x" * rng.randrange(1, 30))
    book.save(out)
    if rng.random() < 0.5:
        return out.getvalue()
    with ZipFile(out) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(
        ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", *parts)
    )
    if name in parts:
        parts[name] = changed(rng, parts[name])
    spoilt = io.BytesIO()
    with ZipFile(spoilt, "w", ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            if rng.random() > 0.03:
                archive.writestr(part, content)
    return spoilt.getvalue()


def arff(rng: Random) -> bytes:
    """An ARFF file with words, numbers and odd cells."""
    header, *rows = _rows(rng, tables.CELLS)
    kinds = ("numeric", "string", "{a,b}", "date", "relational", "")
    names = (rng.choice((f"a{i}", "'a b'", '"x', repr(name))) for i, name in enumerate(header))
    lines = ["% made", "@relation x", *(f"@attribute {name} {rng.choice(kinds)}" for name in names), "@data"]
    lines += [",".join(rng.choice(("{}", "'{}'", "{}")).format(cell) for cell in row) for row in rows]
    return "\n".join(lines).encode(rng.choice(tables.ENCODINGS), "replace")


def records(rng: Random) -> bytes:
    """JSON in one of the forms that are read, now and then with values of any kind."""
    header, *rows = _rows(rng, VALUES if rng.random() < 0.3 else ("a", "b", 1, 2.5, None, True))
    found = [dict(zip(header, row, strict=False)) for row in rows]
    whole = rng.choice((found, {"data": found}, {name: [row.get(name) for row in found] for name in header}))
    text = "\n".join(map(json.dumps, found)) if rng.random() < 0.3 else json.dumps(whole)
    return text.encode("utf-8", "replace")


FORMS = {"xlsx": workbook, "arff": arff, "json": records}


def _rows(rng: Random, cells: tuple) -> list[list]:
    width = rng.choice((1, 2, 3, 5))
    header = [f"c{i}" for i in range(width)]
    kinds = [rng.choice((("f", "m"), ("0", "1"), cells)) for _ in header]
    return [header, *([rng.choice(kind) for kind in kinds] for _ in range(rng.choice((0, 1, ROWS, ROWS))))]

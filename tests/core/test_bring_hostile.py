"""Workbooks, ARFF and JSON that want more than to be read: bombs, entities, formulas, claims, nests."""

import zipfile

import openpyxl
import pytest

from fmd_core.datasets.own import sniffing_formats, sniffing_json, sniffing_workbook
from fmd_core.datasets.own.sniffing import Correction, read_table, safe_cell
from fmd_core.datasets.own.sniffing_workbook import page_names
from fmd_core.errors import DataError

DEEP = 100_000


def workbook(path, rows=(("sex", "y"), ("f", 1), ("m", 0)), **parts):
    """A workbook with some of its parts in other words."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {name.replace("__", "/") + ".xml": text.encode() for name, text in parts.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def page(rows, before="", dimension="A1:B3"):
    return (
        f'<?xml version="1.0"?>{before}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'
    )


ROWS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>sex</t></is></c><c r="B1" t="inlineStr"><is><t>y</t></is></c></row>'
    '<row r="2"><c r="A2" t="inlineStr"><is><t>f</t></is></c><c r="B2"><v>1</v></c></row>'
    '<row r="3"><c r="A3" t="inlineStr"><is><t>m</t></is></c><c r="B3"><v>0</v></c></row>'
)


def refused(path, **said):
    with pytest.raises(DataError) as caught:
        read_table(path, said=Correction(**said))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_workbook_that_is_huge_unpacked_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(sniffing_workbook, "MAX_UNPACKED", 2**20)
    path = workbook(tmp_path / "a.xlsx", xl__worksheets__sheet1=page(ROWS + " " * 2**21))
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *_, **__: pytest.fail("parsed"))
    assert "MB unpacked" in refused(path)
    monkeypatch.setattr(sniffing_workbook, "MAX_PARTS", 3)
    assert "parts" in refused(path)
    assert page_names(path) == ()


@pytest.mark.parametrize("part", ["xl__worksheets__sheet1", "xl__workbook", "xl__styles"])
def test_entities_in_a_workbook_are_refused(tmp_path, part):
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    path = workbook(tmp_path / "a.xlsx", **{part: page(ROWS, laughs)})
    assert "defines XML entities, which no workbook needs" in refused(path)


def test_a_formula_is_a_value_or_nothing_and_is_never_computed(tmp_path):
    rows = ROWS.replace("<v>1</v>", '<f>WEBSERVICE("http://evil")</f><v>1</v>').replace(
        "<v>0</v>", "<f>1/0</f>"
    )
    sheet = read_table(workbook(tmp_path / "a.xlsx", xl__worksheets__sheet1=page(rows)))
    assert sheet.frame.values.tolist() == [["f", "1"], ["m", ""]]
    assert "2 cells of the workbook hold formulas" in sheet.notes[0]
    text = workbook(
        tmp_path / "b.xlsx",
        rows=(("sex", "y"), ("f", "'=cmd|' /C calc'!A0"), ("m", "@SUM(1)"), ("f", "-2+3")),
    )
    assert [safe_cell(cell) for cell in read_table(text).frame["y"]][1] == "'@SUM(1)"


def test_a_page_that_claims_all_cells_there_are_costs_what_it_holds(tmp_path):
    path = workbook(tmp_path / "a.xlsx", xl__worksheets__sheet1=page(ROWS, dimension="A1:XFD1048576"))
    assert read_table(path).frame.shape == (2, 2)
    last = '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    path = workbook(tmp_path / "b.xlsx", xl__worksheets__sheet1=page(ROWS + last))
    assert read_table(path).frame.shape == (2, 2)  # ten thousand empty rows end a page
    wide = '<row r="4"><c r="XFD4"><v>1</v></c></row>'
    assert "2,000 columns are the most" in refused(
        workbook(tmp_path / "c.xlsx", xl__worksheets__sheet1=page(ROWS + wide))
    )


def test_a_page_with_too_many_cells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sniffing_formats, "MAX_CELLS", 50)
    path = workbook(tmp_path / "a.xlsx", rows=[("sex", "y"), *(("f", i) for i in range(60))])
    assert "has more than 50 cells" in refused(path)


@pytest.mark.parametrize(
    "rows",
    [
        "<row",
        '<row r="x"/>',
        '<row r="1"><c r="ZZZZ1"><v>1</v></c></row>',
        '<row r="1"><c r="A1" t="s"><v>99</v></c></row>',
        "",
    ],
)
def test_damaged_workbooks_end_in_one_sentence(tmp_path, rows):
    said = refused(workbook(tmp_path / "a.xlsx", xl__worksheets__sheet1=page(rows)))
    assert "damaged Excel workbook" in said or "holds no table" in said or "columns are the most" in said


def test_a_workbook_cut_off_anywhere_ends_in_one_sentence(tmp_path):
    whole = workbook(tmp_path / "a.xlsx").read_bytes()
    for end in range(4, len(whole), 97):
        (tmp_path / "b.xlsx").write_bytes(whole[:end])
        refused(tmp_path / "b.xlsx")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@relation x\n@data\n1,2\n", "names fewer than two attributes"),
        (
            "@relation x\n@attribute a numeric\n@attribute b numeric\n@data\n{0 1, 1 5}\n",
            "is a sparse ARFF file",
        ),
        (
            "@relation x\n@attribute a relational\n@attribute b numeric\n@data\n",
            "is a table; save it without",
        ),
        ("@relation x\n@attribute a numeric\n@attribute b numeric\n@data\n", "has a header but no rows"),
        (
            "@relation x\n@attribute a numeric\n@attribute b numeric\n@data\n" + "1," * 1_500_000,
            "line of over 2,000,000",
        ),
        (
            "@relation x\n" + "".join(f"@attribute a{i} numeric\n" for i in range(2_100)) + "@data\n1\n",
            "2,000 are the most",
        ),
    ],
)
def test_odd_arff_ends_in_one_sentence(tmp_path, text, words):
    (tmp_path / "t.arff").write_text(text)
    assert words in refused(tmp_path / "t.arff")


def test_a_quotation_mark_that_never_closes_in_arff_is_a_sign_like_others(tmp_path):
    row = "'" + "\\'" * 200_000 + ",1\n"
    (tmp_path / "t.arff").write_text(
        "@relation x\n@attribute a string\n@attribute b numeric\n@data\n" + row + "x,1\n"
    )
    sheet = read_table(tmp_path / "t.arff")
    assert (len(sheet), sheet.notes) == (2, ("Long values were cut to 80 characters in 'a'.",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": ' * DEEP, "damaged JSON document"),
        ('[{"a": 1, "b": [1]}]', "The column 'b' of 't.json' holds a list, no plain value"),
        ('[{"a": 1, "b": {"c": 1}}, {"a": 1}]', "The column 'b' of 't.json' holds a record"),
        ('[{"a": 1}]', "have fewer than two columns"),
        ('["a", "b"]', "is a JSON document, but no table"),
        ('[{"a": 1, "b": ' + "9" * 5_000 + "}]", "damaged JSON document"),
        ('{"a": 1, "b": 2}', "is a JSON document, but no table"),
        ('{"a"', "damaged JSON document"),
    ],
)  # fmt: skip
def test_odd_json_ends_in_one_sentence(tmp_path, text, words):
    (tmp_path / "t.json").write_text(text)
    assert words in refused(tmp_path / "t.json")


def test_json_that_is_too_large_or_too_wide_is_refused(tmp_path, monkeypatch):
    (tmp_path / "t.json").write_text("[" + ",".join(f'{{"c{i}": 1}}' for i in range(2_100)) + "]")
    assert "2,000 are the most" in refused(tmp_path / "t.json")
    monkeypatch.setattr(sniffing_json, "MAX_BYTES", 10)
    assert "MB; save it as CSV or Parquet" in refused(tmp_path / "t.json")

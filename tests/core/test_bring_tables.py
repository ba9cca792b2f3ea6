"""Tables as people have them: layouts said by hand, workbooks, ARFF, JSON, cut points, targets with their reason."""

import datetime
import json
from dataclasses import replace

import numpy as np
import openpyxl
import pytest

from app.view_models import import_brought, import_data, import_numbers
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.bringing import ListFile, Reading, bring_table
from fmd_core.datasets.own.cut_points import limits_of, with_cut
from fmd_core.datasets.own.sheet_checks import check_sheet, with_one_spelling
from fmd_core.datasets.own.sniffing import Correction, read_table
from fmd_core.datasets.own.sniffing_columns import read_numbers, target_candidates
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.errors import DataError

N = 120


@pytest.fixture
def saved(tmp_path):
    def save(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save


def people(separator=",", n=N, decimal="."):
    rows = [["sex", "pay", "hired"]]
    rows += [[("f", "m")[i % 2], f"{1000 + i}{decimal}5", ("no", "yes")[i // 2 % 2]] for i in range(n)]
    return "\n".join(separator.join(row) for row in rows) + "\n"


# --- layouts


@pytest.mark.parametrize("suffix", ["data", "txt", "csv"])
def test_cells_apart_by_spaces_are_a_table_whatever_the_file_is_called(saved, suffix):
    sheet = read_table(
        saved("A11  6 A34 1169 1\nA12 48 A32  5951 2\nA14 12 A34 2096 1 \n", f"german.{suffix}")
    )
    assert sheet.layout.delimiter == " "
    assert sheet.frame.values.tolist()[1] == ["A12", "48", "A32", "5951", "2"]
    assert not sheet.layout.header


def test_words_of_any_number_are_no_table(saved):
    with pytest.raises(DataError, match="has one column only"):
        read_table(saved("a letter to you\nwith lines\nof all lengths as letters have\n"))


@pytest.mark.parametrize(
    ("said", "first", "columns"),
    [
        (Correction(delimiter=";"), ["a,1", "2"], ["x,y", "z"]),
        (Correction(delimiter=","), ["a", "1;2"], ["x", "y;z"]),
        (Correction(delimiter=";", header=False), ["x,y", "z"], ["column 1", "column 2"]),
        (Correction(delimiter=";", skip=1, header=True), ["b,3", "4"], ["a,1", "2"]),
    ],
)
def test_what_is_said_of_a_layout_is_what_is_read(saved, said, first, columns):
    sheet = read_table(saved("x,y;z\na,1;2\nb,3;4\nc,5;6\n"), said=said)
    assert [c.name for c in sheet.columns] == columns
    assert sheet.frame.iloc[0].tolist() == first


def test_lines_above_the_header_and_two_headers_are_passed_over(saved):
    text = "Report of 2021,,\n,,\nX1,X2,Y\nsex,pay,hired\nf,1,no\nm,2,yes\n"
    sheet = read_table(saved(text), said=Correction(skip=2, header=True))  # the empty row is no row
    assert [c.name for c in sheet.columns] == ["sex", "pay", "hired"]
    assert len(sheet) == 2


def test_a_decimal_mark_is_believed(saved):
    path = saved(people(";", decimal=".").replace("1000.5", "1.234"))
    assert read_table(path).numbers("pay")[0] == 1.234
    comma = read_table(saved("a;b\n" + "1.234;x\n2.500,5;y\n" * 9), said=Correction(decimal=","))
    assert comma.numbers("a")[:2].tolist() == [1234, 2500.5]
    point = read_table(saved("a;b\n" + "1,234;x\n2,500;y\n" * 9), said=Correction(decimal="."))
    assert point.numbers("a")[:2].tolist() == [1234, 2500]


def test_an_encoding_is_believed_and_an_unknown_one_refused(saved):
    path = saved("naam,x\n" + "Genève,1\nKöln,2\n" * 9)
    assert read_table(path, said=Correction(encoding="latin-1")).frame["naam"][0] == "GenÃ¨ve"
    with pytest.raises(DataError, match=r"'klingon' is not an encoding that can be chosen: 'utf-8', "):
        Correction(encoding="klingon")
    with pytest.raises(DataError, match="0 to 200 rows may stand above a table, not 900"):
        Correction(skip=900)
    with pytest.raises(DataError, match="has no table below its first 150 rows"):
        read_table(saved(people(n=20)), said=Correction(skip=150))


def test_a_code_such_as_e3_is_no_number_with_a_decimal_comma():
    assert read_numbers(["E3", "E14"], np.array([1, 1]), comma_is_decimal=True)[0] is None


def test_the_form_says_what_was_found_and_gives_what_is_said(saved):
    found = import_brought.found_layout(read_table(saved(people(";"))))
    assert (found.separator, found.encoding, found.header) == ("semicolon", "UTF-8", "names the columns")
    said = import_brought.correction({"delimiter": ";", "header": "data", "skip": 3.0, "encoding": None})
    assert said == Correction(delimiter=";", header=False, skip=3)
    assert import_brought.correction({}) == Correction()


# --- workbooks


@pytest.fixture
def book(tmp_path):
    made = openpyxl.Workbook()
    made.active.title = "About"
    made.active["A1"] = "Please read"
    page = made.create_sheet("People")
    page.append(["Staff of 2021"])
    page.append(["when", "sex", "remote", "pay", "sum"])
    for i in range(N):
        page.append([datetime.date(2021, 7, 1 + i % 28), "fm"[i % 2], i % 3 == 0, 1000.5 + i, f"=D{i + 3}*2"])
    page.append([datetime.datetime(2021, 7, 1, 8, 30), None, None, 7, "#N/A"])
    made.save(tmp_path / "staff.xlsx")
    return tmp_path / "staff.xlsx"


def test_a_workbook_is_read_as_its_values(book):
    sheet = read_table(book)
    assert [c.name for c in sheet.columns] == ["when", "sex", "remote", "pay", "sum"]
    assert sheet.frame.iloc[0].tolist() == [
        "2021-07-01",
        "f",
        "True",
        "1000.5",
        "",
    ]  # openpyxl saves no results
    assert sheet.frame.iloc[-1].tolist() == ["2021-07-01 08:30:00", "", "", "7", ""]
    assert sheet.numbers("pay")[1] == 1001.5
    assert sheet.notes[:2] == (
        "Page 'People' of the workbook is read; not read: About.",
        "1 line above the table passed over.",
    )
    assert (
        "120 cells of the workbook hold formulas: the values that it was saved with are read"
        in sheet.notes[2]
    )
    assert sheet.notes[3] == "1 cell with an error of Excel, such as #N/A, read as empty."


def test_a_page_of_a_workbook_can_be_named(book):
    with pytest.raises(DataError, match=r"'staff.xlsx' has no page 'Pay'. It has: About, People."):
        read_table(book, said=Correction(page="Pay"))
    with pytest.raises(DataError, match=r"holds no table|has no table"):
        read_table(book, said=Correction(page="About"))


# --- ARFF and JSON

ARFF = """% Titanic, as OpenML has it
@RELATION 'Titanic data'
@attribute 'the name' string
@attribute sex {male,female}
@attribute age numeric
@ATTRIBUTE survived {0,1}
@DATA
'Allen, Miss. O\\'Brien',female,29,1
"Braund, Mr.", male, ?, 0
x,male,3.5

'y',female,1e1,1
"""


def test_arff_with_texts_quotes_and_gaps(saved):
    sheet = read_table(saved(ARFF, "titanic.arff"))
    assert [c.name for c in sheet.columns] == ["the name", "sex", "age", "survived"]
    assert sheet.frame.values.tolist()[:2] == [
        ["Allen, Miss. O'Brien", "female", "29", "1"], ["Braund, Mr.", "male", "", "0"],
    ]  # fmt: skip
    assert sheet.notes == ("1 row skipped: not 4 cells.",)
    assert sheet.column("age").kind == "number"


@pytest.mark.parametrize(
    "document",
    [
        [{"sex": "f", "age": 31, "ok": True}, {"sex": "m", "age": 2.5, "ok": None}],
        {"data": [{"sex": "f", "age": 31, "ok": True}, {"sex": "m", "age": 2.5, "ok": None}]},
        {"sex": ["f", "m"], "age": [31, 2.5], "ok": [True, None]},
        {"sex": {"0": "f", "1": "m"}, "age": {"0": 31, "1": 2.5}, "ok": {"0": True, "1": None}},
    ],
    ids=["records", "wrapped", "columns", "pandas"],
)
def test_json_in_the_forms_that_people_have(saved, document):
    sheet = read_table(saved(json.dumps(document), "t.json"))
    assert sheet.frame.values.tolist() == [["f", "31", "True"], ["m", "2.5", ""]]


def test_json_a_record_a_line(saved):
    lines = [json.dumps({"sex": "fm"[i % 2], "age": i}) for i in range(9)]
    sheet = read_table(saved("\n".join([*lines, "oops", "", json.dumps({"sex": "f", "pay": 7})]), "t.jsonl"))
    assert sheet.frame.values.tolist()[-1] == ["f", "", "7"]
    assert sheet.notes == ("1 line skipped: no record.",)


# --- cut points


def test_limits_are_rising_numbers():
    assert limits_of("age", "18, 25;65") == (18, 25, 65)
    for wrong in ("", "a", "3, 2", "1, 1", "nan", "1,2,inf", ",".join(map(str, range(30)))):
        with pytest.raises(
            DataError, match="The limits of the groups of 'age' must be 1 to 19 rising numbers"
        ):
            limits_of("age", wrong)


@pytest.fixture
def numbers(saved):
    rows = [f"{i % 60 + 18},{('f', 'm')[i % 2]},{i * 500},{i % 13}" for i in range(N)]
    return read_table(saved("age,sex,salary,grade\n" + "\n".join(rows)))


@pytest.mark.parametrize(
    ("grouping", "levels"),
    [
        ("own", ("under 25", "25 to under 40", "40 or more")),
        ("halves", ("under 48", "48 or more")),
        ("quarters", ("under 33", "33 to under 48", "48 to under 63", "63 or more")),
        ("thirds", ("under 38", "38 to under 58", "58 or more")),
    ],
)
def test_a_protected_number_makes_the_groups_that_are_asked_for(numbers, grouping, levels):
    answers = TableImport("grade", {"age": grouping}, cut="6", limits={"age": "25, 40"})
    assert open_table(numbers, answers).attribute("age").levels == levels


def test_own_limits_are_asked_for_and_their_groups_counted(numbers):
    answers = TableImport("sex", {"age": "own"}, {"f": "f", "m": "m"})
    assert import_data.missing(numbers, answers).startswith("The limits of the groups of 'age' must be")
    assert not import_data.missing(numbers, replace(answers, limits={"age": "30"}))
    assert import_numbers.groups_words(numbers, "age", "30, 60") == (
        "under 30: 24 rows; 30 to under 60: 60 rows; 60 or more: 36 rows."
    )
    assert import_data.groupings(numbers.column("grade"))[-1] == "own"
    assert "values" in import_data.groupings(numbers.column("grade"))  # 13 numbers
    assert "values" not in import_data.groupings(numbers.column("age"))  # 60 numbers
    assert import_data.groupings(numbers.column("sex")) == ("values",)


def test_a_target_of_numbers_is_cut_where_the_reviewer_says(numbers):
    asked = import_numbers.cut_asked(numbers, "salary")
    assert asked.question == "'salary' is a number. From which value on is it the other answer?"
    assert asked.request
    assert not import_numbers.cut_asked(numbers, "grade").request  # 13 numbers may be answers
    assert import_numbers.cut_asked(numbers, "sex") is None
    data = open_table(numbers, TableImport("salary", {"sex": "values"}, cut="30000"))
    assert data.target.levels == ("30000 or more", "under 30000")
    assert int((data.target.codes == 0).sum()) == N - 60
    for wrong in ("-5", "0", "1e9"):
        with pytest.raises(DataError, match="All values of 'salary' lie on one side of"):
            with_cut(numbers, "salary", wrong)
    with pytest.raises(DataError, match="'salary' is cut at one number, not at '1 2'"):
        with_cut(numbers, "salary", "1 2")


@pytest.mark.usefixtures("numbers")
def test_cut_and_limits_survive_an_import(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    answers = TableImport("salary", {"age": "own"}, cut="30000", limits={"age": "30, 60"})
    kept = imports.finish_import(imports.begin_import(tmp_path / "t.csv", None), "t", answers)
    assert imports.answers_of(kept) == answers
    assert imports.open_import(kept).attribute("age").levels == ("under 30", "30 to under 60", "60 or more")


def test_a_layout_that_was_said_is_read_again_so(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    path = saved("Staff\nA;B;C\n" + people(";").replace(".", ","))
    said = Correction(delimiter=";", skip=2, header=True, decimal=",")
    reading = Reading((ListFile(path, "staff.csv", said),), "staff")
    answers = TableImport("hired", {"sex": "values"})
    kept = imports.finish_import(imports.begin_import(None, None, reading=reading), "staff", answers)
    path.unlink()
    assert imports.sheet_of(kept).numbers("pay")[0] == 1000.5
    assert len(imports.open_import(kept)) == N


# --- targets, spellings, columns that belong together


@pytest.mark.parametrize(
    ("header", "first", "reason"),
    [
        ("age,hired,town", "hired", "its name says so; it has 2 values"),
        (
            "age,finding_labels,view",
            "finding_labels",
            "a word of its name is one of an answer; it has 2 values",
        ),
        ("age,town,group", "group", "it stands last; it has 2 values"),
        ("age,loan_result,town2", "loan_result", "a word of its name is one of an answer; it has 2 values"),
    ],
)
def test_a_target_is_suggested_with_its_reason(saved, header, first, reason):
    rows = [
        f"{20 + i % 50},{'xy'[i % 2]},{'abcd'[i % 4] if header.endswith(('town', 'town2')) else 'pq'[i % 2]}"
        for i in range(N)
    ]
    sheet = read_table(saved(header + "\n" + "\n".join(rows)))
    found = target_candidates([c for c in sheet.columns if c.role in ("input", "target")], sheet.columns)
    assert (found[0].name, found[0].reason) == (first, reason)
    assert next(c.name for c in sheet.columns if c.role == "target") == first
    assert next(iter(import_numbers.target_reasons(sheet, header.split(",")))) == first


def test_a_target_is_found_by_whole_words_only(saved):
    sheet = read_table(
        saved("yield,classic,town\n" + "\n".join(f"{'ab'[i % 2]},{'cd'[i % 2]},t{i % 5}" for i in range(N)))
    )
    assert [c.name for c in sheet.columns if c.role == "target"] == ["town"]  # last, with few values


@pytest.mark.parametrize("word", ["NA", "?", "Unknown", "nan", "-", "not stated"])
def test_words_for_not_known_are_one(saved, word):
    sheet = read_table(
        saved("race,y\n" + "\n".join(f"{(word, 'A', 'B', 'a ')[i % 4]},{i % 2}" for i in range(N)))
    )
    read = with_one_spelling(sheet, ["race"])
    assert set(read.texts("race").tolist()) == {"", "A", "B"}


@pytest.mark.parametrize("name", ["lesion_id", "ProductID", "patient", "identity"])
def test_what_belongs_together_is_seen_by_its_name(saved, name):
    sheet = read_table(saved(f"{name},y\n" + "\n".join(f"K{i // 3},{i % 2}" for i in range(N))))
    assert check_sheet(sheet, ["y"]).persons == name


def test_a_table_has_one_hot_columns_as_well(saved):
    rows = "\n".join(
        f"{int(i % 3 == 0)},{int(i % 3 == 1)},{int(i % 3 == 2)},{i % 7},{i % 2}" for i in range(N)
    )
    brought = bring_table(read_table(saved("race_white,race_black,race_asian,x,y\n" + rows)))
    assert brought.sheet.texts("race")[:3].tolist() == ["white", "black", "asian"]
    assert "race" in brought.answers.protected
    assert brought.one_hot[0].sentence == (
        "race_white, race_black and race_asian are one answer in 3 columns: read as 'race'."
    )

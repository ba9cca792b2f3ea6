"""Reading a table that somebody saved: encodings, delimiters, numbers, names, and what is no table."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from fmd_core.datasets.own.sniffing import Layout, read_preview, read_table, safe_cell
from fmd_core.datasets.own.sniffing_columns import read_numbers, to_number
from fmd_core.errors import DataError
from fmd_core.text import clean_names, clean_text

PEOPLE = "name;größe;sex;paid\nAnn;1,62;f;yes\nBob;1,80;m;no\nCem;1,75;m;yes\n"


@pytest.fixture
def saved(tmp_path):
    """Save text or bytes as a file and return its path."""

    def save(content, name="people.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return save


def columns_of(sheet):
    return {column.name: column for column in sheet.columns}


# --- encodings and delimiters


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_every_encoding_gives_the_same_table(saved, encoding):
    sheet = read_table(saved(PEOPLE, encoding=encoding))
    assert list(sheet.frame) == ["name", "größe", "sex", "paid"]
    assert sheet.frame["name"].tolist() == ["Ann", "Bob", "Cem"]


def test_bytes_that_windows_does_not_know_are_latin_1(saved):
    sheet = read_table(saved(b"a,b\n\xe9,1\n\x81,2\n"))
    assert sheet.format.startswith("CSV: Latin-1")
    assert sheet.frame["a"][0] == "é"


RUSSIAN = ["мужчина", "женщина", "возраст", "Москва", "Иван", "город"]
OTHER_SCRIPTS = [
    ("cp1251", RUSSIAN), ("koi8_r", RUSSIAN), ("cp866", RUSSIAN), ("iso8859_5", RUSSIAN),
    ("cp1253", ["άνδρας", "γυναίκα", "ηλικία", "Αθήνα", "εισόδημα"]),
    ("cp1255", ["גבר", "אישה", "גיל", "הכנסה", "ירושלים", "עיר גדולה"]),
    ("shift_jis", ["男性", "女性", "東京都", "おおさか", "カタカナ", "ひらがな"]),
    ("big5", ["男", "女", "年齡", "臺北", "收入", "城市"]), ("cp949", ["남자", "여자", "나이", "서울", "소득", "도시"]),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "words"), OTHER_SCRIPTS)
def test_another_script_than_latin_is_read_in_its_own_encoding(saved, encoding, words):
    rows = [f"{i},{words[i % len(words)]} {words[(i + 2) % len(words)]},{20 + i}" for i in range(60)]
    sheet = read_table(saved("id,who,age\n" + "\n".join(rows), encoding=encoding))
    assert sheet.frame["who"].tolist() == [row.split(",")[1] for row in rows]


WESTERN_WORDS = [
    ["Müller", "Größe", "Straße", "Köln", "männlich", "weiblich", "schön", "für"],
    ["élève", "naïf", "François", "Noël", "garçon", "été", "forêt", "où", "âgé", "sœur"],
    ["niño", "mañana", "corazón", "José", "María", "año", "señal", "¿sí?"],
    ["Åsa", "Örebro", "kön", "ålder", "Ærø", "København", "mænd"],
    ["25€", "“yes”", "it’s", "5–6", "20°C", "½", "§5", "©", "£30", "•item", "café", "±2 µm²"],
    ["João", "São", "coração", "não", "açúcar", "informação", "mãe"], ["Þór", "Ísland", "maður", "Björk"],
    ["é"], ["ß"], ["Ñ"], ["½"],
]  # fmt: skip


@pytest.mark.parametrize("words", WESTERN_WORDS)
@pytest.mark.parametrize("rows", [1, 5, 200])
def test_what_is_western_stays_western(saved, words, rows):
    cells = [words[i % len(words)] if i % 3 == 0 else "Ann" for i in range(rows)]
    sheet = read_table(
        saved("id,who\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)), encoding="cp1252")
    )
    assert sheet.frame["who"].tolist() == cells


def test_another_script_that_does_not_hold_for_all_of_the_file_is_not_believed(saved):
    table = ("id,who\n" + "".join(f"{i},東京都 おおさか\n" for i in range(100))).encode("shift_jis")
    assert read_table(saved(table)).layout.encoding == "shift_jis"
    sheet = read_table(saved(table + b"100,\x81\xff\n"))
    assert sheet.layout.encoding == "latin-1"
    assert len(sheet) == 101


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_delimiter_and_line_end_is_found(saved, delimiter, end):
    rows = [["id", "word"], ["1", "a b"], ["2", "c"]]
    sheet = read_table(saved(end.join(delimiter.join(row) for row in rows) + end))
    assert sheet.layout.delimiter == delimiter
    assert sheet.frame.to_numpy().tolist() == rows[1:]


def test_a_decimal_comma_does_not_pass_for_a_delimiter(saved):
    sheet = read_table(saved("a;b\n" + "1,5;2,5\n" * 20))
    assert sheet.layout.delimiter == ";"
    np.testing.assert_array_equal(sheet.numbers("b"), np.full(20, 2.5))
    assert "Commas were read as decimal commas in 'a', 'b'." in sheet.notes


def test_excels_own_hint_is_followed_and_not_read_as_a_row(saved):
    sheet = read_table(saved("sep=;\na;b\n1;2\n3;4\n"))
    assert list(sheet.frame) == ["a", "b"]
    assert sheet.notes == ("1 line above the table passed over.",)


def test_quoted_delimiters_and_line_ends_stay_in_the_cell(saved):
    sheet = read_table(saved('a,b\n"x, y",1\n"two\nlines",2\n'))
    assert sheet.frame["a"].tolist() == ["x, y", "two lines"]


def test_the_guess_can_be_overruled(saved):
    path = saved("a,b\nc,d\ne,f\n")
    assert len(read_table(path)) == 2
    assert len(read_table(path, Layout("utf-8", ",", header=False, width=2))) == 3
    with pytest.raises(DataError, match=r"Unknown encoding 'klingon'. Known: utf-8"):
        read_table(path, Layout("klingon", ",", header=True, width=2))


def test_lines_longer_than_a_cell_may_be_are_no_trouble(saved):
    width, cell = 1_900, "x" * 78
    sheet = read_table(saved("\n".join(",".join([cell] * width) for _ in range(3)), "wide.csv"))
    assert len(sheet.columns) == width


# --- header


def test_rows_of_data_are_not_taken_for_a_header(saved):
    sheet = read_table(saved("39,Male,0\n50,Male,1\n28,Female,0\n"))
    assert list(sheet.frame) == ["column 1", "column 2", "column 3"]
    assert len(sheet) == 3
    assert sheet.notes[0].startswith("The first row looks like data")


def test_words_that_come_again_are_not_a_header(saved):
    assert len(read_table(saved("Male,yes\nFemale,no\nMale,no\nFemale,yes\n"))) == 4


def test_a_delimiter_too_many_at_every_line_end_does_no_harm(saved):
    sheet = read_table(saved("a,b\n1,2,\n3,4,\n"))
    assert sheet.frame.to_numpy().tolist() == [["1", "2"], ["3", "4"]]


def test_more_cells_than_names_are_refused_not_shifted(saved):
    with pytest.raises(DataError, match=r"The first row of 'people.csv' has 2 cells, but most rows have 3"):
        read_table(saved("a,b\n1,2,3\n4,5,6\n"))


# --- cells


def test_words_that_programs_write_for_nothing_are_empty_cells_and_other_words_stay(saved):
    sheet = read_table(saved("word,number\nNone,1\nNA,NA\nnull,2\n,3\n"))
    assert sheet.texts("word").tolist() == ["None", "", "", ""]
    assert "Read as empty cells: NA, null in 'word' (2)." in sheet.notes
    assert columns_of(sheet)["word"].missing == 3
    np.testing.assert_array_equal(sheet.numbers("number"), [1, np.nan, 2, 3])
    assert columns_of(sheet)["number"].missing == 1


def test_codes_with_leading_zeros_stay_texts(saved):
    sheet = read_table(saved("zip,n\n007,1\n010,2\n007,3\n"))
    assert columns_of(sheet)["zip"].kind != "number"
    assert sheet.texts("zip").tolist() == ["007", "010", "007"]


def test_numbers_of_different_spelling_are_the_same_level(saved):
    sheet = read_table(saved("label,x\n1.0,a\n1,b\n0,c\n-1.00,d\n"))
    assert sheet.texts("label").tolist() == ["1", "1", "0", "-1"]


def test_a_slip_in_a_column_of_numbers_is_missing_and_said(saved):
    sheet = read_table(saved("age,x\n" + "30,a\n" * 99 + "thirty,b\n"))
    assert columns_of(sheet)["age"].kind == "number"
    assert np.isnan(sheet.numbers("age")[-1])
    assert "1 cell without a number taken as missing in 'age'." in sheet.notes


@pytest.mark.parametrize(
    ("text", "style", "value"),
    [
        ("1.5", "plain", 1.5), ("-3", "plain", -3), (".5", "plain", 0.5), ("1e3", "plain", 1000),
        ("007", "plain", None),
        ("1,5", "plain", None), ("1,5", "decimal comma", 1.5), ("1.234,5", "decimal comma", 1234.5),
        ("1,234", "thousands comma", 1234), ("1,5", "thousands comma", None), ("", "plain", None),
        ("-", "decimal comma", None), ("٣", "plain", None), ("nan", "plain", None), ("inf", "plain", None),
    ],
)  # fmt: skip
def test_how_numbers_are_read(text, style, value):
    number = to_number(text, style)
    assert np.isnan(number) if value is None else number == value


def test_a_comma_means_thousands_or_decimals_by_the_files_delimiter():
    texts, counts = ["1,234", "5,678"], np.array([1, 1])
    assert read_numbers(texts, counts, comma_is_decimal=False)[0] == "thousands comma"
    assert read_numbers(texts, counts, comma_is_decimal=True)[0] == "decimal comma"
    assert read_numbers(["f", "m"], counts, comma_is_decimal=True)[0] is None


# --- names


def test_names_are_cleaned_cut_and_made_different():
    assert clean_names(["a", " a ", "", "b\x00\u202ec", "x" * 200, "x" * 300]) == (
        "a", "a (2)", "column 3", "bc", "x" * 79 + "…", "x" * 72 + " (2)",
    )  # fmt: skip


def test_right_to_left_words_and_emoji_stay():
    assert clean_text("שלום 👩‍💻 مرحبا") == "שלום 👩‍💻 مرحبا"


def test_long_cells_are_cut_but_stay_different(saved):
    sheet = read_table(saved(f"a,b\n{'x' * 500}1,1\n{'x' * 500}2,2\n{'x' * 500}1,3\n"))
    levels = sheet.texts("a")
    assert max(map(len, levels)) <= 80
    assert levels[0] == levels[2] != levels[1]
    assert "Long values were cut to 80 characters in 'a'." in sheet.notes


def test_file_names_are_never_cut(saved):
    name = "x" * 200 + ".jpg"
    assert read_table(saved(f"file,y\n{name},1\nb.jpg,0\n")).texts("file")[0] == name


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@sum", "\tx", "\r=x", "-1+1"])
def test_formulas_are_made_harmless_for_export(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "-5.2", "+3", "a=b", "über", "1"])
def test_other_cells_are_exported_as_they_are(text):
    assert safe_cell(text) == text


# --- roles


def test_roles_are_suggested_from_names_and_values(saved):
    rows = "".join(
        f"p{i}.jpg,{i},{('f', 'm')[i % 2]},{20 + i % 40},{('train', 'val', 'test')[i % 3]},{i % 2},w{i}\n"
        for i in range(60)
    )
    sheet = read_table(saved("file,id,gender,Age,part,label,name\n" + rows))
    assert {c.name: c.role for c in sheet.columns} == {
        "file": "file", "id": "ignore", "gender": "protected", "Age": "protected", "part": "split", "label": "target",
        "name": "ignore",
    }  # fmt: skip


def test_a_word_inside_another_is_no_protected_attribute(saved):
    rows = "".join(f"{i % 3},{i % 4},{i % 2}\n" for i in range(40))
    sheet = read_table(saved("package,average,y\n" + rows))
    assert [c.role for c in sheet.columns] == ["input", "input", "target"]


# --- preview and Parquet


def test_a_preview_reads_the_beginning_only(saved):
    path = saved("a,b\n" + "1,x\n" * 1001)
    preview = read_preview(path)
    assert (preview.rows, preview.complete, len(preview.head)) == (1000, False, 10)
    short = read_preview(saved("a,b\n1,x\n2,y\n", "short.csv"))
    assert (short.rows, short.complete, short.head) == (2, True, (("1", "x"), ("2", "y")))


def test_parquet_gives_the_same_table_as_csv(saved, tmp_path):
    frame = pd.DataFrame(
        {
            "n": [1, None, 3],
            "word": ["x", None, "y"],
            "kind": pd.Categorical(["u", "v", "u"]),
            "f": [0.5, 1.25, 2],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    sheet = read_table(tmp_path / "t.parquet")
    twin = read_table(saved("n,word,kind,f\n1,x,u,0.5\n,,v,1.25\n3,y,u,2\n"))
    pd.testing.assert_frame_equal(sheet.frame, twin.frame)
    assert sheet.columns == twin.columns
    assert sheet.format == "Parquet"


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_parquet_numbers_keep_every_digit(tmp_path, kind):
    written = np.array([1 / 3, 1234567.890625, 1e-7 / 3, 12345678912345678.0, -2.0, 1e22], kind)
    pd.DataFrame({"f": written}).to_parquet(tmp_path / "t.parquet")
    sheet = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(sheet.numbers("f"), written.astype("float64"))
    assert sheet.frame["f"][4] == "-2"


@pytest.mark.parametrize("values", [[[1], [2]], [b"a", b"b"], [{"a": 1}, {"a": 2}]])
def test_parquet_columns_that_are_not_plain_are_refused(tmp_path, values):
    pd.DataFrame({"odd": values}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"The column 'odd' holds .*, not plain texts or numbers"):
        read_table(tmp_path / "t.parquet")


def test_a_column_of_words_has_no_numbers_and_a_missing_one_is_named(saved):
    sheet = read_table(saved("a,b\nx,1\ny,2\n"))
    with pytest.raises(DataError, match="'a' is not a column of numbers; its values are: x, y"):
        sheet.numbers("a")
    with pytest.raises(DataError, match=r"There is no column 'c'. 'people.csv' has: a, b."):
        sheet.numbers("c")


def test_importing_the_readers_does_not_load_pandas():
    code = (
        "import sys, fmd_core.datasets.own.image_folder; "
        "print([m for m in ('pandas', 'pyarrow') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == "[]"

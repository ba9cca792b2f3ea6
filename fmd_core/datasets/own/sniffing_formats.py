"""What a file is by its content, whatever it is called, and how its text is encoded."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile, ZipFile, is_zipfile

from fmd_core.errors import DataError
from fmd_core.text import short_name

MAX_BYTES = 200 * 2**20
MAX_COLUMNS = 2_000
MAX_CELLS = 50_000_000
WHAT_WORKS = (
    "Choose a table saved as CSV (comma, semicolon, tab or space), Excel (.xlsx), ARFF, JSON or Parquet."
)
Format = Literal["text", "Parquet", "Excel", "ARFF", "JSON"]
ENCODINGS = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
    "utf-32": "UTF-32", "cp1252": "Windows-1252 (Western European)", "latin-1": "Latin-1 (Western European)",
    "cp1251": "Windows-1251 (Cyrillic)", "koi8_r": "KOI8-R (Cyrillic)", "cp866": "DOS 866 (Cyrillic)",
    "iso8859_5": "ISO 8859-5 (Cyrillic)", "cp1253": "Windows-1253 (Greek)", "iso8859_7": "ISO 8859-7 (Greek)",
    "cp1255": "Windows-1255 (Hebrew)", "cp1256": "Windows-1256 (Arabic)", "shift_jis": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)", "gb18030": "GB 18030 (Chinese)", "big5": "Big5 (Chinese)",
    "cp949": "Windows-949 (Korean)",
}  # fmt: skip
WESTERN = ("cp1252", "latin-1")
OTHER_SCRIPTS = tuple(ENCODINGS)[tuple(ENCODINGS).index("latin-1") + 1 :]
LEAST_SIGNS = 8
"""So many different bytes beyond ASCII must be there before anything but a Western encoding is thought of: a table
with one 'é' in it passes for Hebrew, one with 'Ñ' for Japanese."""
LOOKED_AT = 2 * 2**20  # bytes from the beginning in which text beyond ASCII is looked for
TOLD_BY = 50_000  # bytes of such lines that the encoding is told by
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_FORMATS = (
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"), (b"\x1f\x8b", "a gzip archive: unpack it first"), (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"), (b"\x80\x02", "a Python pickle, which is never opened here"),
    (b"\x80\x03", "a Python pickle, which is never opened here"), (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x04", "a Python pickle, which is never opened here"), (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x05", "a Python pickle, which is never opened here"), (b"SQLite format", "an SQLite database"),
    (b"ARROW1", "an Arrow or Feather file: save it as Parquet"), (b"\x7fELF", "a program"), (b"MZ", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV"), (b"{\\rtf", "a text document (RTF)"),
)  # fmt: skip


def check_size(n_rows: int, n_columns: int) -> None:
    """Refuse a table that is too wide or too large to hold."""
    if n_columns > MAX_COLUMNS:
        raise DataError(
            f"The table has {n_columns:,} columns; {MAX_COLUMNS:,} are the most. Save fewer columns."
        )
    if n_rows * n_columns > MAX_CELLS:
        raise DataError(
            f"The table has more than {MAX_CELLS:,} cells ({n_columns:,} in a row); save fewer rows or columns."
        )


def find_format(path: Path) -> Format:
    """What a file is by its content; raises DataError if it is no table at all."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise DataError(f"'{short_name(path.name)}' cannot be read; choose the file again.") from error
    if size == 0 or not head.strip():
        raise DataError(f"'{short_name(path.name)}' is empty. {WHAT_WORKS}")
    if size > MAX_BYTES:
        raise DataError(
            f"'{short_name(path.name)}' has {size / 2**20:,.0f} MB; a table may have {MAX_BYTES // 2**20} MB. "
            "Save fewer rows or columns."
        )
    if head.startswith(b"PAR1"):
        return "Parquet"
    if head.startswith(b"PK\x03\x04") and is_zipfile(path) and _is_workbook(path):
        return "Excel"
    text = head.lstrip(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(b"@relation") or (text.startswith(b"%") and _is_arff_below_comments(path)):
        return "ARFF"
    if re.match(rb"\{\s*\"|\[\s*[\[{\"]", text):
        return "JSON"
    _refuse_other_formats(short_name(path.name), head, text)
    return "text"


def _is_arff_below_comments(path: Path) -> bool:
    with path.open("rb") as file:
        return re.search(rb"^\s*@relation\b", file.read(LOOKED_AT), re.IGNORECASE | re.MULTILINE) is not None


def _is_workbook(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _refuse_other_formats(name: str, head: bytes, text: bytes) -> None:
    for mark, words in _FORMATS:
        if head.startswith(mark):
            raise DataError(f"'{name}' is {words}, not a table. {WHAT_WORKS}")
    if head.startswith(b"PK"):
        book = b"[Content_Types].xml" in head or b"xl/" in head
        words = "a damaged Excel workbook" if book else "a zip archive: unpack it first"
        raise DataError(f"'{name}' is {words}. {WHAT_WORKS}")
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        quota = b"quota" in text or b"too many users" in text or b"google drive" in text
        words = "Google Drive's page that says a download limit was reached" if quota else "a web page (HTML)"
        raise DataError(f"'{name}' is {words}, not a table: the download failed. Download the file again.")
    if text.startswith((b"<?xml", b"<svg")):
        raise DataError(f"'{name}' is an XML document, not a table. {WHAT_WORKS}")


def find_encoding(path: Path) -> str:
    """Encoding by byte order mark, by the zeros of UTF-16, or by what decodes.

    What is not UTF-8 is Western European, unless charset-normalizer finds another script in it. It is not asked
    to tell the Latin ones apart: it took 36 of 36 French, Spanish and Swedish tables for others, mostly Windows-1250.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    half = len(head) // 2
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if half > 1 and head[first::2].count(0) > 0.4 * half and head[1 - first :: 2].count(0) < 0.1 * half:
            return encoding
    return _encoding_without_zeros(path)


def _encoding_without_zeros(path: Path) -> str:
    decoder, encoding, place = codecs.getincrementaldecoder("utf-8")(), "utf-8", 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            zero = block.find(0)
            if zero >= 0:
                raise DataError(
                    f"'{short_name(path.name)}' holds a NUL byte (at position {place + zero:,}), which no text "
                    f"has: it is damaged or not a table. {WHAT_WORKS}"
                )
            place += len(block)
            if encoding == "utf-8":
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    encoding = "cp1252"
            if encoding == "cp1252" and re.search(rb"[\x81\x8d\x8f\x90\x9d]", block):
                encoding = "latin-1"  # bytes that Windows-1252 does not know
    return _other_script(path, encoding) if encoding in WESTERN else encoding


def _other_script(path: Path, western: str) -> str:
    """The encoding of a script that is not Latin, if the lines beyond ASCII are written in one and all of the
    file can be read in it; else `western`."""
    from charset_normalizer import from_bytes  # a tenth of a second to import

    with path.open("rb") as file:
        lines = b"\n".join(line for line in file.read(LOOKED_AT).splitlines() if not line.isascii())[:TOLD_BY]
    if len({byte for byte in lines if byte > 127}) < LEAST_SIGNS:
        return western
    best = from_bytes(lines, cp_isolation=["cp1252", *OTHER_SCRIPTS]).best()
    told = best.encoding if best else western
    return told if told in OTHER_SCRIPTS and _decodes(path, told) else western


def _decodes(path: Path, encoding: str) -> bool:
    """Whether all of a file is text in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(2**20):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True

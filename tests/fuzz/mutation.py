"""How a good file is made bad: changes of bytes, of JSON, and of what stands in a zip archive."""

import io
import json
import struct
from random import Random
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

STARTS = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"PK\x03\x04", b"PK\x05\x06", b"PAR1", b"%PDF-1.7\n", b"\x1f\x8b\x08\0",
    b"<!doctype html>", b"\x80\x04\x95", b"\x93NUMPY\x01\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"GIF89a",
    b"RIFF", b'{"a": [', b"sep=;\n", b"\0\0\x08\x03",
)  # fmt: skip
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**64 - 1)
NAMES = (
    "", " ", "..", "../../etc/passwd", "/etc/passwd", "C:evil.png", "a\\..\\b.png", "\\\\host\\share\\x.png", "NUL.png",
    "x" * 300 + ".png", "a\0b.png", "e\u202egnp.exe", "é.png", "e\u0301.png", "A.PNG", "a.png", "dir/", "inner.zip",
    "<img src=x>.png", "=cmd()|x.png", "._a.png", "\ud800.png", "\n.png", ".png", "a.svg",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 10**30, float("nan"), float("inf"), "", " ", "x", "x" * 10_000,
    "NaN", "1e999", "\u202e\0\x1b", "\ud800", "<script>alert(1)</script>", "{{7*7}}", "2026-01-01",
    "9999-12-31T23:59:59-23:00",
    "2026-11-22T17:50:06+00:00", [], {}, [[]], {"a": {}}, [None] * 50, {"": ""}, ["a", "b"],
)  # fmt: skip


def changed(rng: Random, content: bytes, most: int = 3, *, start: int = 0) -> bytes:
    """The same bytes with one to `most` changes, none of them before `start`."""
    for _ in range(rng.randint(1, most)):
        head, rest = content[:start], content[start:]
        content = head + rng.choice(BYTE_CHANGES)(rng, rest)
    return content


def _place(rng: Random, content: bytes) -> int:
    """Anywhere, but rather near the beginning or the end, where headers and tables of contents are."""
    length = max(1, len(content))
    near = min(length, 200)
    return rng.choice((rng.randrange(length), rng.randrange(near), length - 1 - rng.randrange(near)))


def _flip(rng: Random, content: bytes) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if found:
            found[_place(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(found)


def _random_bytes(rng: Random, content: bytes) -> bytes:
    found, place = bytearray(content), _place(rng, content)
    found[place : place + rng.choice((1, 2, 4, 32))] = rng.randbytes(rng.choice((1, 2, 4, 32)))
    return bytes(found)


def _number(rng: Random, content: bytes) -> bytes:
    place, form = _place(rng, content), rng.choice(("<B", "<H", "<I", "<Q", ">H", ">I", ">Q"))
    packed = struct.pack(form, rng.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form)))
    return content[:place] + packed + content[place + len(packed) :]


def _cut(rng: Random, content: bytes) -> bytes:
    return content[: _place(rng, content)]


def _cut_front(rng: Random, content: bytes) -> bytes:
    return content[_place(rng, content) :]


def _take_out(rng: Random, content: bytes) -> bytes:
    place = _place(rng, content)
    return content[:place] + content[place + rng.choice((1, 2, 16, 256)) :]


def _twice(rng: Random, content: bytes) -> bytes:
    place = _place(rng, content)
    return content[:place] + content[place : place + rng.choice((1, 16, 256, 4096))] * rng.choice((2, 3, 50)) + content[
        place:
    ]  # fmt: skip


def _zeros(rng: Random, content: bytes) -> bytes:
    place, length = _place(rng, content), rng.choice((1, 8, 64, 1024))
    return content[:place] + bytes(length) + content[place + length :]


def _other_start(rng: Random, content: bytes) -> bytes:
    start = rng.choice(STARTS)
    return start + content[rng.choice((0, len(start))) :]


def _append(rng: Random, content: bytes) -> bytes:
    return content + rng.choice((b"\0", b"\n", b"x" * 100, content[-22:], content, rng.randbytes(64)))


def _swap(rng: Random, content: bytes) -> bytes:
    first, second = sorted((_place(rng, content), _place(rng, content)))
    return content[first:second] + content[:first] + content[second:]


BYTE_CHANGES = (
    _flip, _flip, _random_bytes, _number, _number, _cut, _cut_front, _take_out, _twice, _zeros, _other_start, _append,
    _swap,
)  # fmt: skip


def changed_tree(rng: Random, tree: object, most: int = 3) -> object:
    """JSON with one to `most` parts replaced, taken out, doubled or moved."""
    for _ in range(rng.randint(1, most)):
        tree = _change_part(rng, tree)
    return tree


def _change_part(rng: Random, tree: object) -> object:
    if rng.random() < 0.15 or not isinstance(tree, dict | list) or not tree:
        return rng.choice(VALUES)
    if isinstance(tree, list):
        place = rng.randrange(len(tree))
        part = rng.choice(
            ([], [tree[place]] * rng.choice((2, 100)), [_change_part(rng, tree[place])], [rng.choice(VALUES)])
        )
        return [*tree[:place], *part, *tree[place + 1 :]]
    key, found = rng.choice(list(tree)), dict(tree)
    way = rng.random()
    if way < 0.15:
        del found[key]
    elif way < 0.3:
        found[rng.choice(("", "x" * 500, "\u202e", "__proto__", "a.b"))] = found.pop(key)
    else:
        found[key] = _change_part(rng, found[key])
    return found


def as_json(rng: Random, tree: object) -> bytes:
    """JSON as somebody may write it: half the time plain, else odd in its encoding, depth or bytes."""
    text = json.dumps(tree)
    way = rng.random()
    if way < 0.5:
        return text.encode()
    if way < 0.6:
        return text.encode(rng.choice(("utf-8-sig", "utf-16", "utf-32", "utf-16-be")))
    if way < 0.7:
        deep = rng.choice((500, 5_000, 100_000))
        return ('{"a":' * deep + text + "}" * deep).encode()
    if way < 0.75:
        return text.replace(":", ": " + "9" * rng.choice((30, 400, 6_000)) + ",", 1).encode()
    return changed(rng, text.encode())


def zip_of(rng: Random, files: dict[str, bytes]) -> bytes:
    """A zip archive of these files, often with something wrong in its structure, not in its bytes."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            method = rng.choice((*(ZIP_STORED, ZIP_DEFLATED) * 9, ZIP_LZMA, ZIP_BZIP2))
            archive.writestr(_entry(name), content, method)
        for _ in range(rng.choice((0, 0, 1, 3))):
            _add_oddity(rng, archive, files)
    content = buffer.getvalue()
    if rng.random() < 0.3:
        content = _lie(rng, content)
    return content if rng.random() < 0.6 else changed(rng, content, 2)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo("x")
    entry.filename = name.encode("utf-8", "replace").decode()
    return entry


def _add_oddity(rng: Random, archive: ZipFile, files: dict[str, bytes]) -> None:
    some, way = next(iter(files.values()), b"x"), rng.randrange(4)
    if way == 0:
        archive.writestr(_entry(rng.choice(NAMES)), some)
    elif way == 1:  # a bomb
        archive.writestr(_entry("bomb.png"), bytes(rng.choice((1 << 20, 1 << 26))), ZIP_DEFLATED)
    elif way == 2:  # a link
        entry = _entry("link.png")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    else:  # an archive in the archive
        inner = io.BytesIO()
        with ZipFile(inner, "w") as nested:
            nested.writestr("a.png", some)
        archive.writestr(_entry(rng.choice(("inner.zip", "inner.png"))), inner.getvalue())


def _lie(rng: Random, content: bytes) -> bytes:
    """Another number in one field of an entry or of the end record."""
    found = bytearray(content)
    places = (
        (content.find(b"PK\x01\x02"), (8, 10, 16, 20, 24, 28, 30, 42)),
        (content.find(b"PK\x03\x04"), (6, 8, 14, 18, 22, 26, 28)),
        (content.rfind(b"PK\x05\x06"), (8, 10, 12, 16, 20)),
    )
    start, fields = rng.choice(places)
    if start >= 0:
        struct.pack_into("<H", found, start + rng.choice(fields), rng.choice(NUMBERS) % 2**16)
    return bytes(found)

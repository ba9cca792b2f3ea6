"""Public data sets in their official layout, spoilt: lists, pictures, records, idx and npz files."""

import gzip
import hashlib
import io
import json
import struct
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import tables
from tests.fuzz.mutation import as_json, changed, changed_tree


@cache
def _celeba() -> dict[str, bytes]:
    names = [f"{i:06d}.jpg" for i in range(1, 31)]
    signs = [" ".join("1" if i >> k & 1 else "-1" for k in range(5)) for i in range(30)]
    files = {
        "list_attr_celeba.txt": "30\n5_o_Clock_Shadow Blond_Hair Male No_Beard Hat\n"
        + "\n".join(f"{n}  {s}" for n, s in zip(names, signs, strict=True)),
        "list_eval_partition.txt": "\n".join(f"{n} {(0, 0, 1, 2, 0, 1)[i % 6]}" for i, n in enumerate(names)),
        "identity_CelebA.txt": "\n".join(f"{n} {i}" for i, n in enumerate(names)),
    }
    return {k: v.encode() for k, v in files.items()} | {
        f"img_align_celeba/{n}": _small_jpeg(i) for i, n in enumerate(names)
    }


@cache
def _small_jpeg(shade: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (30, 36), (shade * 8, 100, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_celeba(rng: Random, folder: Path) -> None:
    (folder / "img_align_celeba").mkdir()
    spoilt = rng.choice(
        (
            "list_attr_celeba.txt",
            "list_attr_celeba.txt",
            "list_eval_partition.txt",
            "identity_CelebA.txt",
            "img",
        )
    )
    for name, content in _celeba().items():
        if name == spoilt or (spoilt == "img" and name.startswith("img") and rng.random() < 0.3):
            content = (
                _changed_list(rng, content) if name.startswith(("list", "id")) else changed(rng, content)
            )
        (folder / name).write_bytes(content)


def _changed_list(rng: Random, content: bytes) -> bytes:
    """Words or lines of a list changed, or its bytes."""
    if rng.random() < 0.5:
        return changed(rng, content)
    lines = content.decode().split("\n")
    place = rng.randrange(len(lines))
    words = lines[place].split(" ")
    words[rng.randrange(len(words))] = rng.choice((*tables.CELLS, "7", "-1", "000002.jpg"))
    lines[place] = " ".join(words)
    return "\n".join(rng.choice((lines, lines[:-1], lines + lines[-1:], lines[1:], [*lines, ""]))).encode(
        "utf-8", "replace"
    )


def read_celeba(_: Random, folder: Path) -> object:
    from fmd_core.datasets.public.celeba import load_celeba

    data = load_celeba(folder, size=16)
    data.source.display(0)
    return data.source.read(np.arange(len(data)))


def write_adult(rng: Random, folder: Path) -> None:
    for name, n in (("adult.data", 120), ("adult.test", 40)):
        people = Random(1)
        lines = [_census(people, i) + ("." if name == "adult.test" else "") for i in range(n)]
        content = "\n".join(lines).encode()
        (folder / name).write_bytes(_changed_census(rng, content) if rng.random() < 0.7 else content)


def _census(people: Random, i: int) -> str:
    return (
        f"{people.randrange(17, 90)}, {people.choice(('Private', '?'))}, {people.randrange(20_000, 900_000)}, "
        f"HS-grad, 9, Never-married, Sales, {('Husband', 'Wife', 'Own-child')[i % 3]}, "
        f"{people.choice(('White', 'Black'))}, "
        f"{('Male', 'Female')[i % 2]}, 0, 0, 40, United-States, {people.choice(('<=50K', '>50K'))}"
    )


def _changed_census(rng: Random, content: bytes) -> bytes:
    if rng.random() < 0.4:
        return changed(rng, content)
    lines = content.decode().split("\n")
    for _ in range(rng.choice((1, 3))):
        place = rng.randrange(len(lines))
        cells = lines[place].split(",")
        cells[rng.randrange(len(cells))] = rng.choice(tables.CELLS)
        lines[place] = ",".join(cells)
    return "\n".join(lines).encode(rng.choice(("utf-8", "utf-8-sig", "latin-1")), "replace")


def read_adult(_: Random, folder: Path) -> object:
    from fmd_core.datasets.public.adult import load_adult

    data = load_adult(folder)
    data.source.display(0)
    return data.source.read(data.rows("test")[:5])


def write_mnist(rng: Random, folder: Path) -> None:
    for part, n in (("train", 60), ("t10k", 20)):
        for name, shape in ((f"{part}-images-idx3-ubyte", (n, 28, 28)), (f"{part}-labels-idx1-ubyte", (n,))):
            values = bytes(i % 10 for i in range(int(np.prod(shape))))
            content = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + values
            content = changed(rng, content, 2) if rng.random() < 0.2 else content
            packed = rng.random() < 0.5
            content = gzip.compress(content, 1, mtime=0) if packed else content
            content = changed(rng, content, 2) if rng.random() < 0.15 else content
            (folder / f"{name}{'.gz' if packed else ''}").write_bytes(content)


def read_mnist(_: Random, folder: Path) -> object:
    from fmd_core.datasets.public.colored_mnist import load_colored_mnist

    data = load_colored_mnist(folder)
    return data.source.read(data.rows("test")[:5])


def write_digits(rng: Random, folder: Path) -> None:
    n = 40
    arrays = {
        "strokes": np.zeros((n, 8, 8), "uint8"), "digit": np.arange(n) % 10, "color": np.arange(n) % 10,
        "paper": np.arange(n) % 2, "split": np.arange(n) % 4,
    }  # fmt: skip
    for _ in range(rng.choice((0, 1, 2))):
        name = rng.choice(list(arrays))
        arrays[name] = rng.choice((
            np.zeros(0), np.array(3), np.full(n, 99), np.full(n, -1), np.full(n, np.nan), np.array(["x"] * n),
            np.zeros((n, 3)),
            np.array([None] * n), np.full(n, 2**62), np.zeros(n - 1, int), np.ones(n, bool),
            np.zeros((n, 8, 8), "float64"),
        ))  # fmt: skip
    if rng.random() < 0.1:
        arrays[rng.choice(("more", "strokes.npy", "a/b"))] = np.zeros(3)
    buffer = io.BytesIO()
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(buffer, **arrays)
    content = buffer.getvalue() if rng.random() < 0.4 else changed(rng, buffer.getvalue())
    (folder / "digits.npz").write_bytes(content)
    told = {"sha256": {"digits.npz": hashlib.sha256(content).hexdigest()}}  # else nothing would be read
    (folder / "manifest.json").write_bytes(
        json.dumps(told).encode() if rng.random() < 0.8 else as_json(rng, changed_tree(rng, told))
    )


def read_digits(_: Random, folder: Path) -> object:
    from fmd_core.datasets.demos.colored_digits import load_colored_digits

    data = load_colored_digits(folder)
    return data.source.read(np.arange(min(3, len(data))))

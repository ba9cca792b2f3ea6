"""Every reader of FMD Studio with the spoilt files that it gets: `write` makes a case, `read` opens it.

`read` goes through the public functions that the pages call, and on to the first use of what came out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import brought, model_folders, opening_weights, own_files, pictures, public_data, tables
from tests.fuzz.mutation import NAMES, changed, zip_of


@dataclass(frozen=True)
class Reader:
    """One reader: how many of 10,000 files it gets, how a case is written, and how it is opened."""

    share: int
    write: Callable[[Random, Path], None]
    read: Callable[[Random, Path], object]
    most_sentences: int = 2


# --- tables


def write_csv(rng: Random, folder: Path) -> None:
    content = tables.csv_text(rng)
    (folder / "people.csv").write_bytes(content if rng.random() < 0.6 else changed(rng, content))


def write_parquet(rng: Random, folder: Path) -> None:
    content = tables.parquet(rng)
    start = rng.choice((0, 0, max(0, len(content) - 600)))  # the description of the file stands at its end
    (folder / "people.parquet").write_bytes(
        content if rng.random() < 0.3 else changed(rng, content, start=start)
    )


def write_brought(rng: Random, folder: Path) -> None:
    form = rng.choice(tuple(brought.FORMS))
    content = brought.FORMS[form](rng)
    (folder / f"people.{form}").write_bytes(content if rng.random() < 0.3 else changed(rng, content))


def read_a_table(rng: Random, folder: Path) -> object:
    from fmd_core.datasets.own.sniffing import read_preview, read_table

    (path,) = folder.iterdir()
    read_preview(path)
    return _open_table(rng, read_table(path))


def _open_table(rng: Random, sheet) -> object:
    """The table as data, by answers that a hasty visitor may give."""
    from dataclasses import replace

    from fmd_core.datasets.own.table import open_table, suggest_table

    names, answers = [column.name for column in sheet.columns], suggest_table(sheet)
    if rng.random() < 0.8:
        few = [column.name for column in sheet.columns if 2 <= column.n_levels <= 20] or names
        target, protected, *_ = rng.sample(few, len(few)) + rng.sample(names, 1) * 2
        grouping = rng.choice(("values", "values", "values", "ages", "thirds"))
        split = rng.choice(names) if rng.random() < 0.1 else ""
        answers = replace(
            answers, target=target, protected={protected: grouping}, split_column=split, split_values={}
        )
    data = open_table(sheet, answers)
    data.source.display(0)
    return data.source.read(data.rows("test")[:5])


# --- pictures


def write_pictures(rng: Random, folder: Path) -> None:
    content, suffix = pictures.picture(rng), rng.choice((".png", ".jpg", ".webp"))
    (folder / f"picture{suffix}").write_bytes(content if rng.random() < 0.4 else changed(rng, content))


def read_pictures(rng: Random, folder: Path) -> object:
    from fmd_core.datasets.own.archives import list_images
    from fmd_core.datasets.pictures import check_images, read_square, read_whole
    from fmd_core.errors import DataError

    files, refused = list_images(folder), None
    check = check_images(files)
    for name, path in files.items():
        for read in (lambda p: read_square(p, rng.choice((16, 64, 512))), lambda p: read_whole(p, 320)):
            try:
                read(path)
            except DataError as error:
                refused = error
            else:
                assert name in check.digests or check.unusable[name], "read, but neither usable nor refused"
    if refused:
        raise refused
    return check.notes


def write_pictures_with_list(rng: Random, folder: Path) -> None:
    files = {}
    for i in range(48):
        content = pictures.picture(rng) if rng.random() < 0.1 else pictures.small_picture(i)
        files[f"{i}.png" if rng.random() < 0.98 else rng.choice(NAMES) or "x.png"] = content
    rows = [(name, ("f", "m")[i % 2], ("no", "yes")[i // 2 % 2]) for i, name in enumerate(files)]
    if rng.random() < 0.2:
        rows += [
            (rng.choice((*NAMES, *files)), rng.choice(tables.CELLS), rng.choice(("no", "yes", "")))
        ] * rng.choice((1, 30))
    text = "\n".join(["file,sex,label", *(",".join(cell.split(",")[0] for cell in row) for row in rows)])
    listed = text.encode("utf-8", "replace")
    (folder / "pictures.zip").write_bytes(zip_of(rng, files))
    (folder / "list.csv").write_bytes(listed if rng.random() < 0.8 else changed(rng, listed))


def read_pictures_with_list(_: Random, folder: Path) -> object:
    from dataclasses import replace

    from fmd_core.datasets.own import imports
    from fmd_core.datasets.own.image_folder import suggest_folder
    from fmd_core.datasets.own.sniffing import read_table

    begun = imports.begin_import(folder / "list.csv", folder / "pictures.zip")
    answers = suggest_folder(read_table(folder / "list.csv"))
    imports.finish_import(begun, "pictures", replace(answers, size=32))
    try:
        data = imports.open_import(begun.name)
        return data.source.read(data.rows("test")[:5])
    finally:
        imports.delete_import(begun.name)


READERS: dict[str, Reader] = {
    "table: CSV": Reader(2_000, write_csv, read_a_table),
    "table: Parquet": Reader(1_300, write_parquet, read_a_table),
    "table: Excel, ARFF, JSON": Reader(500, write_brought, read_a_table),
    "pictures": Reader(1_200, write_pictures, read_pictures),
    "pictures in a zip, with a list": Reader(
        900, write_pictures_with_list, read_pictures_with_list, most_sentences=12
    ),
    "weights: safetensors": Reader(900, opening_weights.write_safetensors, opening_weights.read_weights),
    "weights: PyTorch archive": Reader(800, opening_weights.write_archive, opening_weights.read_weights),
    "model: Hugging Face zip": Reader(700, model_folders.write_folder, opening_weights.read_model),
    "model: skops": Reader(700, model_folders.write_skops, opening_weights.read_model),
    "model: checkpoint": Reader(500, model_folders.write_checkpoint, opening_weights.read_model),
    "model: ONNX": Reader(500, model_folders.write_onnx, opening_weights.read_model),
    "model on the shelf": Reader(300, opening_weights.write_classifier, opening_weights.read_classifier),
    "report JSON": Reader(800, own_files.write_report, own_files.read_report),
    "CelebA's lists and pictures": Reader(400, public_data.write_celeba, public_data.read_celeba),
    "Adult": Reader(400, public_data.write_adult, public_data.read_adult),
    "MNIST": Reader(300, public_data.write_mnist, public_data.read_mnist),
    "demo: npz and manifest": Reader(200, public_data.write_digits, public_data.read_digits),
    "import kept on disk": Reader(300, own_files.write_import, own_files.read_import, most_sentences=12),
    "features kept on disk": Reader(100, own_files.write_features, own_files.read_features),
    "data set named in the address": Reader(100, own_files.write_reference, own_files.read_reference),
}

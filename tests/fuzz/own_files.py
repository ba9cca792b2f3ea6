"""What FMD Studio wrote itself, spoilt: reports, imports and features on the disk, references in the address."""

import io
import json
import os
import shutil
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz.mutation import as_json, changed, changed_tree
from tests.fuzz.pictures import small_picture


@cache
def _report() -> dict:
    """A true report of the demo, with a variant in force."""
    import fmd_core as fmd
    from fmd_core.report.writing import json_values

    data, model = fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits")
    people = {s: fmd.extract_features(model, data, split=s) for s in ("train", "external", "test")}
    pairs = {
        s: fmd.pair_counterfactuals(data, model, split=s, attribute="colour") for s in ("external", "test")
    }
    curvature = fmd.fit_curvature(model.head, people["train"], damping=model.damping)
    scores = fmd.bias_influence(
        model.head, people["train"], fmd.CounterfactualBias(pairs["external"]), curvature
    )
    audit = fmd.audit_bias(model.head, data, people["test"], [pairs["test"]])
    after = fmd.LinearHead(model.head.weight * 0.5, model.head.bias)
    comparison = fmd.compare(model.head, after, data, people["test"], pairs["test"])
    evidence = fmd.Evidence(data, model, audit, 0.1, scores, 3, comparison=comparison)
    report = json_values(fmd.build_report(evidence))
    report["measured"]["changed"] = report["measured"]["changed"][:5]  # a long list would take most changes
    return report


@cache
def _whole() -> object:
    """The same as it is read."""
    import fmd_core as fmd

    return fmd.read_report(json.dumps(_report()).encode()).report


def write_report(rng: Random, folder: Path) -> None:
    (folder / "report.json").write_bytes(as_json(rng, changed_tree(rng, _report())))


def read_report(_: Random, folder: Path) -> object:
    import fmd_core as fmd
    from app.view_models import report_comparison

    found = fmd.read_report((folder / "report.json").read_bytes())
    view = report_comparison.opened(found)
    view.html.encode()  # a half of a character could not be sent to a browser
    names = report_comparison.OPENED, report_comparison.HERE
    return report_comparison.compare(found.report, _whole(), names)


def write_import(rng: Random, folder: Path) -> None:
    """A finished import whose files were spoilt on the disk."""
    from fmd_core.datasets.own import imports
    from fmd_core.datasets.own.image_folder import FolderImport
    from fmd_core.datasets.own.table import TableImport

    table = ["file,sex,smile", *(f"{i}.png,{'fm'[i % 2]},{i // 2 % 2}" for i in range(80))]
    (folder / "table.csv").write_text("\n".join(table))
    with_pictures = rng.random() < 0.5
    begun = imports.begin_import(folder / "table.csv", None)
    kind = FolderImport if with_pictures else TableImport
    more = {"file": "file", "size": 16} if with_pictures else {"leave_out": ("file",)}
    imports.finish_import(begun, "spoilt", kind("smile", {"sex": "values"}, **more))
    if with_pictures:
        (begun / "pictures").mkdir()
        names = {f"{i}.png": f"{i:06d}.png" for i in range(80)}
        for i, name in enumerate(names.values()):
            (begun / "pictures" / name).write_bytes(small_picture(i % 24))
        (begun / "pictures" / "names.json").write_text(json.dumps(names))
        (begun / "skipped.json").write_text(json.dumps(["1 file of the archive skipped: a link ('x')."]))
    spoil = rng.choice([path for path in begun.rglob("*.*") if path.suffix in (".json", ".csv")])
    if spoil.suffix == ".json":
        spoil.write_bytes(as_json(rng, changed_tree(rng, json.loads(spoil.read_bytes()))))
    else:
        spoil.write_bytes(changed(rng, spoil.read_bytes()))
    (folder / "id").write_text(begun.name)


def read_import(_: Random, folder: Path) -> object:
    from fmd_core.datasets.own import imports

    name = (folder / "id").read_text()
    try:
        listed = imports.kept_imports()
        data = imports.open_import(name)
        assert name in [kept.id for kept in listed], "opened, but not listed"
        return data.source.read(data.rows("test")[:5])
    finally:
        shutil.rmtree(imports._root() / name)


def write_features(rng: Random, folder: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((30, 4), "<f4"))
    (folder / f"{'a' * 64}.npy").write_bytes(changed(rng, buffer.getvalue()))


def read_features(_: Random, folder: Path) -> object:
    from fmd_core.models.feature_store import FeatureStore

    found = FeatureStore(folder).get_or_compute("a" * 64, 30, lambda: [np.ones((30, 4), "<f4")])
    assert found.shape == (30, 4)
    return float(found.sum())


def write_reference(rng: Random, folder: Path) -> None:
    sound = rng.choice(
        (
            "celeba?target=Male&protected=Young&size=64",
            "import?id=" + "0" * 32,
            "colored_mnist?aligned=0.99",
            "adult",
        )
    )
    (folder / "reference").write_bytes(changed(rng, sound.encode()))


def read_reference(_: Random, folder: Path) -> object:
    from fmd_core.datasets.families import load_dataset

    os.environ["FMD_DATA_DIR"] = str(folder / "none")
    return load_dataset((folder / "reference").read_text("utf-8", "replace"))

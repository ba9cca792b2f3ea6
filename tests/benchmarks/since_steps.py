"""One step of `since.py`, in a process of its own, by the `fmd_core` that PYTHONPATH names: it may be a week old, so
only names that stood there before are used.

    python -P tests/benchmarks/since_steps.py STEP FOLDER SMALL
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fmd_core as fmd

Array = Any
DAMPING = 1e-3
BLENDS = (0.9, 0.75, 0.5, 0.25, 0.1)
Step = Callable[[], Array]
"""What is timed; gives the figures that both checkouts are compared by."""


def main(name: str, folder: Path, *, small: bool) -> None:
    """Make the problem, time the step, leave its figures, and say what it took."""
    step = STEPS[name](folder, 20 if small else 1)
    begun = time.perf_counter(), time.process_time()
    figures = step()
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    np.save(folder / "figures.npy", np.asarray(figures, dtype="float64"))
    print(json.dumps([wall, cpu]), flush=True)
    os._exit(0)  # a browser's driver would be waited for


def loaded(folder: Path, classes: int, most: int | None = None) -> tuple[Any, Any, Array]:
    """A head, its training set and an attribute's direction, as `field_speed.write_arrays` left them."""
    features = np.array(np.load(folder / str(classes) / "features.npy", mmap_mode="r")[:most])
    rest = np.load(folder / str(classes) / "rest.npz")
    train = fmd.FeatureSet(features, rest["labels"][:most], np.arange(len(features)))
    return fmd.LinearHead(rest["weight"], rest["bias"]), train, rest["direction"]


def shifted(people: Any, direction: Array, m: int) -> Any:
    """The first m people, and the same a step along the attribute's direction."""
    own = people.subset(slice(0, m))
    other = fmd.FeatureSet(own.features + (2 * direction).astype("float32"), own.labels, own.rows)
    codes = (np.full(len(own), code) for code in (0, 1, 0))
    return fmd.CounterfactualPairs("planted", "generated", own, other, *codes)


def scores(classes: int) -> Callable[[Path, int], Step]:
    """From nothing to all scores."""

    def made(folder: Path, _scale: int) -> Step:
        head, everybody, direction = loaded(folder, classes)
        bias = fmd.CounterfactualBias(shifted(everybody, direction, 500))

        def scored(train: Any) -> Array:
            curvature = fmd.fit_curvature(head, train, damping=DAMPING)
            return fmd.bias_influence(head, train, bias, curvature).removal_effect

        scored(everybody.subset(slice(0, 500)))  # loads the libraries
        return lambda: scored(everybody)

    return made


def judging(classes: int) -> Callable[[Path, int], Step]:
    """61 points of a path, without solving."""

    def made(folder: Path, scale: int) -> Step:
        head, people, direction = loaded(folder, classes, 20_000 // scale)
        guard = fmd.Guard(people, fmd.CounterfactualBias(shifted(people, direction, len(people))))
        ways = np.random.default_rng(0).standard_normal((10, head.n_parameters)) / 100
        results = [fmd.UnlearningResult(head, "iterated", 0.0, 0)]
        for number, way in enumerate(ways, start=1):
            results.append(fmd.UnlearningResult(head.moved(number * way), "iterated", number / 10, 0))
            results += [
                fmd.UnlearningResult(head.moved(share * number * way), "iterated", number / 10, 0, share)
                for share in BLENDS
            ]
        return lambda: [point.bias for point in fmd.judge_path(tuple(results), guard).points]

    return made


def ladder(width: int) -> Callable[[Path, int], Step]:
    """Ten strengths and their blends, solved and judged."""

    def made(folder: Path, scale: int) -> Step:
        head, train, direction = loaded(folder, 2, 40_000 // scale)
        people = fmd.FeatureSet(np.ascontiguousarray(train.features[:, :width]), train.labels, train.rows)
        head = fmd.LinearHead(head.weight[:, :width], head.bias)
        pairs = shifted(people, direction[:width], 2_000 // scale)
        inputs = fmd.UnlearningInputs(people, fmd.CounterfactualBias(pairs))
        some = people.subset(slice(0, 2_000 // scale))
        guard = fmd.Guard(some, fmd.CounterfactualBias(shifted(some, direction[:width], len(some))))
        return lambda: [point.bias for point in fmd.unlearning_path(head, inputs, guard).points]

    return made


def preconditioner(_folder: Path, scale: int) -> Step:
    """What eases conjugate gradients at 100 classes."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((5_000 // scale, 64), dtype="float32")
    head = fmd.LinearHead(rng.standard_normal((100, 64)) / 8, np.zeros(100))
    weights = np.full(len(features), 1 / len(features))
    direction = rng.standard_normal(head.n_parameters)
    return lambda: head.preconditioner(features, weights, DAMPING)(direction)


class Unread:
    """A source that nobody reads from: the features are there."""

    kind, fingerprint = "table", "made for a benchmark"


def attributes(folder: Path, scale: int) -> tuple[Any, Any, Any, list[Any], dict[str, Any]]:
    """Forty attributes that say nothing, with matched and placebo twins."""
    head, train, _ = loaded(folder, 2, 20_000 // scale)
    people = fmd.FeatureSet(np.ascontiguousarray(train.features[:, :128]), train.labels, train.rows)
    head, n, rng = fmd.LinearHead(head.weight[:, :128], head.bias), len(people), np.random.default_rng(0)
    people = fmd.FeatureSet(people.features, people.labels, np.arange(n, 2 * n))
    names = [f"a{number}" for number in range(40 // scale)]
    columns = {name: fmd.Column(name, rng.integers(0, 2, 2 * n), ("no", "yes")) for name in names}
    target = fmd.Column("target", np.tile(people.labels, 2), ("no", "yes"))
    data = fmd.AttributeDataset("Made", target, columns, np.repeat(["train", "test"], n), Unread(), "matched")

    def twins(column: Any, *, like: bool) -> Any:
        own, order = column.codes[n:], rng.permutation(n)
        other = fmd.FeatureSet(people.features[order], people.labels, people.rows[order])
        return fmd.CounterfactualPairs(
            column.name, "matched", people, other, own, own if like else 1 - own, own
        )

    pairs = [twins(column, like=False) for column in columns.values()]
    placebos = {name: twins(column, like=True) for name, column in columns.items()}
    return head, data, people, pairs, placebos


def audit(folder: Path, scale: int) -> Step:
    """What Find bias measures."""
    head, data, people, pairs, placebos = attributes(folder, scale)
    fmd.audit_bias(head, data, people, pairs[:1], {})  # loads the libraries and draws the resamples

    def step() -> Array:
        found = fmd.audit_bias(head, data, people, pairs, placebos)
        return [end(one.judged) for one in sorted(found.attributes, key=lambda one: one.attribute)]

    return step


def end(estimate: Any) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def gaps(folder: Path, scale: int) -> Step:
    """Gaps between groups before and after a change."""
    head, data, people, pairs, _ = attributes(folder, scale)
    after = head.moved(np.full(head.n_parameters, 1e-3))
    given = [(one, None) for one in pairs]
    fmd.bias_changes(head, after, data, people, given[:1], "demographic parity")
    return lambda: [
        one.after.value for one in fmd.bias_changes(head, after, data, people, given, "demographic parity")
    ]


def features(_folder: Path, scale: int) -> Step:
    """Faces from files to features, on as many threads as torch is given."""
    data, classifier = fmd.load_dataset("celeba"), face_network()
    rows = data.rows("train")[: 6_000 // scale]
    few = type(data)(data.name, data.target, data.attributes, np.where(
        np.isin(np.arange(len(data.target.codes)), rows), "train", "test"), data.source, data.pair_method)  # fmt: skip
    return lambda: fmd.extract_features(classifier, few, split="train").features


def training(_folder: Path, scale: int) -> Step:
    """CelebA's faces, five times over, to the head fitted at last."""
    few = scale > 1
    data = fmd.load_dataset("colored_digits" if few else "celeba")
    network = {"architecture": "small_cnn", "epochs": 1} if few else {"architecture": "face_cnn", "epochs": 5}
    import torch

    torch.nn.Conv2d(3, 8, 3)(torch.zeros(2, 3, 16, 16)).sum().backward()  # loads the libraries
    return lambda: fmd.train_classifier(data, seed=0, **network).head.weight


def first_start(_folder: Path, _scale: int) -> Step:
    """The dashboard of the current folder in a home of its own, from its start until a browser shows how often the
    demo's model is right; the browser is there already."""
    from playwright.sync_api import sync_playwright

    chromium = sync_playwright().start().chromium
    path = next(
        found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))
    )
    browser = chromium.launch(executable_path=path, args=["--disable-gpu", "--no-first-run"])
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(120_000)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tempfile.mkdtemp(prefix="fmd-first-")
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(port)]

    def step() -> Array:
        server = subprocess.Popen(
            command, env=os.environ | {"FMD_HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not answers(f"http://127.0.0.1:{port}/_stcore/health"):
                time.sleep(0.02)
            page.goto(f"http://127.0.0.1:{port}", wait_until="commit")
            said = page.get_by_text("% of 450 held-out").first
            said.wait_for()
            return [float(said.inner_text().split()[0])]
        finally:
            server.kill()
            server.wait()
            browser.close()
            shutil.rmtree(home, ignore_errors=True)

    return step


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def face_network() -> Any:
    """A network of the kind that FMD Studio trains on faces, with random weights."""
    import torch

    try:
        from fmd_core.models.architectures import build_encoder
    except ImportError:  # its place a week ago
        from fmd_core.networks.architectures import build_encoder
    torch.manual_seed(0)
    encoder = build_encoder("face_cnn", 0).eval()
    with torch.no_grad():
        width = encoder(torch.zeros(1, 3, 64, 64)).shape[1]
    state = {name: value.detach().numpy() for name, value in encoder.state_dict().items()}
    return fmd.Classifier("face_cnn", state, fmd.LinearHead(np.zeros((2, width)), np.zeros(2)), DAMPING)


STEPS: dict[str, Callable[[Path, int], Step]] = {
    "scores, 2 classes": scores(2),
    "scores, 10 classes": scores(10),
    "judging, 2 classes": judging(2),
    "judging, 10 classes": judging(10),
    "ladder, d = 128": ladder(128),
    "ladder, d = 512": ladder(512),
    "preconditioner": preconditioner,
    "audit": audit,
    "gaps": gaps,
    "features": features,
    "training": training,
    "first start": first_start,
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), small=sys.argv[3] == "small")

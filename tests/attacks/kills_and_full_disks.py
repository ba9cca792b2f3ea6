"""A hundred kills at random points and twenty full disks: nothing lost, nothing half, nothing unlogged.

    OMP_NUM_THREADS=1 python tests/attacks/kills_and_full_disks.py [--seed 0] [--kills 100] [--disks 20]
        [--write docs/robustness.md]

Each kill is a SIGKILL at a random moment of real work in a home of its own: steps of a review, an import, a deletion,
stored features, a training with its model, a report, the worker that opens strange weights, and the whole server with a
visitor. What is left is then looked at by another process, as the next server would. A full disk is a real one: a small
tmpfs (needs root; Linux), filled up to a random number of bytes; the same work has to fail in one sentence or succeed,
and has to succeed once there is room. Not a test: it takes some minutes, prints what it found and ends with 1 if
anything was lost, half or unlogged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import alembic.command  # noqa: F401  before the fork, as all that is heavy
import numpy as np
import psutil
import torch
from PIL import Image

from app.record.journal import Remark
from app.session import keeping, memory, state
from app.storage import ReviewStore
from fmd_core import FMDError, read_report
from fmd_core.commands.common import write_document
from fmd_core.data import SPLITS
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.image_folder import FolderImport
from fmd_core.datasets.table_dataset import make_table_dataset
from fmd_core.models.architectures import build_encoder
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.shelf import keep_model, open_model, shelved_models
from fmd_core.models.training import train_classifier
from tests.raw_session import Server, Visitor

ROOT = Path(__file__).resolve().parents[2]
SHEET = FolderImport(target="smile", protected={"hat": "values"}, file="file", size=16)
PICTURES = 60
KEY = "ab" * 32
REPORT = (ROOT / "tests/core/report_samples/fmd-report-3.json").read_text()


class LostError(AssertionError):
    """Something was lost, half or unlogged."""


def must(holds: object, words: str) -> None:
    """Raise LostError unless it holds."""
    if not holds:
        raise LostError(words)


# --- the work, each in the home that FMD_HOME names


def files(folder: Path) -> tuple[Path, Path]:
    """A list of pictures and their zip."""
    sheet, archive = folder / "faces.csv", folder / "faces.zip"
    if not archive.exists():
        rows = [f"{i:03d}.png,{('no', 'yes')[i % 2]},{('none', 'red')[i // 2 % 2]}" for i in range(PICTURES)]
        sheet.write_text("\n".join(["file,smile,hat", *rows]))
        with ZipFile(archive, "w") as packed:
            noise = np.random.default_rng(0)
            for i in range(PICTURES):
                with packed.open(f"{i:03d}.png", "w") as file:
                    Image.fromarray(noise.integers(0, 255, (96, 96, 3), "uint8")).save(file, "PNG")
    return sheet, archive


def steps(tell: Callable[[str], None]) -> None:
    """Steps of a review, one after the other, as the pages take them."""
    memory.st.session_state = {"attribute": "colour"}  # type: ignore[assignment]
    for row in range(400):
        state.say(row, Remark(True, "x" * 2_000), "digit")
        place = state.place()
        if place and not state.unsaved():
            tell(f"{place.id} {place.version}")


def check_steps(home: Path, told: str) -> None:
    """Every step that was promised is kept and logged, and the log is whole."""
    store = ReviewStore(f"sqlite:///{home / 'reviews.sqlite3'}")
    promised = told.split()[-2:]
    try:
        listed = store.listing("local")
        if not promised:
            must(len(listed) <= 1, "a review that nobody was promised is there twice")
        for one in listed:
            chain, log = store.check_log(one.id), store.log(one.id)
            must(chain.intact, chain.sentence)
            journal = keeping.journal_json.load(store.load(one.id).state["journal"])
            must(len(log) == len(journal.remarks) + 1, f"{len(journal.remarks)} steps, {len(log) - 1} logged")
        if promised:
            found = store.load(promised[0])
            must(found.version in (int(promised[1]), int(promised[1]) + 1), "a promised step is lost")
    finally:
        store.close()


def bring_in(tell: Callable[[str], None]) -> None:
    """An import, looked at and finished."""
    folder = imports.begin_import(*files(Path(os.environ["FMD_HOME"]).parent))
    try:
        imports.first_look(folder, "faces", SHEET)
        tell(imports.finish_import(folder, "faces", SHEET))
    except BaseException:
        imports.give_up(folder)
        raise


def check_imports(home: Path, told: str) -> None:
    """What is listed is whole, what was promised is listed, and a sweep leaves nothing else."""
    listed = imports.kept_imports()
    must(all(promise in [one.id for one in listed] for promise in told.split()), "a promised import is lost")
    for one in listed:
        must(len(imports.open_import(one.id)) == PICTURES, "an import is half")
    root = home / "imports"
    for folder in root.iterdir() if root.is_dir() else ():
        os.utime(folder, (1e9, 1e9))  # a day later
    imports.sweep()
    left = {folder.name for folder in root.iterdir()} if root.is_dir() else set()
    must(left == {one.id for one in listed}, f"left behind: {left}")


def delete(tell: Callable[[str], None]) -> None:
    """An import is deleted."""
    (kept,) = imports.kept_imports()
    imports.delete_import(kept.id)
    tell("deleted")


def check_deletion(home: Path, told: str) -> None:
    """It is there as a whole or not at all, and after a sweep nothing private is left of what is not."""
    listed = imports.kept_imports()
    must(not (told and listed), "a deletion that was promised did not happen")
    check_imports(home, "")
    if not listed:
        must(not list(home.rglob("*.png")), "private pictures are left")


def featured(_: Callable[[str], None]) -> None:
    """Features are computed and stored."""

    def batches() -> list[np.ndarray]:
        return [np.full((2_000, 256), k, "float32") for k in range(10)]

    FeatureStore().get_or_compute(KEY, 20_000, batches)


def check_features(home: Path, _: str) -> None:
    """An entry holds the right numbers or is not there."""

    def again() -> list[np.ndarray]:
        return [np.full((20_000, 256), -1, "float32")]

    found = FeatureStore(home / "features").get_or_compute(KEY, 20_000, again)
    must(found[0, 0] == -1 or (found[::2_000, 0] == np.arange(10)).all(), "stored features are half")


def people() -> object:
    """A small table."""
    import pandas as pd

    rng, n = np.random.default_rng(0), 400
    frame = pd.DataFrame({f"number {i}": rng.normal(size=n) for i in range(5)})
    frame["sex"], frame["pay"] = np.resize(["f", "m"], n), np.where(frame["number 0"] > 0, "high", "low")
    split = np.resize(np.repeat(SPLITS, 2), n)
    return make_table_dataset("People", frame, target="pay", protected=["sex"], split=split)


def train(tell: Callable[[str], None]) -> None:
    """A model is trained and put on the shelf."""
    torch.set_num_threads(1)
    data = people()
    tell(keep_model(data, train_classifier(data, architecture="mlp", epochs=3)))


def check_models(home: Path, told: str) -> None:
    """What is listed opens as it was kept, and what was promised is listed."""
    data = people()
    listed = [one.id for one in shelved_models(data)]
    must(set(told.split()) <= set(listed), "a promised model is lost")
    for one in listed:
        open_model(data, one)
    strange = [
        f
        for f in (home / "models").rglob("*")
        if f.is_file() and f.suffix == ".safetensors" and f.stem not in listed
    ]
    must(not strange, f"a half model: {strange}")


def report(tell: Callable[[str], None]) -> None:
    """A report is written over the one before, again and again."""
    place = Path(os.environ["FMD_HOME"]) / "report.json"
    for _ in range(200):
        write_document("fmd-test-1", json.loads(REPORT), str(place))
        tell("written")


def check_report(home: Path, told: str) -> None:
    """It is whole, and there once it was promised."""
    place = home / "report.json"
    must(place.exists() or not told, "a promised report is lost")
    if place.exists():
        held = json.loads(place.read_bytes())
        content = {name: part for name, part in held.items() if name not in ("schema", "version")}
        must(read_report(json.dumps(content).encode()).is_intact, "a report is half")


@dataclass(frozen=True)
class Work:
    """Something that may be killed: what it needs first, how it is done, what has to hold afterwards."""

    do: Callable[[Callable[[str], None]], None]
    check: Callable[[Path, str], None]
    longest: float
    """Seconds within which it is killed."""
    first: Callable[[Callable[[str], None]], None] | None = None


WORKS = {
    "steps of a review": Work(steps, check_steps, 0.8),
    "import": Work(bring_in, check_imports, 0.35),
    "deletion": Work(delete, check_deletion, 0.02, bring_in),
    "stored features": Work(featured, check_features, 0.12),
    "training": Work(train, check_models, 1.2),
    "report": Work(report, check_report, 0.3),
}
SHARES = {
    "steps of a review": 24, "import": 18, "deletion": 18, "stored features": 12, "training": 10, "report": 10,
    "worker": 4, "server": 4,
}  # fmt: skip


def in_a_fork(
    home: Path, act: Callable[[Callable[[str], None]], None], after: float | None
) -> tuple[str, bool]:
    """Do something in a process of its own and kill it `after` so many seconds; what it had promised by then, and
    whether it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.environ["FMD_HOME"] = str(home)
            os.write(writer, b"begun\n")
            act(lambda words: os.write(writer, f"{words}\n".encode()))
            code = 0
        except FMDError as error:
            os.write(writer, f"refused: {error}\n".encode())
            code = 3
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    said = os.read(reader, 10)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    while more := os.read(reader, 1_000_000):
        said += more
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    must(os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in (0, 3), "the work itself broke down")
    return said.decode().removeprefix("begun\n"), os.WIFSIGNALED(status)


def looked_at(home: Path, check: Callable[[Path, str], None], told: str) -> None:
    """What has to hold, asked by another process, as the next server would."""
    said, _ = in_a_fork(home, lambda tell: _asked(home, check, told, tell), None)
    must(not said, said.strip())


def _asked(home: Path, check: Callable[[Path, str], None], told: str, tell: Callable[[str], None]) -> None:
    try:
        check(home, told)
    except (LostError, FMDError) as error:
        tell(f"{type(error).__name__}: {error}")


def kill(name: str, folder: Path, luck: random.Random) -> bool:
    """One kill; whether it met the work before its end."""
    if name == "worker":
        return kill_worker(folder, luck)
    if name == "server":
        return kill_server(folder, luck)
    work, home = WORKS[name], folder / "home"
    home.mkdir()
    files(folder)
    if work.first:
        in_a_fork(home, work.first, None)
    told, was_killed = in_a_fork(home, work.do, luck.uniform(0, work.longest))
    looked_at(home, work.check, told)
    return was_killed


def kill_worker(folder: Path, luck: random.Random) -> bool:
    """The process that opens strange weights dies: one sentence, and nothing is kept."""
    from fmd_core.models.intake.intake import open_weights

    home = folder / "home"
    home.mkdir()
    os.environ["FMD_HOME"] = str(home)
    torch.save(build_encoder("mlp", 7).state_dict(), folder / "weights.pt")
    ended = threading.Event()
    killed: list[int] = []

    def hunt() -> None:
        while not ended.is_set():
            for child in psutil.Process().children(recursive=True):
                time.sleep(luck.uniform(0.01, 1.0))
                if not ended.is_set() and child.is_running():
                    child.kill()
                    killed.append(child.pid)
                return
            time.sleep(0.005)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        open_weights(
            folder / "weights.pt", architecture="mlp", n_classes=2, n_inputs=7, size=None, normalisation="unit",
            out=home / "opened.safetensors",
        )  # fmt: skip
        must(not killed, "a killed worker's answer was believed")
    except FMDError as error:
        must(len(str(error)) < 400 and "Traceback" not in str(error), "no sentence")
    finally:
        ended.set()
        hunter.join()
    must(not list(home.rglob("*.safetensors")), "a model of a killed worker is kept")
    return bool(killed)


def kill_server(folder: Path, luck: random.Random) -> bool:
    """The server dies under a visitor who applies one fix after the other; the next one has every step."""
    server, applied = Server(folder), [0, 0]  # answered, begun
    try:
        visitor = Visitor(server)
        visitor.go()
        deadline = time.monotonic() + 120
        while "Strength" not in visitor.go("unlearn") or not visitor.shows("Strength"):
            must(time.monotonic() < deadline, "the page is never ready")
            time.sleep(0.5)
        apply = threading.Thread(target=_apply_on, args=(visitor, applied), daemon=True)
        apply.start()
        while not applied[0]:
            must(apply.is_alive(), "nothing could be applied")
            time.sleep(0.02)
        time.sleep(luck.uniform(0, 3))
        server.kill()
        apply.join(20)
        store = ReviewStore(f"sqlite:///{folder / 'reviews.sqlite3'}")
        (one,) = store.listing("local")
        must(store.check_log(one.id).intact, "the log is broken")
        logged = [entry.action for entry in store.log(one.id)][1:]
        must(
            set(logged) == {"apply"} and applied[0] <= len(logged) <= applied[1],
            f"{applied}, logged {len(logged)}",
        )
        store.close()
        server.start()
        again = Visitor(server, f"review={one.id}")
        again.go("")
        must(not again.exceptions, f"{again.exceptions}")
        again.close()
    finally:
        server.stop()
    return True


def _apply_on(visitor: Visitor, applied: list[int]) -> None:
    """Apply one strength after the other until the server is gone."""
    stops = visitor.options("Strength")[1:]
    with contextlib.suppress(Exception):
        for turn in range(1_000):
            visitor.slide("Strength", stops[turn % len(stops)])
            applied[1] += 1
            visitor.press(("Apply this", "Apply although refused")[visitor.shows("Apply although refused")])
            applied[0] += 1


# --- full disks


def disk_full(name: str, folder: Path, luck: random.Random) -> str:
    """One full disk: "refused", in a sentence, or "fitted"; and then the same with room."""
    work, home = WORKS[name], folder / "disk"
    home.mkdir()
    files(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(home)], check=True)
    try:
        if work.first:
            in_a_fork(home, work.first, None)
        room = int(luck.choice([0, 1, 4, 16, 64, 256, 1024, 4096, 12_000]) * luck.uniform(500, 1500))
        filler = home / "filler"
        _fill(filler, room)
        act = _few_steps if name == "steps of a review" else work.do
        told, _ = in_a_fork(home, lambda tell: act(tell), None)
        refused = "refused: " in told or "unsaved" in told
        promised = " ".join(line for line in told.splitlines() if not line.startswith(("refused", "unsaved")))
        filler.unlink(missing_ok=True)
        if act is not _few_steps:
            looked_at(home, work.check, promised)
            if name != "deletion" or imports_of(home):
                again, _ = in_a_fork(home, work.do, None)
                must("refused" not in again, f"with room again: {again}")
        else:
            _check_few_steps(home, told)
        return "refused" if refused else "fitted"
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def imports_of(home: Path) -> bool:
    """Whether an import is listed in a home."""
    return bool(list((home / "imports").glob("*/answers.json")))


def _fill(filler: Path, room: int) -> None:
    with filler.open("wb") as file:
        left = shutil.disk_usage(filler.parent).free - room
        while left > 0:
            try:
                left -= os.write(file.fileno(), bytes(min(left, 1 << 20)))
            except OSError:
                return


def _few_steps(tell: Callable[[str], None]) -> None:
    """Steps while the disk is full, then room, then one more: all of them have to be in the log."""
    memory.st.session_state = {"attribute": "colour"}  # type: ignore[assignment]
    home = Path(os.environ["FMD_HOME"])
    for row in range(12):
        state.say(row, Remark(True, "x" * 1_500), "digit")
    if state.unsaved():
        tell(f"unsaved {state.unsaved()}: {state.not_kept()}")
        trail = keeping.trail(state.place(), state.unsaved())
        must(trail is not None and not trail.is_intact, "unlogged steps, and the log reads intact")
    (home / "filler").unlink()
    state.say(100, Remark(True), "digit")
    must(not state.unsaved(), f"with room: {state.not_kept()}")
    tell("end")


def _check_few_steps(home: Path, told: str) -> None:
    def all_logged(home: Path, _: str) -> None:
        store = ReviewStore(f"sqlite:///{home / 'reviews.sqlite3'}")
        (one,) = store.listing("local")
        must(store.check_log(one.id).intact, "the log is broken")
        rows = [entry.detail.split(":")[0].rsplit(" ", 1)[1] for entry in store.log(one.id)[1:]]
        must(rows == [str(row) for row in (*range(12), 100)], f"logged: {rows}")
        store.close()

    must("end" in told, told)
    (home / "filler").touch()
    looked_at(home, all_logged, "")
    (home / "filler").unlink()


DISKS = {"steps of a review": 6, "import": 4, "deletion": 2, "stored features": 3, "training": 3, "report": 2}


@dataclass
class Tally:
    """What came of one kind of trial."""

    trials: int = 0
    met: int = 0
    faults: list[str] = field(default_factory=list)


def trials(shares: dict[str, int], wanted: int) -> list[str]:
    """So many trials, kinds mixed as their shares say."""
    names = [name for name, share in shares.items() for _ in range(share)]
    return [names[i * len(names) // wanted] for i in range(wanted)] if wanted else []


def run(
    shares: dict[str, int],
    wanted: int,
    one: Callable[[str, Path, random.Random], object],
    luck: random.Random,
) -> dict[str, Tally]:
    """All trials of one sort."""
    found: dict[str, Tally] = {name: Tally() for name in shares}
    for number, name in enumerate(trials(shares, wanted), start=1):
        tally = found[name]
        tally.trials += 1
        with tempfile.TemporaryDirectory(prefix="fmd-kill-") as folder:
            try:
                met = one(name, Path(folder), luck)
                tally.met += met in (True, "refused")
            except Exception as error:
                tally.faults.append(f"{type(error).__name__}: {error}"[:300])
                print(f"{number} {name}: {tally.faults[-1]}", flush=True)
    return found


def table(found: dict[str, Tally], met: str) -> list[str]:
    """A Markdown table."""
    rows = [f"| {name} | {t.trials} | {t.met} | {len(t.faults)} |" for name, t in found.items()]
    total = [
        sum(x) for x in zip(*[(t.trials, t.met, len(t.faults)) for t in found.values()], strict=True)
    ] or [0, 0, 0]
    return [
        f"| work | trials | {met} | lost, half or unlogged |", "| --- | ---: | ---: | ---: |", *rows,
        f"| all | {total[0]} | {total[1]} | {total[2]} |",
    ]  # fmt: skip


def main() -> int:
    """All trials; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=sum(SHARES.values()))
    parser.add_argument("--disks", type=int, default=sum(DISKS.values()))
    parser.add_argument("--only", default="", help="one kind of work")
    parser.add_argument("--write", type=Path, help="a file whose part between the marks is written anew")
    chosen = parser.parse_args()
    begun, luck = time.monotonic(), random.Random(chosen.seed)
    of = {name: share for name, share in SHARES.items() if chosen.only in ("", name)}
    disks_of = {name: share for name, share in DISKS.items() if chosen.only in ("", name)}
    kills = run(of, min(chosen.kills, sum(of.values())), kill, luck)
    disks = run(disks_of, min(chosen.disks, sum(disks_of.values())), disk_full, luck)
    lines = [
        f"Run on {datetime.now(UTC):%d %B %Y} in {time.monotonic() - begun:.0f} s with seed {chosen.seed}, "
        f"Python {platform.python_version()}, Linux {platform.release()}.",
        "", *table(kills, "killed before the end"), "", *table(disks, "had no room"),
    ]  # fmt: skip
    faults = Counter(f for found in (kills, disks) for t in found.values() for f in t.faults)
    lines += ["", *(f"- {words} ({number} times)" for words, number in faults.items())] if faults else []
    text = "\n".join(lines)
    print(text)
    if chosen.write:
        head, rest = chosen.write.read_text().split("<!-- measured -->\n")[:2]
        tail = rest.split("<!-- end -->")[1]
        chosen.write.write_text(f"{head}<!-- measured -->\n{text}\n<!-- end -->{tail}")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())

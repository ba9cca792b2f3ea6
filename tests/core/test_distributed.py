"""Row blocks on a real Dask cluster: a scheduler and workers, each a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fmd_core as fmd
from app.jobs.registry import JobRegistry
from fmd_core.models import feature_store
from fmd_core.models.encoding import encode_rows
from fmd_core.models.feature_store import FeatureStore
from fmd_core.running import distributed
from fmd_core.running.distributed import ClusterError, FileRows

pytestmark = pytest.mark.slow  # starts a cluster

ROOT = Path(__file__).resolve().parents[2]
N, D, K, BLOCKS = 1_000, 12, 3, 5
BLOCK_BYTES = N // BLOCKS * 4 * D
NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a command line of Dask in a process of its own; all end with the tests."""
    folder = tmp_path_factory.mktemp("dask")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop(distributed.SETTING, None)
    running = []
    with (folder / "log").open("w") as log:

        def begin(*words):
            command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
            running.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log))
            return running[-1]

        yield begin
        for client in distributed._CLIENTS.values():
            client.close()
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def processes(start, tmp_path_factory):
    """Scheduler address and two workers; the last test kills one of them."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    options = ("--scheduler-file", str(file), "--no-nanny", "--nthreads", "1", "--memory-limit", "1GiB")
    workers = [start("worker", *options) for _ in range(2)]
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    return address_in(file), workers


def address_in(file):
    return wait_for(lambda: json.loads(file.read_text())["address"])


def wait_for(found, seconds=90):
    """What `found` gives once it gives something and raises nothing."""
    until = time.monotonic() + seconds
    while True:
        try:
            if value := found():
                return value
        except (OSError, ValueError):
            pass
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def cluster(processes, monkeypatch):
    """The setting in force, samples in five blocks, and everybody there."""
    address, workers = processes
    monkeypatch.setenv(distributed.SETTING, address)
    monkeypatch.setattr(distributed, "READ_BYTES", BLOCK_BYTES)
    monkeypatch.setattr(distributed, "SENT_BYTES", BLOCK_BYTES)
    living = sum(worker.poll() is None for worker in workers)
    wait_for(lambda: len(distributed._client().nthreads()) == living)
    return distributed._client()


def executed(client):
    """How many tasks the workers have done so far."""
    return sum(client.run(lambda dask_worker: dask_worker.state.executed_count).values())


def known_tasks(client):
    """Tasks that wait, run or are kept, with their states."""
    return client.run_on_scheduler(
        lambda dask_scheduler: {key: task.state for key, task in dask_scheduler.tasks.items()}
    )


def problem(hidden=0):
    """A head and its training samples; every tenth feature value is 0."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((N, D), dtype="float32")
    features[rng.random((N, D)) < 0.1] = 0
    train = fmd.FeatureSet(features, rng.integers(0, K, N), np.arange(N))
    linear = fmd.LinearHead(rng.normal(0, 0.3, (K, hidden or D)), rng.normal(0, 0.1, K))
    return (
        fmd.MLPHead(rng.normal(0, 0.3, (hidden, D)), np.zeros(hidden), linear) if hidden else linear
    ), train


def in_a_file(train, folder):
    """The same samples, with features that are a map of a file."""
    np.save(folder / "features.npy", train.features)
    mapped = np.load(folder / "features.npy", mmap_mode="r")
    return fmd.FeatureSet(mapped, train.labels, train.rows)


class Slope:
    """A bias whose gradient is known, to score samples by."""

    attribute, measure = "mark", "counterfactual"

    def value(self, _head):
        return 0.25

    def gradient(self, head):
        return np.random.default_rng(1).normal(size=head.n_parameters)


def scores(head, train, solver, method="first-order", **options):
    curvature = fmd.fit_curvature(head, train, damping=0.1, solver=solver, **options)
    return fmd.bias_influence(head, train, Slope(), curvature, method=method, **options).removal_effect


# --- the same answers


@pytest.mark.parametrize("lies", ["in memory", "in a file"])
@pytest.mark.parametrize(
    ("hidden", "solver", "method", "tolerance"),
    [
        (0, "cholesky", "first-order", 1e-6),
        (0, "cholesky", "leave-one-out", 1e-6),
        (8, "cholesky", "first-order", 1e-6),
        # Conjugate gradients stop at a residual of 1e-4, and rounding decides at which product.
        (0, "conjugate_gradient", "first-order", 1e-4),
        (8, "conjugate_gradient", "first-order", 1e-4),
    ],
)
def test_scores_are_those_of_one_machine(
    cluster, monkeypatch, tmp_path, lies, hidden, solver, method, tolerance
):
    head, train = problem(hidden)
    before, shares = executed(cluster), []
    given = train if lies == "in memory" else in_a_file(train, tmp_path)
    found = scores(head, given, solver, method, progress=shares.append)
    assert executed(cluster) - before >= 2 * BLOCKS  # of curvature and of scores
    monkeypatch.delenv(distributed.SETTING)
    expected = scores(head, train, solver, method)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())
    assert np.abs(found - expected).max() < 1e-6
    assert set(shares) == {block / BLOCKS for block in range(BLOCKS)}


@pytest.mark.usefixtures("cluster")
def test_products_with_the_curvature_are_those_of_one_machine():
    head, train = problem(hidden=8)
    weights, v = np.full(N, 1 / N), Slope().gradient(head)
    from fmd_core.heads.curvature import _operator

    found = _operator(head, train.features, weights)()(v)
    expected = head.hessian_operator(train.features, weights)(v)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_features_are_those_of_one_machine(cluster, monkeypatch, demo, tmp_path):
    data, model = demo.dataset, demo.classifier
    monkeypatch.setattr(feature_store, "_shipped", lambda *_: None)  # read, although the demo brings them
    before, shares = executed(cluster), []
    found = fmd.extract_features(
        model, data, split="test", store=FeatureStore(tmp_path), progress=shares.append
    )
    assert FileRows.behind(found.features)
    rows = data.rows("test")
    other = np.zeros(len(rows), int)
    twins = encode_rows(model, data, rows, attribute="colour", codes=other)
    assert executed(cluster) > before + 2
    assert shares == sorted(shares)
    assert shares[0] == 0
    monkeypatch.delenv(distributed.SETTING)
    np.testing.assert_allclose(found.features, demo.features["test"].features, atol=1e-6)
    expected = encode_rows(model, data, rows, attribute="colour", codes=other)
    np.testing.assert_allclose(twins, expected, atol=1e-6)
    assert np.abs(twins - found.features).max() > 0.1


# --- how rows travel


@pytest.mark.usefixtures("cluster")
def test_every_worker_takes_part_and_answers_come_in_order():
    def told(block):
        time.sleep(0.05)
        return np.array([block, os.getpid()])

    blocks = [(number,) for number in range(24)]
    numbers, who = np.array(list(distributed.map_blocks(told, blocks, 24))).T
    np.testing.assert_array_equal(numbers, np.arange(24))
    assert len(set(who)) == 2
    assert os.getpid() not in who


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("change", ["gone", "other"])
def test_rows_are_sent_where_a_worker_sees_another_file(tmp_path, change):
    head, train = problem()
    mapped = in_a_file(train, tmp_path)
    assert isinstance(distributed.row_blocks(mapped.features)[0][0], FileRows)
    (tmp_path / "features.npy").unlink()
    if change == "other":
        np.save(tmp_path / "features.npy", train.features + 1)
    blocks = distributed.row_blocks(mapped.features)
    np.testing.assert_array_equal(np.concatenate([block[0] for block in blocks]), train.features)
    weights = np.full(N, 1 / N)
    found = distributed.sum_rows(head.hessian, mapped.features, weights)
    np.testing.assert_allclose(found, head.hessian(train.features, weights), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("cluster")
def test_a_file_that_a_worker_lost_is_named(tmp_path):
    _, train = problem()
    blocks = distributed.row_blocks(in_a_file(train, tmp_path).features)
    (tmp_path / "features.npy").unlink()
    with pytest.raises(ClusterError) as caught:
        list(distributed.map_blocks(np.sum, blocks, len(blocks)))
    assert str(caught.value) == (
        "A worker of the Dask cluster cannot read 'features.npy'. Give all workers the folder that it lies in, "
        "or none, then start this step again."
    )


def test_rows_behind_an_array_are_found(tmp_path):
    matrix = np.arange(60, dtype="float32").reshape(10, 6)
    np.save(tmp_path / "m.npy", matrix)
    mapped = np.load(tmp_path / "m.npy", mmap_mode="r")
    kept = fmd.FeatureSet(mapped, np.zeros(10, int), np.arange(10)).features
    for view in (mapped, kept, kept[2:7], kept[2:7][1:]):
        np.testing.assert_array_equal(FileRows.behind(view).read(), view)
    np.testing.assert_array_equal(FileRows.behind(kept[2:]).part(slice(1, 3)).read(), matrix[3:5])
    np.testing.assert_array_equal(FileRows.behind(kept).part(slice(8, 99)).read(), matrix[8:])
    for without in (matrix, matrix[2:], kept[:, :3], kept[::2], np.array(kept)):
        assert FileRows.behind(without) is None


# --- what goes wrong


def test_nothing_runs_on_after_a_cancel(cluster, tmp_path):
    def slow(number):
        (tmp_path / f"{number}").touch()
        time.sleep(0.1)
        return np.zeros(1)

    registry = JobRegistry()
    blocks = [(number,) for number in range(500)]
    job = registry.start("key", "Scores", lambda told: list(distributed.map_blocks(slow, blocks, 500, told)))
    wait_for(lambda: job.share > 0.01)
    registry.cancel(job.id)
    assert job.wait(10)
    assert job.state == "stopped"
    wait_for(lambda: known_tasks(cluster) == {}, 10)
    time.sleep(0.3)  # a block that was begun ends
    done = len(list(tmp_path.iterdir()))
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == done < 100


@pytest.mark.usefixtures("cluster")
def test_a_solve_by_products_can_be_stopped():
    head, train = problem()
    curvature = fmd.fit_curvature(head, train, damping=1e-6, solver="conjugate_gradient")
    told = []

    def stop(share):
        told.append(share)
        if len(told) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fmd.bias_influence(head, train, Slope(), curvature, progress=stop)
    assert told == [0.0] * 12  # in the second product; how many there will be nobody knows


@pytest.mark.parametrize("address", [NOBODY, "127.0.0.1:1", "nonsense://1", "tls://127.0.0.1:1", "not here"])
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, address):
    monkeypatch.setenv(distributed.SETTING, address)
    monkeypatch.setattr(distributed, "CONNECT_SECONDS", 0.2)
    head, train = problem()
    with pytest.raises(ClusterError) as caught:
        fmd.fit_curvature(head, train)
    assert str(caught.value) == (
        f"The Dask scheduler at '{address}' does not answer. Start it, correct the setting FMD_DASK_SCHEDULER, "
        "or leave that out to compute on this machine."
    )
    assert isinstance(caught.value, fmd.FMDError)


def test_a_cluster_without_workers_is_said_and_one_without_scheduler(start, tmp_path, monkeypatch):
    file = tmp_path / "scheduler.json"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    address = address_in(file)
    monkeypatch.setenv(distributed.SETTING, address)
    monkeypatch.setattr(distributed, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(distributed, "LONELY_SECONDS", 0.2)
    with pytest.raises(ClusterError) as caught:
        fmd.fit_curvature(*problem())
    assert str(caught.value) == (
        f"The Dask cluster at '{address}' has had no workers for 0 seconds; start some, then start this step again."
    )
    monkeypatch.setattr(distributed, "LONELY_SECONDS", 60)
    told = []

    def kill(share):
        told.append(share)
        if len(told) == 5:
            scheduler.kill()

    with pytest.raises(ClusterError, match="does not answer"):
        fmd.fit_curvature(*problem(), progress=kill)


@pytest.mark.usefixtures("cluster")
def test_errors_of_the_work_arrive_as_they_are():
    def fails(kind, *words):
        raise kind(*words)

    for error in (fmd.ModelError("The model reads images."), TimeoutError("A disk was slow."), OSError("No")):
        with pytest.raises(type(error)) as caught:
            list(distributed.map_blocks(fails, [(type(error), *error.args)], 1))
        assert caught.value.args == error.args


@pytest.mark.usefixtures("cluster")
def test_rows_that_kill_workers_are_said():
    def killed():
        from distributed import KilledWorker

        raise KilledWorker("rows", SimpleNamespace(address="tcp://gone"), 3)

    with pytest.raises(
        ClusterError, match=r"^4 workers of the Dask cluster died over the same rows, most likely"
    ):
        list(distributed.map_blocks(killed, [()], 1))


@pytest.mark.usefixtures("cluster")
def test_the_job_ends_right_when_a_worker_is_killed(processes, tmp_path):
    head, train = problem()
    weights, victim = np.full(N, 1 / N), processes[1][1]
    hessian = head.hessian

    def slow(features, weights):
        (tmp_path / f"{os.getpid()}").touch()
        time.sleep(0.1)
        return hessian(features, weights)

    def work(progress):
        def told(share):
            if (tmp_path / f"{victim.pid}").exists() and victim.poll() is None:
                assert share < 1
                victim.send_signal(signal.SIGKILL)
                victim.wait()
            progress(share)

        blocks = 6 * distributed.row_blocks(train.features, weights)
        return distributed.sum_blocks(slow, blocks, told)

    job = JobRegistry().start("key", "Curvature", work)
    assert job.wait(60)
    assert (job.state, job.error) == ("finished", "")
    assert victim.poll() == -signal.SIGKILL
    np.testing.assert_allclose(job.result, 6 * hessian(train.features, weights), rtol=1e-9)


# --- without the setting

WORK = """
import sys
import numpy as np
import fmd_core as fmd, fmd_core.models.encoding
rng = np.random.default_rng(0)
train = fmd.FeatureSet(rng.normal(size=(50, 4)), rng.integers(0, 2, 50), np.arange(50))
try:
    fmd.fit_curvature(fmd.LinearHead(np.eye(2, 4), np.zeros(2)), train)
except fmd.FMDError as error:
    print(error)
print(sorted({name.split(".")[0] for name in sys.modules} & {"dask", "distributed", "tornado"}))
"""


@pytest.mark.parametrize(
    ("address", "imported"), [("", "[]"), (NOBODY, "['dask', 'distributed', 'tornado']")]
)
def test_dask_is_imported_only_when_it_is_asked_for(address, imported):
    code = f"from fmd_core.running import distributed\ndistributed.CONNECT_SECONDS = 0.1\n{WORK}"
    environment = os.environ | {distributed.SETTING: address}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert found.stdout.splitlines()[-1] == imported, found.stderr

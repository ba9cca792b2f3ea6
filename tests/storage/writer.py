"""Writers to be killed, made by forking one process that has everything imported: not a test.

    python writer.py URL REVIEW

A line on its standard input is one writer: it saves the review, step after step, and is killed with
SIGKILL so many milliseconds after its first save; or, for a line such as "at 3", right before the
third statement (a commit counts as one) of its second save. The answer is the last version whose
save had returned.
"""

import os
import signal
import sys
import time

import alembic.command  # noqa: F401 - before the fork, as the driver
from sqlalchemy import event

from app.storage import ReviewStore
from app.storage.database import database_url, open_engine

PADDING = "x" * 100_000  # so that a save takes long enough to be hit


def write(url, review, pipe, die_at=0):
    store = ReviewStore(url)
    version = store.load(review).version
    for turn in range(10_000):
        if turn == 1 and die_at:
            kill_before(store._opened(), die_at)
        state = {"step": version + 1, "padding": PADDING}
        version = store.save(review, version=version, action="step", detail=str(version + 1), state=state)
        os.write(pipe, b"%d\n" % version)


def kill_before(engine, number):
    """Die by the engine's next statement of this number."""
    left = [number]

    def count(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)


def trial(url, review, order):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            write(url, review, writer, int(order.split()[1]) if order.startswith("at") else 0)
        finally:
            os._exit(1)
    os.close(writer)
    said = os.read(reader, 1_000)
    if not order.startswith("at"):
        time.sleep(float(order) / 1000)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    while more := os.read(reader, 1_000_000):
        said += more
    os.close(reader)
    assert os.WTERMSIG(status) == signal.SIGKILL
    return said.split()[-1].decode()


if __name__ == "__main__":
    open_engine(database_url(sys.argv[1])).dispose()  # imports the driver
    for line in sys.stdin:
        print(trial(*sys.argv[1:], line.strip()), flush=True)

"""What the background loading leaves behind, in a process of its own."""

import subprocess
import sys

PROBE = """
import logging
logging.disable(logging.WARNING)
import gc
from app import warmup
warmup._first_page.set()
warmup.PAINT_SECONDS = 0
warmup._load()
import threadpoolctl, torch
assert warmup.is_done()
print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()} | {torch.get_num_threads()})
print(gc.get_freeze_count() > 100_000)
"""


def test_products_run_on_one_thread_and_the_libraries_are_frozen():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split("\n")[:2] == ["{1}", "True"], done.stderr

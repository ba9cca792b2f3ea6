"""The container's health: whether the server answers, and whether its folder can be written to.

    python -m app.serving.health [PORT]

One sentence, and 1 where either is not so. Imports nothing heavy: it runs twice a minute.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import urllib.request
from http.client import HTTPException

PORT, PATIENCE_SECONDS = 8501, 4
HOME = "FMD_HOME"


def faults(port: int) -> list[str]:
    """What is wrong, a sentence each."""
    found = []
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=PATIENCE_SECONDS):
            pass
    except (OSError, HTTPException):
        found.append(f"The server does not answer on port {port}.")
    folder = os.environ.get(HOME) or os.path.expanduser("~/.fmd-studio")
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        found.append(
            f"The disk of {HOME} is full." if full else f"{HOME} cannot be written to: {error.strerror}."
        )
    return found


if __name__ == "__main__":
    said = faults(int(sys.argv[1]) if len(sys.argv) > 1 else PORT)
    print(" ".join(said) or "The server answers, and FMD_HOME can be written to.")
    sys.exit(bool(said))

"""The process in which readers meet spoilt files: `python -m tests.fuzz.child READER SEED FIRST LAST`.

READER is the name of one, or `every`: then they take turns. Prints a line of JSON for each file: `begin`,
then how it ended. Whoever started it sees by a missing line that a file killed or held up the reader.
"""

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import unicodedata
import warnings
from pathlib import Path
from random import Random

from fmd_core.errors import FMDError
from fmd_core.home import REPOSITORY
from tests.fuzz.opening_weights import worker_bytes
from tests.fuzz.readers import READERS, Reader

EVERY = "every"
MEMORY_BYTES = 3 << 30  # beyond what is in use before: an allocation of more fails
HIDDEN = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff"
LEAKS = re.compile(r"Traceback|File \"|0x[0-9a-f]{6}|\[Errno|\b[A-Z]\w*(?:Error|Exception|Warning)\b|<class")


def main() -> None:
    name, seed, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("ignore")
    home = Path(tempfile.mkdtemp(prefix="fmd-fuzz-"))
    os.environ["FMD_HOME"] = str(home / "home")
    names, out = list(READERS) if name == EVERY else [name], os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        for number in range(max(20, len(names))):  # imports are not what a file costs
            run_one(READERS[names[number % len(names)]], Random(number), home / "warm")
        limit = _status("VmSize") + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(first, last):
            print(json.dumps({"begin": number}), file=out, flush=True)
            reader = names[number % len(names)]
            found = run_one(READERS[reader], Random(f"{seed} {reader} {number}"), home / "case")
            print(json.dumps(found | {"end": number}), file=out, flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run_one(reader: Reader, rng: Random, folder: Path) -> dict:
    """Write one case, open it, and say how that ended, in how many seconds and bytes."""
    folder.mkdir()
    try:
        reader.write(rng, folder)
        Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is this file's
        before, start = _status("VmRSS"), time.perf_counter()
        outcome, words, worker_bytes[0] = "opened", "", 0
        try:
            reader.read(rng, folder)
        except FMDError as error:
            problem = what_is_wrong_with(str(error), folder, reader.most_sentences)
            outcome, words = ("bad sentence", f"{problem}: {error}") if problem else ("refused", str(error))
        except BaseException:  # SystemExit and the like too: all of them are what is looked for
            outcome, words = "crash", traceback.format_exc(limit=-6)
        seconds = time.perf_counter() - start
        return {
            "outcome": outcome,
            "words": words,
            "seconds": seconds,
            "bytes": max(0, _status("VmHWM") - before, worker_bytes[0]),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def what_is_wrong_with(message: str, folder: Path, most_sentences: int) -> str:
    """Why a refusal is no clear sentence, or ''."""
    if not 15 < len(message) < 1_500:
        return "too short or too long"
    if not message.endswith("."):
        return "no full stop"
    if any(
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in HIDDEN for letter in message
    ):
        return "hidden marks or line ends"
    if any(
        place in message
        for place in (str(folder), str(REPOSITORY), str(Path.home()), tempfile.gettempdir() + "/")
    ):
        return "a path of the server"
    if leak := LEAKS.search(message):
        return f"technical words ({leak[0]})"
    plain = re.sub(r"'[^']*'", "", message)  # what a file says of itself may have full stops
    return "too many sentences" if len(re.findall(r"\.\s+[A-Z]", plain)) >= most_sentences else ""


def _status(field: str) -> int:
    """A figure of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field + ":"))


if __name__ == "__main__":
    main()

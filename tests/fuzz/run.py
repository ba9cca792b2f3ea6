"""10,000 spoilt files for every reader: `python tests/fuzz/run.py`. Ends with 1 if one did harm.

The same seed makes the same files. A file may be opened or refused in one clear sentence; everything
else is a fault: another exception, a dead process, over 20 seconds, over 1 GiB, a leak in the words.
"""

import argparse
import json
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also run as a plain script

from fmd_core.home import REPOSITORY
from tests.fuzz.child import EVERY
from tests.fuzz.readers import READERS

ALL = sum(reader.share for reader in READERS.values())
SECONDS, START_SECONDS = 20.0, 120.0
MEMORY = 1 << 30


@dataclass
class Tally:
    """How the files of one reader ended."""

    ends: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    faults: list[str] = field(default_factory=list)
    sentences: Counter[str] = field(default_factory=Counter)

    def add(self, reader: str, seed: str, found: dict) -> None:
        """Count the end of one file; what did harm is kept with the way to see it again."""
        outcome = (
            "memory"
            if found["bytes"] > MEMORY and found["outcome"] in ("opened", "refused")
            else found["outcome"]
        )
        self.ends[outcome] += 1
        self.slowest, self.largest = max(self.slowest, found["seconds"]), max(self.largest, found["bytes"])
        if outcome == "refused":
            self.sentences[found["words"][:60]] += 1
        if outcome not in ("opened", "refused"):
            again = f"python tests/fuzz/run.py --reader '{reader}' --seed {seed} --only {found['end']}"
            self.faults.append(
                f"{outcome}, {found['bytes'] >> 20} MiB, {found['seconds']:.1f} s: {again}\n{found['words']}"
            )


def fuzz(reader: str, seed: str, numbers: range, seconds: float = SECONDS) -> Tally:
    """Give a reader the files of these numbers, in a process that is started anew when a file ends it."""
    tally, next_number = Tally(), numbers.start
    while next_number < numbers.stop:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.child",
            reader,
            seed,
            str(next_number),
            str(numbers.stop),
        ]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            try:
                next_number = _follow(process, tally, reader, seed, next_number, seconds)
            finally:
                process.kill()
    return tally


def _follow(
    process: subprocess.Popen[bytes], tally: Tally, reader: str, seed: str, first: int, seconds: float
) -> int:
    """Read what the process tells until it ends or is held up; the number to go on with."""
    number, begun = first, time.monotonic()
    lines, patience = _lines(process), START_SECONDS
    while (line := lines(patience)) is not None:
        if line == b"":  # it ended: of itself, or by the file that it was at
            code = process.wait()
            if code:
                killed = signal.Signals(-code).name if code < 0 else f"code {code}"
                found = {
                    "outcome": "crash",
                    "words": f"the process ended with {killed}",
                    "seconds": time.monotonic() - begun,
                }
                tally.add(reader, seed, found | {"end": number, "bytes": 0})
                return number + 1
            return number
        told = json.loads(line)
        patience, begun = seconds, time.monotonic()
        number = told.get("begin", number)
        if "end" in told:
            tally.add(reader, seed, told)
            number += 1
    found = {
        "outcome": "hang",
        "words": "stopped",
        "seconds": time.monotonic() - begun,
        "bytes": 0,
        "end": number,
    }
    tally.add(reader, seed, found)
    return number + 1


def _lines(process: subprocess.Popen[bytes]):
    """A function that gives the next line, b'' at the end, None when none comes in so many seconds."""
    assert process.stdout is not None
    selector, pipe = selectors.DefaultSelector(), process.stdout
    selector.register(pipe, selectors.EVENT_READ)
    held: list[bytes] = []
    rest = b""

    def next_line(seconds: float) -> bytes | None:
        nonlocal rest
        while not held:
            if not selector.select(seconds):
                return None
            block = pipe.read1(1 << 16)
            if not block:
                return b""
            *whole, rest = (rest + block).split(b"\n")
            held.extend(whole)
        return held.pop(0)

    return next_line


def table(tallies: dict[str, Tally]) -> str:
    """The outcome of every reader in Markdown."""
    heads = (
        "reader", "files", "refused in a sentence", "opened", "crashes", "hangs", "bad sentences", "over memory",
        "slowest", "peak memory",
    )  # fmt: skip
    rows = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for reader, tally in tallies.items():
        counts = [tally.ends[end] for end in ("refused", "opened", "crash", "hang", "bad sentence", "memory")]
        cells = [
            reader,
            tally.ends.total(),
            *counts,
            f"{tally.slowest:.2f} s",
            f"{tally.largest / 2**20:,.0f} MiB",
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    ends = sum((tally.ends for tally in tallies.values()), Counter())
    counts = [ends[end] for end in ("refused", "opened", "crash", "hang", "bad sentence", "memory")]
    slowest, largest = (
        max(getattr(tally, name) for tally in tallies.values()) for name in ("slowest", "largest")
    )
    cells = ["all", ends.total(), *counts, f"{slowest:.2f} s", f"{largest / 2**20:,.0f} MiB"]
    return "\n".join([*rows, "| " + " | ".join(map(str, cells)) + " |"])


def main() -> int:
    """Fuzz as asked; 1 if a file did harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=ALL, help="how many in all")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--reader", choices=[*READERS, EVERY], help="this one alone, or each in turn")
    parser.add_argument("--only", type=int, help="the file of this number alone")
    parser.add_argument("--sentences", action="store_true", help="show how files were refused, and how often")
    asked = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # what a file made of a message may be no text
    tallies = {}
    for reader in [asked.reader] if asked.reader else READERS:
        share = asked.files if reader == EVERY else max(1, round(READERS[reader].share * asked.files / ALL))
        numbers = range(share) if asked.only is None else range(asked.only, asked.only + 1)
        tallies[reader] = fuzz(reader, asked.seed, numbers)
        print(f"{reader}: {tallies[reader].ends.total()} files", file=sys.stderr, flush=True)
    for tally in tallies.values():
        print(*tally.faults, sep="\n\n")
        if asked.sentences:
            print(*(f"{number:6} {words}" for words, number in tally.sentences.most_common()), sep="\n")
    print(f"Seed {asked.seed}.\n\n{table(tallies)}")
    return int(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())

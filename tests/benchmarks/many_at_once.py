"""Many visitors on one server: errors, cross-talk, how fast a slider answers, memory, and fairness.

    python tests/benchmarks/many_at_once.py [--sessions 20] [--rounds 2] [--think 1.0] [--processes 1] [--crowd-only]

With more than one process they share home and database, and every visitor stays with one, as behind a proxy.

Every session goes through the demo as a reviewer does, with its own limit and strength, and reads both
back; between two actions it thinks for half to one and a half times `--think` seconds. Prints
Markdown and keeps it in tests/benchmarks/results/. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.raw_session import Server, Visitor

LIMIT = "Limit: how many points may twins, or two groups, be apart?"
MOVES, FAIR_MOVES, EVERY = 10, 60, 50


@dataclass
class Tally:
    """What all sessions found; threads share it."""

    servers: list[Server]
    moves: list[float] = field(default_factory=list)  # ms
    others: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)  # interactions, MiB
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, act: Callable[[], str], kind: str = "others") -> str:
        """Do something and note how long it took."""
        begun = time.perf_counter()
        said = act()
        took = 1000 * (time.perf_counter() - begun)
        with self.lock:
            getattr(self, kind).append(took)
            self.done += 1
            if self.done % EVERY == 0:
                self.memory.append((self.done, sum(server.memory() for server in self.servers)))
        return said


def journey(tally: Tally, number: int, visit: int, think: float) -> None:
    """One reviewer: bias, twins, harmful samples, strengths, apply, undo, redo, report."""
    luck = Random(1000 * visit + number)
    visitor = Visitor(tally.servers[number % len(tally.servers)])

    def act(what: Callable[[], str], kind: str = "others") -> str:
        time.sleep(think * luck.uniform(0.5, 1.5))
        return tally.timed(what, kind)

    def expect(wanted: str, said: str) -> None:
        if wanted not in said:
            tally.faults.append(f"session {number}: no {wanted!r} in {said[-300:]!r}")

    place = (number + 20 * visit) % 49
    limit = 1 + place + (place >= 9)  # 10 is what everybody begins with
    try:
        act(lambda: visitor.go(""))
        act(lambda: visitor.go("find_bias"))
        act(lambda: visitor.slide(LIMIT, float(limit)), "moves")
        for page in ("twins", "harmful", "unlearn"):
            act(lambda page=page: visitor.go(page))
        stops = visitor.options("Strength")[1:]
        own = stops[(number + visit) % len(stops)]
        for _ in range(MOVES):
            stop = luck.choice(stops)
            act(lambda stop=stop: visitor.slide("Strength", stop), "moves")
        act(lambda: visitor.slide("Strength", own), "moves")
        in_force = f"strength {own}"
        refused = "Apply although refused" in visitor.text
        label = "Apply although refused" if refused else "Apply this"
        expect(in_force, _in_force(act(lambda: visitor.press(label))))
        expect("the original model\n", _in_force(act(lambda: visitor.press("Undo"))))
        expect(in_force, _in_force(act(lambda: visitor.press("Redo"))))
        expect(f"strength {own}", act(lambda: visitor.go("report")))
        act(lambda: visitor.go("find_bias"))
        expect(f"limit={limit}&", f"{visitor.query}&")
        expect(f"strength={own}&", f"{visitor.query}&")
    except Exception as error:  # a session that breaks off is a finding, and the others go on
        tally.faults.append(f"session {number}: {type(error).__name__}: {str(error)[:500]}")
    finally:
        tally.faults += [f"session {number}: {problem}" for problem in visitor.exceptions]
        visitor.close()


def _in_force(said: str) -> str:
    return "".join(f"{line}\n" for line in re.findall(r"^\*\*In force:\*\*.*$", said, re.MULTILINE))


def worked(servers: list[Server]) -> float:
    """Seconds of processor time of all processes."""
    return sum(sum(psutil.Process(server.process.pid).cpu_times()[:2]) for server in servers)


def crowd(servers: list[Server], sessions: int, rounds: int, think: float) -> list[str]:
    """So many at once, again and again; each round's visitors are new."""
    tally = Tally(servers)
    before, begun, ours = worked(servers), time.perf_counter(), time.process_time()
    lines = []
    for visit in range(rounds):
        moves, others = len(tally.moves), len(tally.others)
        with ThreadPoolExecutor(sessions) as pool:
            list(pool.map(lambda n, v=visit: journey(tally, n, v, think), range(sessions)))
        when = "just after the start" if visit == 0 else f"round {visit + 1}"
        lines += [
            row(f"slider move, {sessions} sessions, {when}", tally.moves[moves:]),
            row(f"anything else, {sessions} sessions, {when}", tally.others[others:]),
        ]
    spent, took = worked(servers) - before, time.perf_counter() - begun
    memory = ", ".join(f"{done}: {size:.0f}" for done, size in tally.memory)
    return [
        *lines,
        "",
        f"Interactions: {tally.done} in {took:.0f} s, "
        f"{1000 * spent / tally.done:.0f} ms of the servers' processor time each, "
        f"{1000 * (time.process_time() - ours) / tally.done:.0f} of the visitors' on the same machine; "
        f"load of the machine at the end: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors.",
        f"Errors and cross-talk: {len(tally.faults)}.",
        *tally.faults[:10],
        f"Memory in MiB by interactions: {memory}.",
    ]


def fairness(server: Server) -> list[str]:
    """One visitor's slider alone, then while another's network is being trained."""
    lines, visitor, other = [], Visitor(server), Visitor(server, "data=synthetic_faces")
    visitor.go("unlearn")
    stops = visitor.options("Strength")
    lines.append(row("slider move, one session alone", _moves(visitor, stops)))
    other.go("model")
    other.fill("Rounds over the data", 100)
    said = other.press("Train")
    begun = re.search(r"\d+ % done|Waiting", said) is not None
    lines.append(row("slider move while another session trains", _moves(visitor, stops)))
    going_on = re.findall(r"\d+ % done", other.go("model"))
    lines.append(f"\nThe training was on screen: {begun}; after the moves: {going_on[:1] or 'it had ended'}.")
    return lines


def _moves(visitor: Visitor, stops: list[str]) -> list[float]:
    times = []
    for turn in range(FAIR_MOVES):
        begun = time.perf_counter()
        visitor.slide("Strength", stops[turn % len(stops)])
        times.append(1000 * (time.perf_counter() - begun))
    return times[len(stops) :]  # at first every strength is judged


def row(name: str, times: list[float]) -> str:
    """One line of the table."""
    if not times:
        return f"| {name} | 0 | | |"
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"| {name} | {len(times)} | {statistics.median(times):.0f} | {p95:.0f} |"


def make_ready(server: Server) -> None:
    """Wait until the demo can be fixed, and until the server has loaded ahead what it loads."""
    first = Visitor(server)
    while not first.go("unlearn") or not first.shows("Strength"):
        time.sleep(1)
    first.close()
    while True:
        before = worked([server])
        time.sleep(4)
        if worked([server]) - before < 0.3:
            return


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--think", type=float, default=1.0, help="seconds between two actions, on average")
    parser.add_argument("--processes", type=int, default=1, help="of the server, with one home and database")
    parser.add_argument("--crowd-only", action="store_true", help="leave out one visitor beside a training")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        servers = [Server(Path(home), f"server{number}.log") for number in range(asked.processes)]
        try:
            for server in servers:
                make_ready(server)
            table = ["| what | n | median ms | p95 ms |", "|---|---|---|---|"]
            lines = table + crowd(servers, asked.sessions, asked.rounds, asked.think)
            if not asked.crowd_only:
                lines += [
                    "",
                    *table,
                    *fairness(servers[0]),
                ]  # last: its training would go on beside the crowd
            traces = sum(server.log.read_text().count("Traceback") for server in servers)
            lines.append(f"Tracebacks in the server's log: {traces}.")
        finally:
            for server in servers:
                server.kill()
    print("\n".join(lines))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)  # git keeps no empty folder
    (results / "many_at_once.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

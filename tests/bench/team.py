"""What the server of a team costs: `python tests/bench/team.py`, with redis-server or valkey-server installed.

A proxy of a team takes turns with two that have none: all with a budget, and all without one. The second without a
team shows what two processes of one program differ by. What a proxy asks of the server is counted by that.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bodies
import load
import programs
import rounds
from programs import Program, Site

#: A path of the server to measure with, as for the tests of the package.
CHOSEN = "FAIRLEAD_TEST_VALKEY"
SECRET = "0123456789abcdef" * 4
BUDGET = {"FAIRLEAD_GUARD_DAY_TOKENS": "1000000000000"}
SLICES = 10
IDLE_SECONDS = 10.0
PLAIN, TWIN, TEAM = SIDES = ("without", "without too", "team")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps nothing."""
    program = os.environ.get(CHOSEN) or shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise programs.StartError("neither valkey-server nor redis-server is installed")
    port = programs.free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()


def count_commands(url: str) -> dict[str, int]:
    """How often each command was called, what scripts call included, but for those of this connection."""
    import valkey

    with valkey.Valkey.from_url(url) as client:
        told: dict[str, Any] = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in told.items()}
    return {name: count for name, count in calls.items() if name not in ("info", "client|setinfo", "hello")}


def join_team(url: str) -> dict[str, str]:
    """The settings of a proxy of a team."""
    return {"FAIRLEAD_SHARED_URL": url, "FAIRLEAD_SHARED_SECRET": SECRET}


def take_turns(targets: dict[str, Program], count: int) -> dict[str, list[float]]:
    """The seconds of each request, by side; the order differs from turn to turn."""
    taken: dict[str, list[float]] = {name: [] for name in targets}
    body = bodies.small(bodies.behave("plain"))
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(load.connected(one.port)) for name, one in targets.items()}
        names = list(targets)
        for turn in range(SLICES):
            for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
                taken[name] += load.plain(clients[name], load.request(targets[name].port, body), count)
    return taken


def run_round(site: Site, url: str, budget: dict[str, str], count: int) -> dict[str, list[float]]:
    """One round of fresh processes."""
    with contextlib.ExitStack() as stack:
        targets: dict[str, Program] = {}
        for name in SIDES:
            settings = {**budget, **(join_team(url) if name == TEAM else {})}
            targets[name] = stack.enter_context(programs.fairlead(site, settings=settings))
            rounds.warm(targets[name])
        take_turns(targets, count // 4)
        return take_turns(targets, count)


def count_asked(site: Site, url: str, count: int) -> str:
    """What one proxy under a budget asks the server: idle, and while requests run one after the other."""
    body = bodies.small(bodies.behave("plain"))
    with programs.fairlead(site, settings={**BUDGET, **join_team(url)}) as one, load.connected(one.port) as clients:
        rounds.warm(one)
        before, begun = count_commands(url), time.perf_counter()
        load.plain(clients, load.request(one.port, body), count)
        busy = sum(count_commands(url).values()) - sum(before.values())
        busy_seconds = time.perf_counter() - begun
        time.sleep(3.0)  # a share that no request needs is given back
        before = count_commands(url)
        time.sleep(IDLE_SECONDS)
        idle = {name: calls - before.get(name, 0) for name, calls in count_commands(url).items()}
    told = ", ".join(f"{name} {calls / IDLE_SECONDS:.1f}" for name, calls in idle.items() if calls)
    return (
        f"Idle: {sum(idle.values()) / IDLE_SECONDS:.1f} commands a second of one process ({told}). Busy with "
        f"{count / busy_seconds:,.0f} requests a second: {busy / busy_seconds:.0f}, with those in scripts."
    )


def describe(title: str, found: Sequence[dict[str, list[float]]]) -> list[str]:
    """The rows of a table, in ms: medians of the rounds' differences, and the middle half of those."""
    rows: list[str] = []
    for percent in (50, 95):
        cut = [{name: 1e3 * load.percentile(taken, percent) for name, taken in one.items()} for one in found]
        added = sorted(one[TEAM] - (one[PLAIN] + one[TWIN]) / 2 for one in cut)
        twins = sorted(one[TWIN] - one[PLAIN] for one in cut)
        name = "median" if percent == 50 else f"p{percent}"
        plain = statistics.median(one[PLAIN] for one in cut)
        spans = [f"{statistics.median(ones):+.3f} ({_span(ones)})" for ones in (added, twins)]
        rows.append(f"| {title}, {name} | {plain:.3f} | {spans[0]} | {spans[1]} |")
    return rows


def _span(ordered: Sequence[float]) -> str:
    quarter = len(ordered) // 4
    return f"{ordered[quarter]:+.3f} to {ordered[-1 - quarter]:+.3f}"


def main(argv: Sequence[str]) -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python tests/bench/team.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="rounds of fresh processes")
    parser.add_argument("--requests", type=int, default=60, metavar="N", help="requests in each of a round's turns")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        folder = Path(name)
        site = Site(folder, programs.free_port())
        with programs.upstream(site), server(folder) as url:
            print("| latency, ms | without a team | a team adds | two without one differ by |\n|---|---:|---:|---:|")
            for title, budget in (("no budget", {}), ("a budget", BUDGET)):
                found = [run_round(site, url, budget, arguments.requests) for _ in range(arguments.rounds)]
                print("\n".join(describe(title, found)), flush=True)
            print(f"\n{count_asked(site, url, arguments.requests * SLICES)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes packaging/reference/team-simulation.md: `python -m tests.simulation.run`, for some minutes.

It needs lupa (the extra `test`) and redis-server or valkey-server.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from ..store.team.servers import Server
from .load import SHARERS, measure
from .plans import FAULTS, LARGE, LONG, SMALL
from .world import World

PAGE = Path(__file__).parents[2] / "packaging" / "reference" / "team-simulation.md"
INTRO = """# Budgets of a team, simulated

Written by `python -m tests.simulation.run`; do not edit.

Two cores cannot run five hundred proxies. In virtual time they can: each simulated process has the real guard and
reservations (`router/budget`, `router/policy/budget`), the real rounds and breaker (`router/store/team`) and a clock of
its own; the server runs the real Lua scripts over tables (`tests/simulation/server.lua`), which a test compares with a
real server, reply by reply. Not simulated: HTTP, the history's file, threads.

The model: requests come to each process at random (Poisson) and take 4 s on average (exponential). Each names a key
(low numbers more often), may use up to 8,000 tokens as its `max_tokens` says, and uses part of it. The way to the
server takes 5 to 20 ms unless the row says otherwise; a call has 250 ms. The server does one call after the other and
needs 1.2 us for a command in a script, 1.2 us for each field or member that one gives, and 40 us besides: within a
factor of two of the last table, measured on a machine that others used too. What providers charge is counted apart,
where no fault reaches it. A process that is killed loses its requests, which are charged; it starts again after 5 s.

## What holds

- Spent beyond a limit: at most one request, which goes alone where less is left than it may use, and what killed
  processes had under way or had not told. Lost replies, partitions of less than 30 s, wrong clocks, a server that was
  emptied or fell back do not add to it.
- A process that is cut off for longer spends of its share for 28 s, and others are given that share after 30 s, since
  nothing tells it from one that was killed: what it spent alone comes on top.
- No process that reaches the server sends a request into a scope after its halt; those with running requests know of it
  within a second.
- While the server cannot be reached, a process sends what fits into the share that it holds, for 28 s at most, and
  refuses the rest (`shared.on_loss = refuse`). With `allow` no limit holds: each counts on alone.
"""


def describe(name, plan):
    """A row of a run."""
    world = World(plan).run()
    oracle = world.oracle
    books = list(oracle.books.values())
    untold = sum(book.untold for book in books) / 2
    worst = max(books, key=lambda book: book.over)
    late = max((book.last_admitted - book.halted_at for book in books), default=0.0)
    halts = sum(book.halted_at < 1e9 for book in books)
    waits = sorted(oracle.waits)
    cells = [
        name,
        f"{oracle.admitted:,}",
        f"{oracle.refused + oracle.busy:,}",
        f"{max(0, worst.over):,}",
        f"{worst.largest:,}",
        f"{untold:,.0f}" if plan.kills else "0",
        f"{halts}",
        f"{max(world.known_after, default=0.0):.2f} s" if world.known_after else "–",
        "yes" if late > 0 else "no",
        f"{waits[len(waits) // 2] * 1000:,.0f} ms",
        f"{max(world.calls.values()) / plan.processes:.1f}",
        f"{max(world.load.values()):.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def measure_load(rows):
    """The table of a real server's work."""
    found = []
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        for processes, shared, own in rows:
            micros, size = measure(server, processes, shared, own)
            busy = micros * 2.5 * processes / 1e6
            found.append(f"| {processes} | {shared} | {own} | {micros:,.0f} us | {size:,.0f} B | {busy:.1%} |")
    return found


def main():
    """Run all, and write the page."""
    jobs = [(name, SMALL._replace(**fault)) for name, fault in FAULTS.items()]
    jobs.append(("two fifths cut off for 40 s of 60 s, one budget of 600,000", LONG))
    jobs.append(("the server away for 20 s, `on_loss = allow`", SMALL._replace(outages=((5, 25),), on_loss="allow")))
    many = (
        "500 processes, 5,000 keys, 5 s: a fifth cut off for 3 s, ten killed, 1 % of replies lost, clocks 2 min wrong"
    )
    large = [(f"{many}; a server of any speed", LARGE._replace(work=0.0)), (f"{many}; one core", LARGE)]
    sizes = [(p, shared, own) for p in (2, 20, 200, 500) for shared, own in ((1, 0), (2, 20))]
    with ProcessPoolExecutor(3, get_context("spawn")) as pool:
        measured = pool.submit(measure_load, sizes)
        rows = [pool.submit(describe, *job) for job in [*jobs, *large]]
        found = [row.result() for row in rows[: len(jobs)]]
        # First without the large ones, which take the longest.
        write(found, measured.result())
        write([row.result() for row in rows], measured.result())


def write(rows, load):
    """Write the page. rows: of runs; load: of the real server."""
    head = (
        "| what happens | sent | refused | most beyond a limit | largest request | charged to killed ones | halts "
        "| known by busy ones after | sent after a halt | median wait | most calls a second and process "
        "| server's work in its worst second |\n"
        f"|{'---|' * 12}"
    )
    lines = [
        INTRO,
        f"## {SMALL.processes} processes, {SMALL.keys} keys, {SMALL.seconds:g} s\n",
        "Tokens, where no unit is named. The budget of all traffic and those of the busiest keys are used up.\n",
        head,
        *rows,
        "",
        "## What rounds cost the server\n",
        "redis-server on the machine that wrote this page. Each process tells of budgets that all use (`shared`) and "
        f"of keys' that {SHARERS} processes use (`own`), and has spent of each. The last column: rounds every 0.4 s "
        "from all.\n",
        "| processes | shared budgets | own budgets | server's time for a round | reply | one core's time |",
        "|---|---|---|---|---|---|",
        *load,
        "",
        "A round reads sums that are kept for each budget, and of the processes that wait at most 64, so that its cost "
        "does not grow with the processes. What each has spent, which a server that loses its data is filled with, is "
        "read every 50 ms for each process that there is, and every 5 s at least. Requests that wait for room have "
        "their process ask four times a second, three of them at once. A process that needs more leaves to those "
        "that wait for longer what they need, and takes what is left besides; one that was not heard of for 2 s is "
        "not waited for.",
    ]
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()

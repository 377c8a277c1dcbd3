"""Instructions of a request or of a delta, counted by Callgrind: the same in each run, whatever else the machine does.

Rules of this file: only what the program itself executes is counted, not the system's part of it. Counting begins when
a warm process has nothing left to do, and ends when it has nothing left to do again, so that what a thread does of a
request later counts too: that happens once for all of the requests, as it does for those of half a second in real
life. Callgrind runs one thread at a time: what threads cost each other by waiting is not in it.
"""

import glob
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import bodies
import load
import programs
from load import Client
from programs import Program, Running, Site

#: Deltas of a stream of the shape `burst`, and of `agentstream`.
DELTAS, STREAMED = 2000, 50
_START_SECONDS = 300.0
# A process is idle that uses less than this share of a core for so many seconds: fairlead's history is written every
# half second.
_IDLE_SHARE, _IDLE_SECONDS = 0.04, 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of request. count: how many are counted; per: into how many parts each is divided."""

    body: bytes
    count: int
    per: int = 1
    stream: bool = False

    def send(self, client: Client, port: int, count: int) -> None:
        """Send so many, one after another."""
        data = load.request(port, self.body)
        for _ in range(count):
            client.send(data)
            if self.stream:
                client.read_to(load.LAST_CHUNK)
            else:
                client.receive()


def _shapes() -> dict[str, Shape]:
    plain, burst = bodies.behave("plain"), bodies.behave("burst", STREAMED)
    return {
        "small body": Shape(body=bodies.small(plain), count=400),
        "122 KB agent body": Shape(body=bodies.agent(plain), count=200),
        f"122 KB agent body, stream of {STREAMED} deltas": Shape(
            body=bodies.agent(burst, stream=True), count=150, stream=True
        ),
        "a delta, in bursts": Shape(
            body=bodies.small(bodies.behave("burst", DELTAS), stream=True), count=5, per=DELTAS, stream=True
        ),
    }


TRANSLATED = "122 KB agent body, translated"


def why_not() -> str:
    """Why instructions cannot be counted here; '' when they can."""
    missing = [tool for tool in ("valgrind", "callgrind_control") if shutil.which(tool) is None]
    return f"{' and '.join(missing)} not found (Debian: apt install valgrind)" if missing else ""


#: `floor`, the name of a tree, or that and ` without` (its history) -> name of a shape -> instructions.
Counts = dict[str, dict[str, float]]


def count(site: Site, trees: Mapping[str, Path], *, quick: bool = False) -> Counts:
    """Count the instructions of the bare relay, and of fairlead in each of these trees with and without its history.
    quick: of the small body alone."""
    shapes = dict(list(_shapes().items())[: 1 if quick else None])
    translated = {} if quick else {TRANSLATED: Shape(body=bodies.agent(bodies.behave("plain")), count=60)}
    with _patient():
        counts: Counts = {"floor": _count(programs.floor, site, shapes)}
        for tree_name, tree in trees.items():
            for name in (tree_name, f"{tree_name} without"):
                counts[name] = {}
                for some, protocols in ((shapes, programs.ALL), (translated, ("chat",))):
                    form = replace(programs.HELD, tree=tree)
                    start = partial(programs.fairlead, form=form, protocols=protocols)
                    counts[name] |= _count(start, site, some, recorded=name == tree_name)
    return counts


def _count(
    start: Callable[..., Running], site: Site, shapes: Mapping[str, Shape], *, recorded: bool | None = None
) -> dict[str, float]:
    """The instructions of each shape, by one process. recorded: whether it has a history; None for the floor."""
    if not shapes:
        return {}
    out = site.folder / f"callgrind.{programs.free_port()}"
    tool = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}")
    found: dict[str, float] = {}
    with start(site, within=tool) as program, load.connected(program.port) as (client,):
        for name, shape in shapes.items():
            flush = partial(program.process.send_signal, signal.SIGUSR2) if recorded is not None else _nothing
            # As many as are counted: the first rows of a statement of so many have SQLite compile it.
            shape.send(client, program.port, shape.count)
            flush()
            if recorded is False and not found:
                _wait_idle(program)
                program.process.send_signal(signal.SIGUSR1)
            found[name] = _run(program, out, partial(shape.send, client, program.port, shape.count), flush)
            found[name] /= shape.count * shape.per
    return found


def _nothing() -> None:
    """What is done to have a program write its history that has none."""


def _run(program: Program, out: Path, work: Callable[[], None], flush: Callable[[], None]) -> int:
    """The instructions of the work, and of what `flush` has the program do afterwards."""
    _wait_idle(program)
    before = set(glob.glob(f"{out}*"))
    # Not switched off again: that would set back the counter, and not what the next figures are counted from.
    _control(program, "-i", "on")
    _control(program, "-z")
    work()
    flush()
    _wait_idle(program)
    _control(program, "-d")
    end = time.monotonic() + programs.START_TIMEOUT
    while time.monotonic() < end:
        written = [Path(name).read_text() for name in set(glob.glob(f"{out}*")) - before]
        found = [int(one) for text in written for one in re.findall(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)]
        if any(found):
            return max(found)
        time.sleep(0.1)
    raise programs.StartError(f"callgrind wrote no figures. {program.said()}")


def _control(program: Program, *words: str) -> None:
    command = ["callgrind_control", *words, str(program.process.pid)]
    subprocess.run(command, check=True, capture_output=True, timeout=_START_SECONDS)


def _wait_idle(program: Program) -> None:
    while True:
        before = program.cpu()
        time.sleep(_IDLE_SECONDS)
        if program.cpu() - before < _IDLE_SHARE * _IDLE_SECONDS:
            return


@contextmanager
def _patient() -> Iterator[None]:
    """Give a program that is fifty times as slow its time to start, and any core."""
    usual, programs.START_TIMEOUT = programs.START_TIMEOUT, _START_SECONDS
    cores, programs.CORES = programs.CORES, []
    try:
        yield
    finally:
        programs.START_TIMEOUT, programs.CORES = usual, cores


def markdown(counts: Counts) -> str:
    """The table for packaging/reference/speed.md: three columns for each tree."""
    trees = [name for name in counts if f"{name} without" in counts]
    heads = ["instructions of", "bare relay", *(head for name in trees for head in (name, "ratio", "its history"))]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for shape in counts[trees[0]]:
        floor = counts["floor"].get(shape)
        cells = [shape, f"{floor:,.0f}" if floor else "–"]
        for name in trees:
            ours, without = counts[name][shape], counts[f"{name} without"][shape]
            cells += [f"{ours:,.0f}", f"{ours / floor:.2f} ×" if floor else "–", f"{100 * (ours / without - 1):.1f} %"]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""Instructions of a request, with one process and with several workers: `python tests/bench/workers`.

Needs valgrind. The instructions of an idle proxy over the same time are subtracted, those of all its processes are
added. Its clocks run slower, as all else does there (slowed.py). CPU time is not measured: see `python tests/bench`.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import bodies  # noqa: E402 - the modules of the benchmark have no package
import load  # noqa: E402
import programs  # noqa: E402
import rounds  # noqa: E402

_START_SECONDS = 300.0
_WARM = 400


class Cost(NamedTuple):
    """What one proxy cost, in instructions: for a request, and for a second in which it is idle. rate: requests a
    second, by its own clocks."""

    request: float
    idle: float
    rate: float


def main(argv: Sequence[str]) -> int:
    """Measure, print the figures."""
    parser = argparse.ArgumentParser(prog="python tests/bench/workers", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, metavar="N")
    parser.add_argument("--connections", type=int, default=32, metavar="N", help="kept alive, each asks in turn")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N", help="numbers of workers")
    parser.add_argument(
        "--rate", type=float, default=400.0, metavar="N", help="requests a second, by the proxy's clocks"
    )
    slower = "how many times slower these run than others: so many that the machine keeps up with the rate"
    parser.add_argument("--slower", type=float, default=40.0, metavar="N", help=slower)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave what callgrind_annotate reads there")
    arguments = parser.parse_args(argv)
    programs.START_TIMEOUT = load.TIMEOUT = _START_SECONDS
    costs: list[Cost] = []
    for count in arguments.workers:
        costs.append(_measure(count, arguments))
        one, first = costs[-1], costs[0]
        print(
            f"workers {count}: {one.request / 1e6:.3f} M instructions a request ({one.request / first.request:.3f} ×) "
            f"at {one.rate:.0f} a second, {one.idle / 1e6:.1f} M a second when idle",
            flush=True,
        )
    return 0


def _measure(workers: int, arguments: argparse.Namespace) -> Cost:
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        out = arguments.keep / str(workers) if arguments.keep else Path(name) / "callgrind"
        out.mkdir(parents=True, exist_ok=True)
        site = programs.Site(Path(name), programs.free_port())
        under = ("valgrind", "--tool=callgrind", "--trace-children=yes", "--separate-threads=yes")
        under += ("--instr-atstart=no", "--log-file=/dev/null", f"--callgrind-out-file={out}/out.%p")
        proxy = programs.fairlead(
            site,
            form=programs.Form((sys.executable, str(HERE / "slowed.py"))),
            within=under,
            settings={"FAIRLEAD_WORKERS": str(workers), "SLOWED": str(arguments.slower)},
        )
        with programs.upstream(site), proxy as program:
            rounds.warm(program)
            return _count(program, out, arguments)


def _count(program: programs.Program, out: Path, arguments: argparse.Namespace) -> Cost:
    requests, slower = arguments.requests, arguments.slower
    data = load.request(program.port, bodies.small(bodies.behave("plain")))
    with load.connected(program.port, arguments.connections) as clients:
        load.plain(clients, data, _WARM)
        processes = list(_find_processes(program.process.pid))
        for pid in processes:
            _control(pid, "--instr=on")
        pause = slower * arguments.connections / arguments.rate
        _send(clients, data, requests // 4, pause)
        _settle(slower)
        busy = _Turn(processes, out)
        began = time.perf_counter()
        _send(clients, data, requests, pause)
        taken = time.perf_counter() - began
        _settle(slower)
        spent, seconds = busy.end("busy")
        idle = _Turn(processes, out)
        time.sleep(seconds / 2)
        rest, calm = idle.end("idle")
    per_second = rest / calm
    return Cost((spent - per_second * seconds) / requests, per_second * slower, slower * requests / taken)


def _send(clients: Sequence[load.Client], data: bytes, count: int, pause: float) -> None:
    """Send `count` requests, one on each connection every `pause` seconds."""
    began = time.perf_counter()
    for turn in range(count // len(clients)):
        time.sleep(max(0.0, began + turn * pause - time.perf_counter()))
        load.plain(clients, data, len(clients))


def _settle(slower: float) -> None:
    """Wait until what requests leave behind is done: they are written half a second later."""
    time.sleep(slower * programs.SETTLE)


class _Turn:
    """What the processes do from here on."""

    def __init__(self, processes: Sequence[int], out: Path):
        self._processes = processes
        self._out = out
        for pid in processes:
            _control(pid, "--zero")
        self._began = time.perf_counter()

    def end(self, name: str) -> tuple[int, float]:
        """Their instructions, and the seconds."""
        seconds = time.perf_counter() - self._began
        total = 0
        for pid in self._processes:
            _control(pid, f"--dump={name}")
            # One file a thread.
            for found in self._out.glob(f"out.{pid}.*-*"):
                total += sum(map(int, re.findall(r"^totals: (\d+)", found.read_text(), re.MULTILINE)))
                found.rename(found.with_name(f"{name}.{pid}.{found.name.rpartition('-')[2]}"))
        return total, seconds


def _control(pid: int, command: str) -> None:
    subprocess.run(["callgrind_control", command, str(pid)], check=True, capture_output=True)


def _find_processes(pid: int) -> Iterator[int]:
    """A process and all it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from _find_processes(int(child))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

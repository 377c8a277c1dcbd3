"""How long one hostile peer holds up everybody else: a real proxy, hostile answers and requests, and /livez asked every
10 ms on another connection meanwhile.

`python -m tests.attacks.loop_lag [--tree FOLDER] [--patience S] [--steps] [NAME…]` prints a table: the latency of
/livez in ms, at the median, the 99th percentile and the worst. --tree: the sources of the proxy, to measure an older
one. --patience: seconds after which a round is given up; the row then has what was seen until then. --steps: also the
longest step of the proxy's own loop, in ms as it passed and of the processor, and where the task then waited.

On a machine that does other work as well, run it with real-time priority (`chrt -r 10 python -m …`). The prober then
gets a higher one than the proxy, and the proxy a higher one than the upstream and the client of this process: what is
measured is the proxy, not the turns of the processes on two processors.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from ..e2e.processes import Proxy, backend, make_home
from ..e2e.upstream import Upstream
from ..e2e.wire import Client, ask, request
from .agent_inputs import AGENT_CASES, CONFIG
from .hostile_inputs import ASKED, BACKENDS, MIB
from .hostile_inputs import CASES as PLAIN_CASES

_PROBER = Path(__file__).with_name("livez_prober.py")
_STEPS = Path(__file__).with_name("loop_steps.py")
#: A hostile input is repeated for so many seconds, and at least once.
SECONDS = 3.0
_PATIENCE = 600.0
CASES = {**PLAIN_CASES, **AGENT_CASES}


class Lag(NamedTuple):
    """The latencies of /livez during one case, in ms. took: seconds that one round took. ended: False for a round that
    was given up."""

    p50: float
    p99: float
    worst: float
    took: float
    status: int
    ended: bool = True


@contextlib.contextmanager
def priority(by):
    """What starts in the block gets a real-time priority that is higher by so much, where this process has one."""
    if sys.platform != "linux" or os.sched_getscheduler(0) not in (os.SCHED_RR, os.SCHED_FIFO):
        yield
        return
    policy, usual = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    os.sched_setscheduler(0, policy, os.sched_param(usual + by))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, os.sched_param(usual))


class World:
    """A proxy whose backends are all one scripted upstream: `chat` and `messages` speak one protocol each. steps: its
    loop notes long steps."""

    def __init__(self, folder, tree=None, *, steps=False, **settings):
        self.up = Upstream(models=("model-a",))
        self.engine = Upstream()
        config = make_home(folder) / "config.toml"
        config.touch(mode=0o600)
        config.write_text(CONFIG.format(engine=self.engine.root.removesuffix("/v1")))
        backends = [backend(name, self.up.root, protocols=protocols) for name, protocols in BACKENDS.items()]
        if tree:
            settings["PYTHONPATH"] = str(tree)
        self._report = folder / "steps"
        command = {"command": (sys.executable, str(_STEPS), str(self._report))} if steps else {}
        with priority(10):
            self.proxy = Proxy(folder, backends=backends, settings=settings, **command)
        self.port = self.proxy.port
        self.proxy.settled(*BACKENDS)
        self.proxy.loaded()

    def stop(self):
        """End both."""
        self.proxy.kill()
        self.up.stop()
        self.engine.stop()

    def forget_steps(self):
        """Begin to note anew."""
        self._report.unlink(missing_ok=True)

    @property
    def longest_step(self):
        """Seconds of the longest step of the loop, those of the processor in it, and where its task then waited; None
        when none was long."""
        if not self._report.exists():
            return None
        return max(json.loads(line) for line in self._report.read_text().splitlines())

    def send(self, path, body, *fields):
        """Send a request, and return the answer's status; None when the connection broke."""
        with Client(self.port) as client:
            client.sock.settimeout(_PATIENCE)
            with contextlib.suppress(ConnectionError):
                client.send(request(path, body, *fields))
            data, size = b"", 0
            while piece := _recv(client.sock):
                data = data or piece
                size += len(piece)
                if _ended(data, piece, size):
                    break
            return int(data.split()[1]) if data else None

    def ask(self, model, *, stream=False, path="/v1/messages", **more):
        """Ask for an answer of a model."""
        body = {"model": model, **ASKED, "stream": stream, **more}
        if path.endswith("/responses"):
            body = {"model": model, "input": "go", "stream": stream, **more}
        return self.send(path, json.dumps(body).encode(), (b"x-api-key", b"k"), (b"Connection", b"close"))


def _recv(sock):
    try:
        return sock.recv(MIB)
    except ConnectionError:
        return b""


def _ended(data, piece, size):
    at = data.lower().find(b"content-length: ")
    if at < 0 or b"\r\n\r\n" not in data:
        return False
    length = int(data[at + 16 :].split(b"\r\n", 1)[0])
    return size >= data.find(b"\r\n\r\n") + 4 + length


class Probing:
    """Asks /livez while the block runs; `lag` gives the latencies after it."""

    def __init__(self, port):
        self._port = port
        self.latencies = []

    def __enter__(self):
        with priority(20):
            self._process = subprocess.Popen(
                [sys.executable, str(_PROBER), str(self._port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        out, _ = self._process.communicate(b"\n", timeout=_PATIENCE)
        self.latencies = sorted(json.loads(out))


def measure(world, run, seconds=SECONDS, patience=_PATIENCE):
    """The lag while a case is repeated, for `patience` seconds at most."""
    rounds, status = 0, None
    ended = threading.Event()

    def repeat():
        nonlocal rounds, status
        while not rounds or time.monotonic() - began < seconds:
            status = run(world)
            rounds += 1
        ended.set()

    with Probing(world.port) as probing:
        began = time.monotonic()
        threading.Thread(target=repeat, daemon=True).start()
        ended.wait(patience)
        took = (time.monotonic() - began) / max(1, rounds)
    found = [1000 * one for one in probing.latencies]
    return Lag(found[len(found) // 2], found[int(len(found) * 0.99)], found[-1], took, status or 0, ended.is_set())


def measure_list(folder, tree=None, seconds=SECONDS):
    """The lag while the models are listed that a backend with 100,000 has."""
    up = Upstream(models=[f"m{at}" for at in range(100_000)])
    settings = {"PYTHONPATH": str(tree)} if tree else {}
    with priority(10):
        proxy = Proxy(folder, backends=[backend("chat", up.root)], settings=settings)
    try:
        proxy.settled("chat")
        proxy.loaded()

        def run(_):
            found = [ask(proxy.port, path, None) for path in ("/v1/models", "/v1/models?client_version=0.99.0")]
            return max(one.status for one in found)

        return measure(proxy, run, seconds)
    finally:
        proxy.kill()
        up.stop()


def measure_catalog(folder, tree=None, seconds=SECONDS):
    """The lag while unknown models are asked for beside a catalog of 20,000 long names."""
    up = Upstream(models=[f"vendor-{at % 97}/{'model-name-' * 20}{at:06d}" for at in range(20_000)])
    settings = {"PYTHONPATH": str(tree)} if tree else {}
    with priority(10):
        proxy = Proxy(folder, backends=[backend("chat", up.root)], settings=settings)
    try:
        proxy.settled("chat")
        proxy.loaded()
        names = iter(range(1 << 30))

        def run(_):
            model = "model-name-" * 20 + f"{next(names)}x"
            body = json.dumps({"model": model, **ASKED}).encode()
            return ask(proxy.port, "/v1/messages", body).status

        return measure(proxy, run, seconds)
    finally:
        proxy.kill()
        up.stop()


CATALOG = "unknown model beside 20,000 long names"
LISTED = "list of 100,000 models"
#: Cases with a catalog of their own.
CATALOGS = {CATALOG: measure_catalog, LISTED: measure_list}
#: The lines above the rows.
TITLE = ("| hostile input | p50 ms | p99 ms | worst ms | s a round | status |", "|---|---|---|---|---|---|")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree")
    parser.add_argument("--patience", type=float, default=240)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [name for name in CASES if not options.names or any(one in name for one in options.names)]
    more = (" longest step ms (processor) |", "---|") if options.steps else ("", "")
    for line, addition in zip(TITLE, more, strict=True):
        print(line + addition, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for at, name in enumerate(chosen):
            root = Path(folder) / str(at)
            root.mkdir()
            capture = "on" if "backslash" in name else "off"
            world = World(root, options.tree, steps=options.steps, FAIRLEAD_HISTORY_CAPTURE=capture)
            try:
                world.forget_steps()
                lag = measure(world, CASES[name], patience=options.patience)
                show(name, lag, world.longest_step if options.steps else None)
            except (OSError, AssertionError, subprocess.TimeoutExpired) as error:
                print(f"| {name} | {error!r} |", flush=True)
            finally:
                world.stop()
        for name, measured in CATALOGS.items():
            if not options.names or any(one in name for one in options.names):
                root = Path(folder) / name.replace(",", "").replace(" ", "-")
                root.mkdir()
                show(name, measured(root, options.tree))


def format_row(name, lag):
    """One row of the table."""
    took = f"{lag.took:.2f}" if lag.ended else f"> {lag.took:.0f}"
    return f"| {name} | {lag.p50:.1f} | {lag.p99:.1f} | {lag.worst:.0f} | {took} | {lag.status} |"


def show(name, lag, step=None):
    """Print one row. step: the longest one of the loop."""
    found = "" if step is None else f" {1000 * step[0]:.0f} ({1000 * step[1]:.0f}) {step[2]} |"
    print(format_row(name, lag) + found, flush=True)


if __name__ == "__main__":
    main()

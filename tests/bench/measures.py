"""What is measured: each function takes the bench and returns rows of the table."""

import re
import subprocess
import sys
import time
from collections.abc import Callable

import bodies
import choosing
import keys
import load
import programs
import recording
import translating
from programs import Program, Site
from rounds import Bench, Rounds, Slice, Start, alternate, warm
from routing import decisions
from table import Kind, Row

# Deltas of an answer, where many answers are streamed.
STREAMED = 50


def _cpu(name: str, unit: str, rounds: Rounds, *, per: int = 1, gate: float | None = None) -> Row:
    """CPU of a request, or of one of the `per` events of a stream."""
    scale = SCALES[unit] / per
    columns = {side: [scale * one.spent / len(one.taken) for one in found] for side, found in rounds.items()}
    return _row(name, unit, columns, gate=gate, goal=1.25 if gate else None)


def _added(name: str, unit: str, rounds: Rounds, *, percent: int) -> Row:
    """What a relay adds to the time a direct request took in the same round."""
    cut = {side: [load.percentile(one.taken, percent) for one in found] for side, found in rounds.items()}
    columns = {
        side: [SCALES[unit] * (mine - base) for mine, base in zip(found, cut["direct"], strict=True)]
        for side, found in cut.items()
    }
    return _row(name, unit, columns, kind=Kind.DIFFERENCE)


def _row(
    name: str,
    unit: str,
    columns: dict[str, list[float]],
    *,
    kind: Kind = Kind.RATIO,
    gate: float | None = None,
    goal: float | None = None,
) -> Row:
    floor, fairlead = columns.get("floor", []), columns.get("fairlead", [])
    return Row(name=name, unit=unit, floor=floor, fairlead=fairlead, kind=kind, gate=gate, goal=goal)


SCALES = {"ms": 1e3, "µs": 1e6}


# Requests


def _requests(body: bytes, count: int) -> Slice:
    def work(target: Program, clients: list[load.Client]) -> list[float]:
        return load.plain(clients, load.request(target.port, body), count)

    return work


def _with_latency(bench: Bench, name: str, body: bytes, count: int) -> list[Row]:
    rounds = alternate(bench, _requests(body, count))
    return [
        _cpu(f"CPU per request, {name}", "ms", rounds, gate=1.5),
        _added(f"added latency, {name}, median", "ms", rounds, percent=50),
        _added(f"added latency, {name}, p99", "ms", rounds, percent=99),
    ]


def small(bench: Bench) -> list[Row]:
    """Small requests, one after another."""
    return _with_latency(bench, "small body", bodies.small(bodies.behave("plain")), bench.sizes.small)


def agent(bench: Bench) -> list[Row]:
    """Requests with the body of a coding agent, one after another."""
    return _with_latency(bench, "120 KB agent body", bodies.agent(bodies.behave("plain")), bench.sizes.agent)


def splice(bench: Bench) -> list[Row]:
    """The agent body with a prefixed model, which fairlead must cut out of the body."""
    body = bodies.agent(bodies.behave("plain"), model=f"bench:{bodies.MODEL}")
    rounds = alternate(bench, _requests(body, bench.sizes.agent))
    return [_cpu("CPU per request, 120 KB, model name replaced", "ms", rounds)]


def parallel(bench: Bench) -> list[Row]:
    """Small requests on eight connections at once."""
    work = _requests(bodies.small(bodies.behave("plain")), bench.sizes.small)
    rounds = alternate(bench, work, connections=8)
    return [_cpu("CPU per request, small body, 8 connections", "ms", rounds)]


def log(bench: Bench) -> list[Row]:
    """Small requests while fairlead writes its access log."""
    work = _requests(bodies.small(bodies.behave("plain")), bench.sizes.small)
    rounds = alternate(bench, work, log=True)
    return [_cpu("CPU per request, small body, access log on", "ms", rounds)]


def history(bench: Bench) -> list[Row]:
    """What the history costs; here the floor is fairlead without one."""
    small, large = bodies.small(bodies.behave("plain")), bodies.behave("burst", STREAMED)
    kinds = {
        "small body": (_requests(small, bench.sizes.recorded), 1),
        "small body, 8 connections": (_requests(small, bench.sizes.recorded), 8),
        "120 KB agent body, streamed": (_streams(bodies.agent(large, stream=True), bench.sizes.recorded // 3), 1),
    }
    rows: list[Row] = []
    for name, (work, connections) in kinds.items() if bench.fairlead else ():
        found = [recording.turns(bench.plain, work, connections=connections) for _ in range(bench.sizes.rounds)]
        ways = {"floor": [one[0] for one in found], "fairlead": [one[1] for one in found]}
        spent = {way: [1e3 * one.cpu / len(one.taken) for one in ones] for way, ones in ways.items()}
        rows.append(_row(f"CPU of the history, {name}", "ms", spent, gate=1.05))
        for title, percent in (("median", 50), ("p99", 99)):
            cut = {way: [1e3 * load.percentile(one.taken, percent) for one in ones] for way, ones in ways.items()}
            rows.append(_row(f"latency of the history, {name}, {title}", "ms", cut, kind=Kind.DIFFERENCE))
    return rows


# Streams


def _events(deltas: int) -> int:
    return len(bodies.preamble()) + deltas + len(bodies.ending(deltas))


def _streams(body: bytes, count: int) -> Slice:
    def work(target: Program, clients: list[load.Client]) -> list[float]:
        data = load.request(target.port, body)
        return [load.burst(clients[0], data, _events(STREAMED)) for _ in range(count)]

    return work


def burst(bench: Bench) -> list[Row]:
    """Events in bursts: streams that come as fast as the relay reads them, many HTTP chunks to a read."""
    deltas = bench.sizes.deltas
    events = _events(deltas)
    body = bodies.small(bodies.behave("burst", deltas), stream=True)

    def work(target: Program, clients: list[load.Client]) -> list[float]:
        return [load.burst(clients[0], load.request(target.port, body), events) for _ in range(2)]

    framed = alternate(bench, work)
    merged = alternate(bench, work, merge=True)
    return [
        _cpu("CPU per SSE event, in bursts", "µs", framed, per=events, gate=1.4),
        _cpu("CPU per SSE event, in bursts, floor merges chunks", "µs", merged, per=events),
    ]


def paced(bench: Bench) -> list[Row]:
    """Events one by one, each its own read."""
    ticks = bench.sizes.ticks
    body = bodies.small(bodies.behave("paced", ticks), stream=True)
    with load.connected(bench.direct.port) as (ticker,):

        def work(target: Program, clients: list[load.Client]) -> list[float]:
            return load.paced(clients[0], ticker, load.request(target.port, body), ticks)

        rounds = alternate(bench, work)
    return [
        _cpu("CPU per SSE event, one by one", "µs", rounds),
        _added("added latency per SSE event, one by one", "µs", rounds, percent=50),
    ]


# Memory


def _held(way: Start, site: Site, body: bytes, streams: int) -> list[float]:
    """RSS of a warm idle relay in MB, and what each open stream adds in KB."""
    with way(site) as program:
        warm(program)
        time.sleep(2)  # what a relay loads after it listens belongs to its idle memory
        idle = program.memory("Rss")
        before = program.memory("Private_Clean", "Private_Dirty")
        with load.hold(program.port, load.request(program.port, body), streams):
            time.sleep(1)
            after = program.memory("Private_Clean", "Private_Dirty")
    return [idle / 1e6, (after - before) / streams / 1e3]


def _memory(bench: Bench, site: Site, body: bytes) -> dict[str, list[list[float]]]:
    rounds = range(bench.sizes.memory_rounds)
    return {name: [_held(way, site, body, bench.sizes.streams) for _ in rounds] for name, way in bench.sides.items()}


def memory(bench: Bench) -> list[Row]:
    """Idle memory, and memory at many open streams."""
    marker = bodies.behave("open")
    few = bodies.small(marker, stream=True)
    plain = _memory(bench, bench.plain, few)
    large = _memory(bench, bench.plain, bodies.agent(marker, stream=True))
    tls = _memory(bench, bench.tls, few)
    more = {side: [[0.0, a[1] - b[1]] for a, b in zip(tls[side], plain[side], strict=True)] for side in tls}
    at = f"memory per stream at {bench.sizes.streams:,} open"
    return [
        _value("idle memory (RSS)", "MB", plain, 0, gate=70),
        _value(f"{at}, small bodies", "KB", plain, 1, gate=30),
        _value(f"{at}, 120 KB agent bodies", "KB", large, 1, gate=45),
        _value(f"{at}, TLS upstream adds", "KB", more, 1, gate=40),
    ]


def _value(
    name: str,
    unit: str,
    samples: dict[str, list[list[float]]],
    index: int,
    *,
    gate: float | None = None,
    goal: float | None = None,
) -> Row:
    columns = {side: [sample[index] for sample in found] for side, found in samples.items()}
    return _row(name, unit, columns, kind=Kind.VALUE, gate=gate, goal=goal)


# Start


def _start(way: Start, site: Site) -> list[float]:
    """Seconds to listening, CPU seconds to there, seconds to the first relayed answer."""
    before = time.perf_counter()
    with way(site) as program:
        spent = program.cpu()
        warm(program, 0)
        return [program.listening, spent, time.perf_counter() - before]


def start(bench: Bench) -> list[Row]:
    """Time to listening."""
    samples: dict[str, list[list[float]]] = {name: [] for name in bench.sides}
    for number in range(bench.sizes.starts + 1):
        for name, way in bench.sides.items():
            found = _start(way, bench.plain)
            if number:  # the first start compiles and fills caches
                samples[name].append(found)
    return [
        _value("start to listening", "s", samples, 0, gate=0.2, goal=0.12),
        _value("start to listening, CPU", "s", samples, 1),
        _value("start to the first relayed answer", "s", samples, 2),
    ]


def first_second(bench: Bench) -> list[Row]:
    """Small requests, one after another, in the second in which fairlead loads what it will need later."""
    samples: dict[str, list[list[float]]] = {name: [] for name in bench.sides}
    body = bodies.small(bodies.behave("plain"))
    for _ in range(bench.sizes.rounds):
        for name, way in bench.sides.items():
            with way(bench.plain) as program, load.connected(program.port) as clients:
                data, taken = load.request(program.port, body), list[float]()
                end = time.perf_counter() + 1
                while time.perf_counter() < end:
                    taken += load.plain(clients, data, 10)
            samples[name].append([1e3 * load.percentile(taken, 50), 1e3 * load.percentile(taken, 99), 1e3 * max(taken)])
    at = "latency in the first second"
    return [_value(f"{at}, {what}", "ms", samples, index) for index, what in enumerate(("median", "p99", "longest"))]


def version(bench: Bench) -> list[Row]:
    """`--version`: its time, and that it loads no trio."""
    command = [sys.executable, "-m", "router", "--version"]
    taken: list[float] = []
    for _ in range(bench.sizes.starts if bench.fairlead else 0):
        before = time.perf_counter()
        subprocess.run(command, cwd=programs.ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - before)
    command[1:1] = ["-X", "importtime"]
    imports = subprocess.run(command, cwd=programs.ROOT, check=True, capture_output=True, text=True).stderr
    note = "loads trio" if re.search(r"\|\s+trio\b", imports) else "loads no trio"
    return [Row(name="`--version`", unit="s", fairlead=taken, kind=Kind.VALUE, note=note)]


# Routing


def routing(bench: Bench) -> list[Row]:
    """A decision in a table of 2,000 models, and building that table."""
    taken, built = decisions(bench.sizes.rounds) if bench.fairlead else ([], [])
    return [
        _row("routing decision, 2,000 models, 20 rules", "µs", _alone(taken, "µs"), kind=Kind.VALUE, gate=30),
        _row("building that routing table", "ms", _alone(built, "ms"), kind=Kind.VALUE),
    ]


def choice(bench: Bench) -> list[Row]:
    """The choice of one of 50 accounts, with 2,000 conversations bound to them."""
    taken = choosing.choices(bench.sizes.rounds) if bench.fairlead else {}
    words = {"bound": "bound conversation", "new": "new conversation", "told": "new one, limits told anew each time"}
    return [
        _row(
            f"choice of an account, 50 accounts, {words[name]}",
            "µs",
            _alone(seconds, "µs"),
            kind=Kind.VALUE,
            gate=20,
            goal=5,
        )
        for name, seconds in taken.items()
    ]


def client_keys(bench: Bench) -> list[Row]:
    """Which of 10,000 client keys a request carries."""
    taken = keys.checks(bench.sizes.rounds) if bench.fairlead else {}
    return [
        _row(f"check of a request {name}, 10,000 keys", "µs", _alone(seconds, "µs"), kind=Kind.VALUE, gate=2)
        for name, seconds in taken.items()
    ]


def translation(bench: Bench) -> list[Row]:
    """What translating costs beside the relaying, without sockets: an event of a burst, a request of an agent."""
    rows: list[Row] = []
    for protocol, other in translating.WAYS if bench.fairlead else ():
        rounds = range(bench.sizes.rounds)
        events = [translating.per_event(protocol, other) for _ in rounds]
        requests = [translating.per_request(protocol, other) for _ in rounds]
        way = f"{protocol} to {other}"
        rows.append(_row(f"translated SSE event, {way}", "µs", _alone(events, "µs"), kind=Kind.VALUE, gate=12, goal=8))
        rows.append(
            _row(f"translated 120 KB request, {way}", "ms", _alone(requests, "ms"), kind=Kind.VALUE, gate=1.5, goal=1)
        )
    if not bench.fairlead:
        return rows
    added = _alone(translating.first_byte(bench.plain, bench.direct, bench.sizes.rounds, bench.sizes.late), "ms")
    return [*rows, _row("translated first byte, after the upstream's first word", "ms", added, kind=Kind.VALUE, gate=1)]


def _alone(seconds: list[float], unit: str) -> dict[str, list[float]]:
    return {"fairlead": [SCALES[unit] * one for one in seconds]}


MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "small": small,
    "agent": agent,
    "splice": splice,
    "parallel": parallel,
    "log": log,
    "history": history,
    "paced": paced,
    "burst": burst,
    "memory": memory,
    "routing": routing,
    "choice": choice,
    "keys": client_keys,
    "translation": translation,
    "start": start,
    "first_second": first_second,
    "version": version,
}

# These read CPU or memory and nothing else.
NEED_PROC = {"splice", "parallel", "log", "history", "burst", "memory"}

"""Measures what the goals are about: upstream, bare relay, nginx, an earlier fairlead and this one take turns.

Rules of this file: what is measured has one core, load and upstream have the other. Every round has fresh processes,
which take turns at each kind of work in alternating order. A latency is what is added to that of the upstream alone in
the same round.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import blast
import bodies
import goals
import load
import programs
import recording
from goals import GoalRow
from nginx import find, nginx
from programs import Form, Program, Running, Site
from rounds import Start, warm

STREAMED = 50
_SLICES = 10

#: Kind of row -> who took part -> samples by round.
Samples = dict[str, dict[str, list[float]]]
Slice = Callable[[Program, load.Client], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """Who takes part, and how much is measured."""

    site: Site
    direct: Program
    form: Form
    base: Form | None
    quick: bool

    @property
    def rounds(self) -> int:
        """Rounds of everything."""
        return 1 if self.quick else 5

    def wait_loaded(self) -> None:
        """Wait until what a proxy loads once it listens is there."""
        time.sleep(1.0 if self.quick else 2.5)

    def scale(self, count: int) -> int:
        """So many, or a tenth of it in a quick run."""
        return max(2, count // 10) if self.quick else count

    @property
    def forms(self) -> dict[str, Form]:
        """The fairleads."""
        return {"fairlead": self.form} | ({"base": self.base} if self.base else {})

    def starts(self, protocols: Sequence[str] = programs.ALL, *, others: bool = True) -> dict[str, Start]:
        """How each that takes part is started; with others the bare relay and nginx."""
        ways: dict[str, Start] = {"floor": programs.floor, **({"nginx": nginx} if find() else {})} if others else {}
        for name, form in self.forms.items():
            ways[name] = partial(programs.fairlead, form=form, protocols=protocols, name=name)
        return ways

    @contextlib.contextmanager
    def running(self, ways: Mapping[str, Start]) -> Iterator[dict[str, Program]]:
        """All of these, ready."""
        with contextlib.ExitStack() as stack:
            yield {name: stack.enter_context(self._start(way)) for name, way in ways.items()}

    def _start(self, way: Start) -> Running:
        return way(self.site)


def measure(pursuit: Pursuit) -> list[GoalRow]:
    """All rows."""
    found: Samples = {}
    for _ in range(pursuit.rounds):
        _relayed(pursuit, found)
        _translated(pursuit, found)
        _starts(pursuit, found)
    _recorded(pursuit, found)
    return [
        GoalRow(name=name, unit=unit, samples=found[kind], goal=goals.GOALS.get(goal))
        for kind, name, unit, goal in ROWS
        if kind in found
    ]


#: Kind, name, unit, and the goal's key.
ROWS = [
    ("small", "added latency, small body, median", "ms", "small"),
    ("small p99", "added latency, small body, p99", "ms", ""),
    ("small quotient", "p99 over median of the whole latency, small body", "×", "quotient"),
    ("agent", "added latency, 122 KB agent body, median", "ms", "agent"),
    ("agent p99", "added latency, 122 KB agent body, p99", "ms", ""),
    ("agent quotient", "p99 over median of the whole latency, 122 KB agent body", "×", "quotient"),
    ("small rate", f"requests a second, small body, {blast.CONNECTIONS} connections", "/s", "small rate"),
    ("agent rate", f"requests a second, 122 KB agent body, {blast.CONNECTIONS} connections", "/s", "agent rate"),
    ("deltas", "deltas a second in bursts, usage read", "/s", "deltas"),
    ("first byte", "added to the first byte of an agent stream", "ms", "first byte"),
    ("translated", "added latency, 122 KB agent body, translated (relays: relayed)", "ms", "translated"),
    (
        "first translated byte",
        "first translated byte after the upstream's (relays: relayed)",
        "ms",
        "first translated byte",
    ),
    ("start", "start to listening, CPU", "s", "start"),
    ("idle", "idle memory (RSS)", "MB", "idle"),
    ("loaded", "memory after load (RSS)", "MB", "loaded"),
    *(
        (f"history {name}", f"the history's share of CPU, {name}", "%", "history")
        for name in (
            "small body",
            "small body, 8 connections",
            "122 KB agent body",
            "122 KB agent body, streamed",
            "bursts",
        )
    ),
]


def _add(found: Samples, kind: str, who: str, value: float) -> None:
    found.setdefault(kind, {}).setdefault(who, []).append(value)


# Relayed


def _relayed(pursuit: Pursuit, found: Samples) -> None:
    """One round of all that is relayed, and the memory before and after."""
    plain, stream = bodies.behave("plain"), bodies.behave("burst", STREAMED)
    with pursuit.running(pursuit.starts()) as relays:
        for program in relays.values():
            warm(program)
        pursuit.wait_loaded()
        for name, program in relays.items():
            _add(found, "idle", name, program.memory("Rss") / 1e6)
        targets = {"direct": pursuit.direct, **relays}
        for kind, body, count in (("small", bodies.small(plain), 600), ("agent", bodies.agent(plain), 300)):
            taken = _take_turns(targets, _whole(body, pursuit.scale(count) // _SLICES + 1))
            _note_latency(found, kind, taken)
        agent_stream = bodies.agent(stream, stream=True)
        taken = _take_turns(targets, _first_bytes(agent_stream, pursuit.scale(200) // _SLICES + 1))
        _note_median(found, "first byte", taken)
        _note_deltas(pursuit, found, targets)
        seconds = 0.3 if pursuit.quick else 1.5
        for kind, body in (("small rate", bodies.small(plain)), ("agent rate", bodies.agent(plain))):
            for name, program in targets.items():
                _add(found, kind, name, blast.rate(pursuit.site.folder, program.port, body, seconds))
        for name, program in relays.items():
            _add(found, "loaded", name, program.memory("Rss") / 1e6)


def _whole(body: bytes, count: int) -> Slice:
    return lambda program, client: load.plain([client], load.request(program.port, body), count)


def _first_bytes(body: bytes, count: int) -> Slice:
    return lambda program, client: load.first_bytes(client, load.request(program.port, body), count)


def _take_turns(targets: Mapping[str, Program], work: Slice) -> dict[str, list[float]]:
    """Seconds of each request, by who served it. The first slice warms up."""
    taken: dict[str, list[float]] = {name: [] for name in targets}
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(load.connected(one.port))[0] for name, one in targets.items()}
        for turn in range(_SLICES + 1):
            order = list(targets.items())
            for name, program in order if turn % 2 else reversed(order):
                some = work(program, clients[name])
                if turn:
                    taken[name] += some
    return taken


def _note_latency(found: Samples, kind: str, taken: Mapping[str, list[float]]) -> None:
    _note_median(found, kind, taken)
    base = load.percentile(taken["direct"], 99)
    for name, seconds in taken.items():
        high = load.percentile(seconds, 99)
        if name != "direct":
            _add(found, f"{kind} p99", name, 1e3 * (high - base))
        _add(found, f"{kind} quotient", name, high / statistics.median(seconds))


def _note_median(found: Samples, kind: str, taken: Mapping[str, list[float]]) -> None:
    base = statistics.median(taken["direct"])
    for name, seconds in taken.items():
        if name != "direct":
            _add(found, kind, name, 1e3 * (statistics.median(seconds) - base))


def _note_deltas(pursuit: Pursuit, found: Samples, targets: Mapping[str, Program]) -> None:
    deltas = 2000
    events = len(bodies.preamble()) + deltas + len(bodies.ending(deltas))
    body = bodies.small(bodies.behave("burst", deltas), stream=True)

    def work(program: Program, client: load.Client) -> list[float]:
        return [load.burst(client, load.request(program.port, body), events) for _ in range(pursuit.scale(20) // 5 + 1)]

    for name, seconds in _take_turns(targets, work).items():
        _add(found, "deltas", name, events / statistics.median(seconds))


# Translated


def _translated(pursuit: Pursuit, found: Samples) -> None:
    """One round of what is translated; the relays are sent the same, and relay it."""
    body = bodies.agent(bodies.behave("plain"))
    ways = {**pursuit.starts(), **pursuit.starts(["chat"], others=False)}
    with pursuit.running(ways) as relays:
        for program in relays.values():
            load_one(program, body)
        pursuit.wait_loaded()
        targets = {"direct": pursuit.direct, **relays}
        _note_median(found, "translated", _take_turns(targets, _whole(body, pursuit.scale(200) // _SLICES + 1)))
    ways = {**pursuit.starts(), **pursuit.starts(["messages"], others=False)}
    with pursuit.running(ways) as relays, load.connected(pursuit.direct.port) as (ticker,):
        for program in relays.values():
            warm(program)
        pursuit.wait_loaded()
        _note_median(found, "first translated byte", _late(pursuit, {"direct": pursuit.direct, **relays}, ticker))


def load_one(program: Program, body: bytes, count: int = 30) -> None:
    """Have it serve some requests."""
    with load.connected(program.port) as clients:
        load.plain(clients, load.request(program.port, body), count)


def _late(pursuit: Pursuit, targets: Mapping[str, Program], ticker: load.Client) -> dict[str, list[float]]:
    """Seconds from the first word that the upstream says to the client's first byte of it."""
    body = bodies.small(bodies.behave("late"), stream=True)
    taken: dict[str, list[float]] = {name: [] for name in targets}
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(load.connected(one.port))[0] for name, one in targets.items()}
        for turn in range(3):
            for name, program in targets.items():
                relayed = name not in pursuit.forms
                path = b"/v1/messages" if relayed else b"/v1/chat/completions"
                data = load.request(program.port, body, path)
                opening = b"message_start" if relayed else b""
                some = load.late(clients[name], ticker, data, pursuit.scale(50) // 3 + 1, opening=opening)
                if turn:
                    taken[name] += some
    return taken


# Start, history


def _starts(pursuit: Pursuit, found: Samples) -> None:
    """CPU seconds to listening; the second of two starts, as the first compiles and fills caches."""
    for name, way in pursuit.starts().items():
        for number in range(2):
            with way(pursuit.site) as program:
                spent = program.cpu()
            if number:
                _add(found, "start", name, spent)


def _recorded(pursuit: Pursuit, found: Samples) -> None:
    """What part of a fairlead's CPU its history is, in percent."""
    plain = bodies.behave("plain")
    works: dict[str, tuple[bytes, int, int, int]] = {
        # Half a second of requests: what the history writes at once. Body, requests, connections, events of a stream.
        "small body": (bodies.small(plain), 960, 1, 0),
        "small body, 8 connections": (bodies.small(plain), 960, 8, 0),
        "122 KB agent body": (bodies.agent(plain), 480, 1, 0),
        "122 KB agent body, streamed": (bodies.agent(bodies.behave("burst", STREAMED), stream=True), 320, 1, STREAMED),
        "bursts": (bodies.small(bodies.behave("burst", 2000), stream=True), 20, 1, 2000),
    }
    for kind, (body, count, connections, deltas) in works.items():
        for name, form in pursuit.forms.items():
            for _ in range(1 if pursuit.quick else 3):
                work = _streams(body, deltas, pursuit.scale(count)) if deltas else _plain(body, pursuit.scale(count))
                # Of a built program the sources are taken: they alone have a history that can be switched.
                switched = Form(programs.SWITCHED.command, form.tree)
                without, with_it = recording.turns(
                    pursuit.site, work, form=switched, connections=connections, pairs=1 if pursuit.quick else 4
                )
                share = 1 - without.cpu / len(without.taken) * len(with_it.taken) / with_it.cpu
                _add(found, f"history {kind}", name, 100 * share)
        if pursuit.quick:
            return


def _plain(body: bytes, count: int) -> Callable[[Program, list[load.Client]], list[float]]:
    return lambda program, clients: load.plain(clients, load.request(program.port, body), count)


def _streams(body: bytes, deltas: int, count: int) -> Callable[[Program, list[load.Client]], list[float]]:
    events = len(bodies.preamble()) + deltas + len(bodies.ending(deltas))

    def work(program: Program, clients: list[load.Client]) -> list[float]:
        return [load.burst(clients[0], load.request(program.port, body), events) for _ in range(count)]

    return work

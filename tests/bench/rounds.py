"""How relays are compared: in rounds of fresh processes, taking turns at the work.

Rules of this file:
- Floor and fairlead take turns, SLICES times in a round and in alternating order, so that both meet the same noise.
- Every round has fresh processes: two runs of one program differ by up to 8 % for their whole life.
- CPU is the relay's own, as the system counts it, since load client, upstream and relay share the cores. It is read
  once a round, after work left behind by requests (a history is written later) is done too.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import bodies
import load
from programs import Program, Running, Site

Start = Callable[[Site], Running]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    rounds: int = 7
    small: int = 200
    agent: int = 100
    # Half a second of them: what the history writes at once.
    recorded: int = 960
    deltas: int = 2000
    ticks: int = 150
    late: int = 100
    streams: int = 1000
    memory_rounds: int = 3
    starts: int = 15


SLICES = 10
QUICK = Sizes(
    rounds=2, small=24, agent=16, recorded=24, deltas=200, ticks=20, late=10, streams=64, memory_rounds=1, starts=3
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The upstreams and how the relays are started."""

    plain: Site
    tls: Site
    direct: Program
    sizes: Sizes
    floor: Start
    merging_floor: Start
    fairlead: Start | None
    access_log: Start | None

    @property
    def sides(self) -> dict[str, Start]:
        """How each relay that takes part is started."""
        both = {"floor": self.floor, "fairlead": self.fairlead}
        return {name: way for name, way in both.items() if way}

    @contextlib.contextmanager
    def relays(self, *, log: bool = False, merge: bool = False) -> Iterator[list[Program]]:
        """Floor and, when it takes part, fairlead, both running and warm."""
        first = self.merging_floor if merge else self.floor
        second = self.access_log if log else self.fairlead
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(way(self.plain)) for way in (first, second) if way]
            for program in found:
                warm(program)
            yield found


def warm(program: Program, count: int = 50) -> None:
    """See that it relays, then send so many requests more."""
    data = load.request(program.port, bodies.small(bodies.behave("plain")))
    with load.connected(program.port) as clients:
        clients[0].send(data)
        if clients[0].receive() != bodies.ANSWER:
            raise load.LoadError(f"{program.name} changed the answer")
        load.plain(clients, data, count)


@dataclass(frozen=True, slots=True)
class Round:
    """CPU seconds one program spent in a round, and the seconds each request or event took."""

    spent: float
    taken: list[float]


Slice = Callable[[Program, list[load.Client]], list[float]]
Rounds = dict[str, list[Round]]


def alternate(bench: Bench, work: Slice, *, connections: int = 1, **relays: bool) -> Rounds:
    """Let upstream, floor and fairlead take turns at the work; what each spent and took, by round."""
    found: Rounds = {}
    for _ in range(bench.sizes.rounds):
        with bench.relays(**relays) as running:
            for name, one in _round([bench.direct, *running], work, connections).items():
                found.setdefault(name, []).append(one)
    return found


def _round(targets: Sequence[Program], work: Slice, connections: int) -> dict[str, Round]:
    taken: dict[str, list[float]] = {target.name: [] for target in targets}
    with contextlib.ExitStack() as stack:
        clients = {t.name: stack.enter_context(load.connected(t.port, connections)) for t in targets}
        for target in targets:
            _blamed(work, target, clients[target.name])
        _settle(targets)
        before = {target.name: target.cpu() for target in targets}
        for turn in range(SLICES):
            for target in targets if turn % 2 else reversed(targets):
                taken[target.name] += _blamed(work, target, clients[target.name])
        _settle(targets)
        return {t.name: Round(t.cpu() - before[t.name], taken[t.name]) for t in targets}


def _blamed(work: Slice, target: Program, clients: list[load.Client]) -> list[float]:
    """Do the work; a failure says whose it was."""
    try:
        return work(target, clients)
    except (load.LoadError, OSError) as error:
        raise load.LoadError(f"{error!r} from {target.said()}") from error


def _settle(targets: Sequence[Program]) -> None:
    time.sleep(max(target.settle for target in targets))
